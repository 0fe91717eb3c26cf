#!/usr/bin/env bash
# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Run all static checks, each if its files exist; the exit code reports whether one failed.
set -uo pipefail
. "$(dirname "$0")/lib.sh"
passed=0 failed=()

check() { # title command...
  if run "$@"; then passed=$((passed + 1)); else failed+=("$1"); fi
}
exists() { compgen -G "$TREE/$1" >/dev/null; }
in_root() { (cd "$BUILD/tree" && "$@"); }

# Build the release notes of the next release from the fragments, unless this version is already released.
rehearse() {
  local version
  version=$(sed -n 's/^version: //p' galaxy.yml)
  grep -q "^  $version:$" changelogs/changelog.yaml || antsibull-changelog release --version "$version" || return
  grep -qF "v${version//./\\.}" CHANGELOG.md
}

export_tree
cd "$TREE" || die "no tree"
check "ruff" ruff check --quiet .
check "ruff format" ruff format --check --quiet .
check "yamllint" yamllint --strict .
# shellcheck disable=SC2030
exists 'roles/*/tasks/main.yml' && check "ansible-lint" \
  env ANSIBLE_COLLECTIONS_PATH="$BUILD/tree:$ANSIBLE_COLLECTIONS_PATH" ansible-lint --offline --profile production -q
check "mypy" in_root \
  mypy --config-file "$TREE/pyproject.toml" --cache-dir "$BUILD/.mypy_cache" ansible_collections/selfhost/langgraph/plugins
exists 'plugins/modules/*.py' && check "antsibull-docs" \
  antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs self .
check "antsibull-changelog" antsibull-changelog lint
check "changelog fragments" "$ROOT/tests/tools/changelog.sh"
check "rehearsal of the release notes" rehearse   # last, as it changes the tree
mkdir -p "$BUILD/results"
echo "$passed passed, ${#failed[@]} failed" >"$BUILD/results/lint"
printf '%s\n' "${failed[@]}" >"$BUILD/results/lint-failed"
[ ${#failed[@]} = 0 ]
