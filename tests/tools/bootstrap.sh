#!/usr/bin/env bash
# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
# From a bare Debian machine to everything the other scripts need. Each part is skipped if it already exists.
# usage: bootstrap.sh [engine | venv | collections]...   (nothing = all of them)
set -euo pipefail
. "$(dirname "$0")/lib.sh"
ANSIBLE_WHEEL=ansible==12.3.0        # carries the collections that Galaxy would give
DEPENDENCIES="community/docker community/library_inventory_filtering_v1 community/postgresql community/general
  community/crypto ansible/posix"

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
answers() { docker version >/dev/null 2>&1; }
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
  "$VENV/bin/pip" install -q -r "$ROOT/requirements/tools.txt" -c "$ROOT/requirements/constraints.txt"
}

collections() {
  local target=$ANSIBLE_COLLECTIONS_PATH/ansible_collections wheels=$BUILD/wheels/ansible wanted=() name
  for name in $DEPENDENCIES; do
    [ -e "$target/$name/MANIFEST.json" ] || wanted+=("ansible_collections/$name/*")
  done
  if [ ${#wanted[@]} != 0 ]; then
    "$VENV/bin/pip" download -q --no-deps --dest "$wheels" "$ANSIBLE_WHEEL"
    "$VENV/bin/python" - "$ANSIBLE_COLLECTIONS_PATH" "$wheels" "${wanted[@]}" <<'PY'
import fnmatch
import pathlib
import sys
import zipfile

target, wheels, *wanted = sys.argv[1:]
with zipfile.ZipFile(next(pathlib.Path(wheels).glob("ansible-*.whl"))) as wheel:
    wheel.extractall(target, [n for n in wheel.namelist() if any(fnmatch.fnmatch(n, w) for w in wanted)])
PY
    rm -rf "$wheels"
  fi
  mkdir -p "$target/selfhost"
  ln -sfn "$ROOT" "$target/selfhost/langgraph"
}

python_part() { # venv | collections
  local hash
  case $1 in
    venv)
      hash=$(hash_of requirements/tools.txt requirements/constraints.txt)
      [ -x "$VENV/bin/ansible-playbook" ] && fresh venv "$hash" && return
      step "virtual environment" make_venv
      stamp venv "$hash" ;;
    collections)
      hash=$(hash_of "$ANSIBLE_WHEEL" "$DEPENDENCIES")
      [ -e "$ANSIBLE_COLLECTIONS_PATH/ansible_collections/selfhost/langgraph" ] && fresh collections "$hash" && return
      step "collections" collections
      stamp collections "$hash" ;;
  esac
}

main() {
  local part
  for part in "$@"; do
    case $part in
      engine)
        command -v mmdebstrap >/dev/null && answers && continue
        if [ -d /run/systemd/system ] && ! answers; then touch "$BUILD/engine.systemd"; fi
        step "packages" packages
        step "container engine" engine_up ;;
      # Of two concurrent runs, the second waits and finds the work done.
      venv | collections) (flock 9 && python_part "$part") 9>"$BUILD/bootstrap.lock" ;;
      *) die "unknown part $part" ;;
    esac
  done
}

cd "$ROOT"
[ $# != 0 ] || set -- engine venv collections
main "$@"
