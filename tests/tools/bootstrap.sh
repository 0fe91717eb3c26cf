#!/usr/bin/env bash
# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
# From a bare Debian machine to everything that noxfile.py needs. Each part is skipped if it already exists.
# usage: bootstrap.sh [engine | venv | collections]...   (nothing = all of them)
set -euo pipefail
. "$(dirname "$0")/lib.sh"

apt_install() { # only what is missing, and only as root
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} = 0 ] && return
  [ "$(id -u)" = 0 ] || die "install these packages first (or run as root): ${missing[*]}"
  apt-get update -q || true          # a broken third-party source is none of our business
  DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"
}

packages() {
  apt_install mmdebstrap ca-certificates
  answers || apt_install docker.io iptables   # its installation starts it where systemd runs
}

# The engine: use a running one; otherwise start it, and record that it must be stopped again.
engine_up() {
  answers && return
  if [ -d /run/systemd/system ]; then
    systemctl start docker
  else
    nohup setsid dockerd >"$BUILD/log/dockerd.log" 2>&1 </dev/null &
    echo $! >"$BUILD/engine.pid"
  fi
  for _ in $(seq 60); do answers && return; sleep 1; done
  tail -n 20 "$BUILD/log/dockerd.log" || true
  return 1
}

# The first interpreter that the pinned ansible-core supports; PYTHON=... selects another one.
find_python() {
  local candidate
  for candidate in ${PYTHON:-} python3 python3.11 python3.12 python3.13 /usr/bin/python3; do
    "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null || continue
    "$candidate" -c 'import sys; print(sys.executable)'
    return
  done
  die "no CPython from 3.11 to 3.14 found: set PYTHON=/path/to/it"
}

make_venv() {
  local python
  python=$(find_python)
  echo "using $python"
  "$python" -c 'import ensurepip' 2>/dev/null || apt_install python3-venv
  rm -rf "$VENV"
  "$python" -m venv "$VENV"
  "$VENV/bin/pip" install -q -r requirements/tools.txt -c requirements/constraints.txt
}

cd "$ROOT"
[ $# != 0 ] || set -- engine venv collections
for part in "$@"; do
  case $part in
    engine)
      command -v mmdebstrap >/dev/null && answers && continue
      if [ -d /run/systemd/system ] && ! answers; then touch "$BUILD/engine.systemd"; fi
      step "packages" packages
      step "container engine" engine_up ;;
    venv)
      make_once venv "$(hash_of requirements/tools.txt requirements/constraints.txt)" "test -x $VENV/bin/ansible-playbook" \
        "virtual environment" make_venv ;;
    collections)
      make_once collections "$(hash_of tests/tools/dependencies.py)" "test -e build/collections/ansible_collections/selfhost/langgraph" \
        "collections" "$VENV/bin/python" tests/tools/dependencies.py ;;
    *) die "unknown part $part" ;;
  esac
done
