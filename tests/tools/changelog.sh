#!/usr/bin/env bash
# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Changes that users notice need a fragment: since CHANGED_SINCE (for example the branch that a change goes to), else since the last
# release's tag. Without either, as before the first release or in a shallow clone, there must be fragments or a release.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
NOTICED="plugins roles playbooks" FRAGMENTS=changelogs/fragments
cd "$ROOT"

last_release() { # the newest version of changelog.yaml, if its tag is in this clone
  local version
  version=$(sed -n "s/^  ['\"]\{0,1\}\([0-9][0-9.]*\)['\"]\{0,1\}:$/\1/p" changelogs/changelog.yaml | sort -V | tail -n 1)
  [ -n "$version" ] || return 0
  git rev-parse -q --verify "refs/tags/$version^{commit}" || git rev-parse -q --verify "refs/tags/v$version^{commit}" || true
}

untracked() { git ls-files --others --exclude-standard -- "$@"; }

if [ ! -e .git ]; then say "no clone, no range: nothing to compare"; exit; fi
base=${CHANGED_SINCE:-$(last_release)}
if [ -z "$base" ]; then
  compgen -G "$FRAGMENTS/*.yml" >/dev/null || grep -q '^releases:$' changelogs/changelog.yaml || die "no fragment in $FRAGMENTS"
  exit
fi
base=$(git merge-base "$base" HEAD 2>/dev/null) || { say "the history to '$base' is not in this clone: not compared"; exit; }
# shellcheck disable=SC2086
changed=$(git diff --name-only "$base" -- $NOTICED && untracked $NOTICED)
fragments=$(git diff --name-only --diff-filter=d "$base" -- "$FRAGMENTS" && untracked "$FRAGMENTS")
[ -z "$changed" ] || [ -n "$fragments" ] || die "changed without a fragment in $FRAGMENTS:"$'\n'"$changed"
