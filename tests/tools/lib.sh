# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# Shared functions of the scripts in this directory: paths, progress lines, stamps.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=$ROOT/build
VENV=$BUILD/venv
PREFIX=selfhost-langgraph            # the prefix of all containers, volumes, networks and images of the project
LABEL=selfhost.langgraph=1           # ... and every container, volume and network has this label
export PATH=$VENV/bin:$PATH
export DOCKER_BUILDKIT=0             # Debian 12's engine is complete without buildx
export LANGGRAPH_CLI_NO_ANALYTICS=1
export PIP_DISABLE_PIP_VERSION_CHECK=1
export SELFHOST_T0=${SELFHOST_T0:-$(date +%s)}   # one clock for a whole `make`
mkdir -p "$BUILD/stamps" "$BUILD/log" "$BUILD/images"

say() { printf '[%4ds] %s\n' $(($(date +%s) - SELFHOST_T0)) "$*"; }
die() { say "FAILED: $*" >&2; exit 1; }
answers() { docker version >/dev/null 2>&1; }

# step TITLE COMMAND...: run with the output in a log file, a line when it starts and one when it ends,
# a progress line every 15 s, and the end of the log if it fails.
step() {
  local title=$1 log start=$SECONDS rc=0 pid ticker
  shift
  log=$BUILD/log/$(tr -cs 'a-zA-Z0-9\n' '-' <<<"$title").log
  say "$title ..."
  "$@" >"$log" 2>&1 </dev/null &
  pid=$!
  (while sleep 15; do say "$title: still running: $(tail -n 1 "$log" | cut -c -100)"; done) &
  ticker=$!
  wait "$pid" || rc=$?
  { kill "$ticker" && wait "$ticker"; } 2>/dev/null || true
  [ "$rc" = 0 ] || { tail -n 30 "$log" >&2; die "$title (exit $rc, whole log: ${log#"$ROOT"/})"; }
  say "$title: $((SECONDS - start)) s"
}

# make_once NAME HASH CHECK TITLE COMMAND...: run a step unless its result exists and was made from the same inputs.
# Of two concurrent runs, the second waits and finds the work done.
make_once() {
  (
    flock 9
    [ "$(cat "$BUILD/stamps/$1" 2>/dev/null)" = "$2" ] && $3 && exit
    step "${@:4}"
    echo "$2" >"$BUILD/stamps/$1"
  ) 9>"$BUILD/stamps/$1.lock"
}

# hash_of WORD...: one hash of files, of all files in directories, and of other words.
hash_of() {
  local item
  for item in "$@"; do
    if [ -e "$item" ]; then find "$item" -type f ! -name '*.pyc' -print0 | sort -z | xargs -0r sha256sum; else echo "$item"; fi
  done | sha256sum | cut -c -16
}
