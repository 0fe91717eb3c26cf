#!/usr/bin/env bash
# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Install the tarball like a user: offline, into an environment with ansible-core and its dependencies, then check
# everything that needs no host.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
SMOKE=$BUILD/smoke NAME=selfhost.langgraph
INSTALLED=$SMOKE/collections/ansible_collections

# Only the direct and indirect dependencies in galaxy.yml: the rest of build/collections is for tests.
dependencies() {
  python - "$ANSIBLE_COLLECTIONS_PATH/ansible_collections" <<'PY'
import json
import pathlib
import sys

import yaml

directory = pathlib.Path(sys.argv[1])
wanted, found = list(yaml.safe_load(pathlib.Path("galaxy.yml").read_text())["dependencies"]), set()
while wanted:
    name = wanted.pop().replace(".", "/")
    if name not in found:
        found.add(name)
        wanted += json.loads((directory / name / "MANIFEST.json").read_text())["collection_info"]["dependencies"]
print("\n".join(sorted(found)))
PY
}

# In a separate environment, without access to the repository, its settings or its tools.
clean() {
  (cd "$SMOKE/empty" && env -i PATH="$SMOKE/bin:/usr/bin:/bin" HOME="$SMOKE/home" LC_ALL=C.UTF-8 ANSIBLE_HOME="$SMOKE/home" \
    ANSIBLE_COLLECTIONS_PATH="$SMOKE/collections" ANSIBLE_LOCALHOST_WARNING=false "$@")
}

install() {
  local name
  rm -rf "$SMOKE"/{collections,home,empty}
  mkdir -p "$INSTALLED" "$SMOKE/home" "$SMOKE/empty"
  for name in $(dependencies); do
    mkdir -p "$INSTALLED/${name%/*}"
    cp -r "$ANSIBLE_COLLECTIONS_PATH/ansible_collections/$name" "$INSTALLED/$name"
  done
  clean ansible-galaxy collection install --offline -p "$SMOKE/collections" "$TARBALL"
  clean ansible-galaxy collection verify --offline "$NAME"
}

# Each file's documentation, by its public name.
documentation() { # type, directory, extension
  local type=$1 names
  mapfile -t names < <(names "${@:2}")
  set -- "${names[@]}"
  clean ansible-doc --type "$type" --json "${@/#/$NAME.}" >"$SMOKE/home/doc.json"
  [ "$(python -c 'import json, sys; print(len(json.load(open(sys.argv[1]))))' "$SMOKE/home/doc.json")" = $# ]
  clean ansible-doc --type "$type" "${@/#/$NAME.}" >/dev/null
}
# The names of the files in a directory of the tree, without their extension.
names() { # directory, extension
  local path
  for path in "$TREE/$1"/[a-z]*"${2:-}"; do basename "$path" "${2:-}"; done
}

playbooks() {
  local name
  for name in $(names playbooks .yml); do
    clean ansible-playbook --inventory localhost, --syntax-check "$NAME.$name"
  done
}

# A common first error of users: an invalid list, refused by name; through the role too, which needs all of its files.
refusal() {
  local variables='{"langgraph_secret_key": "0123456789abcdef0123456789abcdef", "ansible_connection": "local",
    "langgraph_deployments": [{"name": "Support Bot", "image": "bot:1", "port": 70000}]}'
  cat >"$SMOKE/empty/check.yml" <<YAML
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.import_role: {name: $NAME.langgraph, tasks_from: check.yml}
YAML
  if clean ansible-playbook check.yml --extra-vars "$variables" >"$SMOKE/home/refusal" 2>&1; then return 1; fi
  cat "$SMOKE/home/refusal"
  grep -F "deployment 'Support Bot', option 'name':" "$SMOKE/home/refusal"
  grep -F "deployment 'Support Bot', option 'port':" "$SMOKE/home/refusal"
}

cd "$ROOT"
grep '^ansible-core==' requirements/tools.txt >"$BUILD/smoke.txt"
own_venv smoke build/smoke.txt -c requirements/constraints.txt
build_tarball
step "installation from the tarball" install
step "documentation of modules" documentation module plugins/modules .py
step "documentation of filters" documentation filter plugins/filter .py
step "documentation of roles" documentation role roles
step "syntax of playbooks" playbooks
step "refusal of a bad list" refusal
