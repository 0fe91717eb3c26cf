#!/usr/bin/env bash
# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Build the documentation site in build/docs/html: the pages, the variables, and antsibull-docs' reference. Warnings are errors.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
DOCS=$BUILD/docs
SOURCE=$DOCS/source

tools() { # the theme and the parser; a recreated venv lacks them
  local hash
  hash=$(hash_of requirements/docs.txt requirements/constraints.txt)
  python -c 'import furo, myst_parser' 2>/dev/null && fresh docs "$hash" && return
  step "documentation tools" \
    pip install -q -r "$ROOT/requirements/docs.txt" -c "$ROOT/requirements/constraints.txt"
  stamp docs "$hash"
}

sources() {
  rm -rf "$DOCS" && mkdir -p "$SOURCE/reference"
  cp -r "$ROOT"/docs/*.md "$ROOT/docs/images" "$SOURCE"
  antsibull-docs collection --use-current --squash-hierarchy --fail-on-error \
    --dest-dir "$SOURCE/reference" selfhost.langgraph
  python "$ROOT/tests/tools/docs_pages.py" "$SOURCE"
}

cd "$ROOT"
tools
step "documentation sources" sources
step "documentation site" \
  sphinx-build -M html "$SOURCE" "$DOCS" -c "$ROOT/docs" -W --keep-going --fresh-env --jobs auto
say "open build/docs/html/index.html"
