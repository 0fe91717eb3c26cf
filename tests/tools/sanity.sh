#!/usr/bin/env bash
# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
# ansible-test sanity, in a copy of the tree (it refuses a symlink) and without the download of pip that it would try.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
CORE=$("$VENV/bin/python" -c 'from ansible.release import __version__ as v; print(v)')
PYTHON_VERSION=$("$VENV/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
case $CORE in 2.19.*) PIP=24.2 ;; *) PIP=25.2 ;; esac
CACHE=$HOME/.ansible/test/cache      # where ansible-test looks, whatever ANSIBLE_HOME says

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

step "pip for ansible-test" stand_in
export_tree
cd "$TREE"
git init -q . && git add -A          # ansible-test lists files through git
run "ansible-test sanity (core $CORE)" ansible-test sanity --venv --python "$PYTHON_VERSION" --color no "$@"
