#!/usr/bin/env bash
# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
# ansible-test, in a copy of the tree (it refuses a symlink) and without the download of pip that it would try.
# usage: ansible_test.sh [newest] sanity|units [OPTION...]
# newest: with the newest ansible-core on Python 3.13, of this machine or of the Debian 13 test image.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

# ansible-test downloads get-pip.py from the internet; the wheel from the package index is equivalent.
stand_in() { # home directory, version of pip
  local cache=$1/.ansible/test/cache script
  script=$cache/get_pip_${2/./_}.py
  [ -s "$script" ] && return
  mkdir -p "$cache"
  "$VENV/bin/pip" download -q --no-deps --dest "$cache" "pip==$2"
  cat >"$script" <<PY
import pathlib, sys
WHEEL = pathlib.Path(__file__).with_name("pip-$2-py3-none-any.whl")
if __name__ == "__main__":
    sys.path.insert(0, str(WHEEL))
    from pip._internal.cli.main import main
    sys.exit(main(["install", "--no-index", "--disable-pip-version-check", str(WHEEL)]))
PY
}

# ansible-test creates its virtual environments in the home directory, regardless of ANSIBLE_HOME: set a home in build/,
# in which pip still finds the user's settings.
prepare_own() {
  local name pip=25.2
  PYTHON_VERSION=$("$VENV/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  [ "$PYTHON_VERSION" != 3.11 ] || pip=24.2   # as ansible-core 2.19 wants it
  HOME_IN_BUILD=$BUILD/home
  mkdir -p "$HOME_IN_BUILD"
  for name in .config .pip .netrc; do
    [ ! -e "$HOME/$name" ] || [ -e "$HOME_IN_BUILD/$name" ] || ln -s "$HOME/$name" "$HOME_IN_BUILD/$name"
  done
  step "pip for ansible-test" stand_in "$HOME_IN_BUILD" "$pip"
}
own() { (cd "$TREE" && HOME=$HOME_IN_BUILD "$@"); }

# All packages for the newest one are downloaded beforehand, with this machine's pip, so it needs no network.
NEWEST=$BUILD/newest
fetch_newest() { # version of ansible-core
  local wheels=$NEWEST/wheels options file
  mapfile -t options < <(wheels_for 3.13)
  options+=(--find-links "$wheels" --dest "$wheels")
  rm -rf "$NEWEST" && mkdir -p "$wheels" "$NEWEST/home/.config/pip"
  printf '[global]\nno-index = true\nfind-links = %s\n' "$wheels" >"$NEWEST/home/.config/pip/pip.conf"
  "$VENV/bin/pip" download -q "${options[@]}" pip==25.2 "$1" -c requirements/constraints.txt
  python -m zipfile -e "$wheels"/ansible_core-*.whl "$NEWEST/core"
  # The pins of its sanity tests conflict with each other: one call per test.
  for file in "$NEWEST"/core/ansible_test/_data/requirements/{ansible,ansible-test,units,sanity.*}.txt tests/unit/requirements.txt; do
    "$VENV/bin/pip" download -q "${options[@]}" -r "$file"
  done
  rm -rf "$NEWEST/core"
  stand_in "$NEWEST/home" 25.2
}
install_newest() { # version of ansible-core
  newest "$PYTHON_NEWEST" -m venv --without-pip "$NEWEST/venv"
  newest "$NEWEST/venv/bin/python" "$NEWEST/wheels/pip-25.2-py3-none-any.whl/pip" install -q "$1"
}
prepare_newest() {
  local core hash
  core=$(sed -n 's/^\(ansible-core==[0-9.]*\); python_version >=.*/\1/p' requirements/tools.txt)
  PYTHON_VERSION=3.13
  # Run it instead of searching for it: version managers have commands for Pythons that are not installed.
  PYTHON_NEWEST=$(python3.13 -c 'import sys; print(sys.executable)' 2>/dev/null) \
    || PYTHON_NEWEST=/usr/bin/python3.13 IMAGE=$PREFIX/rootfs:trixie
  if [ -n "$IMAGE" ]; then
    "$ROOT/tests/tools/bootstrap.sh" engine
    "$ROOT/tests/tools/images.sh" rootfs:trixie
    docker rm --force "$PREFIX-newest" >/dev/null 2>&1 || true   # of a run that was killed
  fi
  mkdir -p "$TREE"
  hash=$(hash_of "$core" "$PYTHON_NEWEST" requirements/constraints.txt tests/unit/requirements.txt tests/tools/ansible_test.sh)
  fresh newest "$hash" && return
  step "wheels for $core on Python 3.13" fetch_newest "$core"
  step "$core on Python 3.13" install_newest "$core"
  stamp newest "$hash"
}
newest() {
  local environment=(env HOME="$NEWEST/home" PATH="$NEWEST/venv/bin:/usr/local/bin:/usr/bin:/bin")
  if [ -z "$IMAGE" ]; then
    (cd "$TREE" && "${environment[@]}" "$@")
  else
    docker run --rm --name "$PREFIX-newest" --label "$LABEL" --network none --sysctl net.ipv6.conf.all.disable_ipv6=0 --user "$(id -u):$(id -g)" \
      --volume "$BUILD:$BUILD" --workdir "$TREE" "$IMAGE" "${environment[@]}" "$@"
  fi
}

# pip's output hides the result: print it again at the end.
ansible_test() { # command, options
  local rc=0 log=$BUILD/log/$WHERE-$1.log
  "$WHERE" ansible-test "$1" --venv --python "$PYTHON_VERSION" --color no "${@:2}" 2>&1 | tee "$log" || rc=$?
  grep '^ERROR: ' "$log" || true
  return "$rc"
}

keep_results() {
  local file
  mkdir -p "$BUILD/results"
  for file in "$TREE"/tests/output/junit/*.xml; do
    [ ! -e "$file" ] || cp "$file" "$BUILD/results/units-$WHERE-${file##*/}"
  done
}

WHERE=own IMAGE=
if [ "${1:-}" = newest ]; then WHERE=newest && shift; fi
[[ ${1:-} =~ ^(sanity|units)$ ]] || die "usage: ansible_test.sh [newest] sanity|units [OPTION...]"
cd "$ROOT"
"prepare_$WHERE"
export_tree
# ansible-test lists the files with git if it is installed; the image has no git, and the export has no other files.
[ -n "$IMAGE" ] || { git -C "$TREE" init -q . && git -C "$TREE" add -A; }
trap keep_results EXIT
step "ansible-test $1, Python $PYTHON_VERSION" ansible_test "$@"
