#!/usr/bin/env bash
# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Install a newer Postgres next to the existing one, like an upgrade of the distribution, without a cluster. No release
# has two versions: the newer one consists of the older one's programs under another version number.
set -euo pipefail
cd "$(dirname "$0")"
[ ! -e newer ] || exit 0
old=$(basename /usr/lib/postgresql/*)
# On Debian 12 the host identifies as Debian 13 from now on, as this is the Postgres version of Debian 13.
case $old in 15) new=17 ;; *) new=$((old + 1)) ;; esac
mkdir -p "newer/deb/usr/lib/postgresql/$new/bin" newer/deb/DEBIAN newer/meta/DEBIAN
for program in /usr/lib/postgresql/"$old"/bin/*; do ln -s "$program" "newer/deb/usr/lib/postgresql/$new/bin/"; done
control='Version: %s\nArchitecture: all\nMaintainer: Debian <debian@example.org>\nDescription: a newer Postgres\n'
printf "Package: postgresql-$new\n$control" 99.1-1 >newer/deb/DEBIAN/control
printf "Package: postgresql\nDepends: postgresql-$new\n$control" "99+$new" >newer/meta/DEBIAN/control
for part in deb meta; do dpkg-deb --build "newer/$part" "newer/$part.deb"; done
dpkg --install newer/*.deb
if [ "$old" = 15 ]; then
  sed -i 's/VERSION_ID=.*/VERSION_ID="13"/; s/bookworm/trixie/g; s/Linux 12/Linux 13/' /etc/os-release
  echo 13.1 >/etc/debian_version
fi
