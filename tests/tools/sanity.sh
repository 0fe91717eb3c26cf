#!/usr/bin/env bash
# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
# ansible-test sanity, in a copy of the tree (it refuses a symlink) and without the download of pip that it would try.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
PYTHON_VERSION=$("$VENV/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
case $PYTHON_VERSION in 3.11) PIP=24.2 ;; *) PIP=25.2 ;; esac   # as ansible-core 2.19 and 2.21 want it
# ansible-test keeps its virtual environments in the home folder, whatever ANSIBLE_HOME says: give it one in build/,
# in which pip still finds the user's settings.
HOME_IN_BUILD=$BUILD/home
CACHE=$HOME_IN_BUILD/.ansible/test/cache

# ansible-test fetches get-pip.py from the internet at large; the wheel from the package index does the same.
stand_in() {
  local script=$CACHE/get_pip_${PIP/./_}.py
  [ -s "$script" ] && return
  mkdir -p "$CACHE"
  "$VENV/bin/pip" download -q --no-deps --dest "$CACHE" "pip==$PIP"
  cat >"$script" <<PY
import pathlib, sys
WHEEL = pathlib.Path(__file__).with_name("pip-$PIP-py3-none-any.whl")
if __name__ == "__main__":
    sys.path.insert(0, str(WHEEL))
    from pip._internal.cli.main import main
    sys.exit(main(["install", "--no-index", "--disable-pip-version-check", str(WHEEL)]))
PY
}

borrow_settings() {
  local name
  mkdir -p "$HOME_IN_BUILD"
  for name in .config .pip .netrc; do
    [ ! -e "$HOME/$name" ] || [ -e "$HOME_IN_BUILD/$name" ] || ln -s "$HOME/$name" "$HOME_IN_BUILD/$name"
  done
}

sanity() {
  local rc=0 errors
  HOME=$HOME_IN_BUILD ansible-test sanity --venv --python "$PYTHON_VERSION" --color no "$@" || rc=$?
  errors=$(grep '^ERROR: ' "$BUILD/log/ansible-test-sanity.log") || true
  printf '%s\n' "$errors"            # once more at the end: pip's noise hides them
  return "$rc"
}

borrow_settings
step "pip for ansible-test" stand_in
export_tree
cd "$TREE"
git init -q . && git add -A            # ansible-test lists files through git
step "ansible-test sanity" sanity "$@"
