# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# Shared functions of the scripts in this directory: paths, progress lines, stamps.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=$ROOT/build
VENV=$BUILD/venv
PREFIX=selfhost-langgraph            # the prefix of all containers, volumes, networks and images of the project
LABEL=selfhost.langgraph=1           # ... and every container, volume and network carries this label
export PATH=$VENV/bin:$PATH
export ANSIBLE_COLLECTIONS_PATH=$BUILD/collections
export ANSIBLE_HOME=$BUILD/ansible   # no files in the user's home
export DOCKER_BUILDKIT=0             # Debian 12's engine is complete without buildx
export LANGGRAPH_CLI_NO_ANALYTICS=1
export PIP_DISABLE_PIP_VERSION_CHECK=1
mkdir -p "$BUILD/stamps" "$BUILD/log"

# One clock for a whole `make`, so that nested scripts continue it.
: "${SELFHOST_T0:=$(date +%s)}"
export SELFHOST_T0

say() { printf '[%4ds] %s\n' $(($(date +%s) - SELFHOST_T0)) "$*"; }
die() { say "FAILED: $*" >&2; exit 1; }

# step TITLE COMMAND...: run with the output in a log file, a line when it starts and one when it ends,
# a progress line every 15 s, and the end of the log if it fails.
step() {
  local title=$1 log start rc=0 pid
  shift
  log=$BUILD/log/$(tr -cs 'a-zA-Z0-9\n' '-' <<<"$title").log
  start=$(date +%s)
  say "$title ..."
  "$@" >"$log" 2>&1 </dev/null &
  pid=$!
  (while sleep 15; do say "$title: still running: $(tail -n 1 "$log" | cut -c -100)"; done) &
  local ticker=$!
  wait "$pid" || rc=$?
  { kill "$ticker" && wait "$ticker"; } 2>/dev/null || true
  if [ "$rc" != 0 ]; then
    tail -n 30 "$log" >&2
    die "$title (exit $rc, whole log: ${log#"$ROOT"/})"
  fi
  say "$title: $(($(date +%s) - start)) s"
}

# run TITLE COMMAND...: like step, with the output on the terminal.
run() {
  local title=$1 start rc=0
  shift
  start=$(date +%s)
  say "$title ..."
  "$@" </dev/null || rc=$?
  [ "$rc" = 0 ] || { say "$title: FAILED (exit $rc) after $(($(date +%s) - start)) s"; return "$rc"; }
  say "$title: $(($(date +%s) - start)) s"
}

# The files in git, in the directory layout that Ansible's own tools require.
TREE=$BUILD/${LANE:-tree}/ansible_collections/selfhost/langgraph
export_tree() {
  exec 9>"$BUILD/${LANE:-tree}.lock"
  flock 9                            # until this script ends: another one must not change it under our feet
  rm -rf "$TREE" && mkdir -p "$TREE"
  # `ls` omits, and reports, files that are deleted and not committed yet.
  (cd "$ROOT" && git ls-files -z --cached --others --exclude-standard | { xargs -0r ls -d 2>/dev/null || true; } \
    | tar -c --verbatim-files-from -T - | tar -x -C "$TREE")
}

# The collection as for Galaxy, in $TARBALL. The build does not read .gitignore, so it uses the export.
build_tarball() {
  local dist=$BUILD/dist
  export_tree
  rm -rf "$dist"
  step "tarball" "$VENV/bin/ansible-galaxy" collection build --output-path "$dist" "$TREE"
  TARBALL=$(echo "$dist"/*.tar.gz)
}

# own_venv NAME REQUIREMENTS [OPTION...]: a virtual environment in build/NAME for packages that conflict with the other tools.
own_venv() {
  local name=$1 hash
  hash=$(hash_of "$2" requirements/constraints.txt)
  if [ -x "$BUILD/$name/bin/python" ] && fresh "$name" "$hash"; then return; fi
  step "virtual environment $name" make_own_venv "$BUILD/$name" "${@:2}"
  stamp "$name" "$hash"
}
make_own_venv() { # directory, requirements, options of pip
  rm -rf "$1"
  "$VENV/bin/python" -m venv "$1"
  "$1/bin/pip" install -q -r "$ROOT/$2" "${@:3}"
}

# Options for `pip download`: wheels for a Python other than the one that runs here.
wheels_for() { # 3.13
  local glibc arch
  arch=$(uname -m)
  printf '%s\n' --only-binary=:all: --python-version "$1" --implementation cp --abi "cp${1/./}" --abi abi3 --abi none
  for glibc in 5 12 17 24 26 27 28 31 34 35 36; do printf '%s\n' --platform "manylinux_2_${glibc}_$arch"; done
}

# A stamp stores the hash of all inputs of a result.
hash_of() { # files, directories or plain words -> one hash
  local item
  for item in "$@"; do
    if [ -e "$item" ]; then
      (cd "$ROOT" && find "${item#"$ROOT"/}" -type f ! -name '*.pyc' -print0 | sort -z | xargs -0r sha256sum)
    else
      echo "$item"
    fi
  done | sha256sum | cut -c -16
}
fresh() { [ "$(cat "$BUILD/stamps/$1" 2>/dev/null)" = "$2" ]; }
stamp() { printf '%s\n' "$2" >"$BUILD/stamps/$1"; }
have_image() { docker image inspect "$1" >/dev/null 2>&1; }
