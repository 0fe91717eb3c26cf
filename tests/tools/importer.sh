#!/usr/bin/env bash
# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
# External checks of the collection: galaxy-importer for its tarball, offline; ansible-builder for an execution environment
# with it; REUSE for its licences.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
IMPORTER=$BUILD/importer

# As Galaxy is not reachable, the importer's ansible-lint finds other collections only next to Python's packages, and also
# the playbooks of this one, because the importer names its directory in a form that ansible-lint does not search.
lend_collections() {
  local packages directory
  packages=$("$IMPORTER/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/ansible_collections
  mkdir -p "$packages/selfhost"
  for directory in "$ANSIBLE_COLLECTIONS_PATH"/ansible_collections/*; do
    [ "${directory##*/}" = selfhost ] || ln -sfn "$directory" "$packages/${directory##*/}"
  done
  ln -sfn "$TREE" "$packages/selfhost/langgraph"
}

# A warning is a failure here, which the exit code does not show.
import() {
  local said
  cd "$BUILD/dist"
  said=$(env --unset=ANSIBLE_COLLECTIONS_PATH PATH="$IMPORTER/bin:/usr/local/bin:/usr/bin:/bin" \
    GALAXY_IMPORTER_CHECK_REQUIRED_TAGS=true GALAXY_IMPORTER_ANSIBLE_LOCAL_TMP="$IMPORTER/tmp" \
    python -m galaxy_importer.main "$TARBALL" 2>&1) || { printf '%s\n' "$said"; return 1; }
  printf '%s\n' "$said"
  ! grep -E '^(WARNING|ERROR|CRITICAL)|Traceback' <<<"$said"
}

environment() {
  local found
  "$IMPORTER/bin/python" - "$TREE/meta/execution-environment.yml" <<'PY'
import sys

import yaml
from ansible_builder.ee_schema import validate_schema

validate_schema(yaml.safe_load(open(sys.argv[1])))
PY
  found=$("$IMPORTER/bin/ansible-builder" introspect "$BUILD/tree" 2>&1)
  printf '%s\n' "$found"
  grep -q "^- 'docker>=" <<<"$found" && grep -q "^- 'libpq5 " <<<"$found"
}

cd "$ROOT"
own_venv importer requirements/importer.txt
build_tarball
lend_collections
step "galaxy-importer" import
step "ansible-builder" environment
step "reuse" "$IMPORTER/bin/reuse" --root "$TREE" lint
