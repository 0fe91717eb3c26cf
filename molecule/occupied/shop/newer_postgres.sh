#!/usr/bin/env bash
# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Have the distribution bring a newer Postgres beside the one that is there, as its upgrade does, without a cluster. No release
# has two of them: the newer one is the older one's programs by another number.
set -euo pipefail
cd "$(dirname "$0")"
[ ! -e newer ] || exit 0
old=$(basename /usr/lib/postgresql/*)
# On Debian 12 the host takes itself for Debian 13 from now on, whose version of Postgres that is.
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
