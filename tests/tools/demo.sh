#!/usr/bin/env bash
# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
# The demo: a bare host, the example's play, one real run through each server's API.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
TOOLS=$ROOT/tests/tools EXAMPLE=$ROOT/examples/demo HOST=$PREFIX-demo
INVENTORY=$BUILD/demo/hosts.yml

play() {
  cd "$EXAMPLE"
  ansible-playbook -i inventory -i "$INVENTORY" site.yml
}

# The deployments listen on the host's loopback only, so the client runs in the host's network, like a client on that machine.
use() {
  local deployments
  deployments=$(cd "$EXAMPLE" && ansible-inventory -i inventory -i "$INVENTORY" --playbook-dir . --host server)
  nsenter --net --target "$(docker inspect --format '{{.State.Pid}}' "$HOST")" -- \
    "$VENV/bin/python" "$TOOLS/demo_run.py" <<<"$deployments"
}

"$TOOLS/prepare.sh" bookworm
"$TOOLS/host.sh" up "$HOST" bookworm
mkdir -p "$BUILD/demo"
{
  "$TOOLS/host.sh" inventory "server=$HOST"
  # A user has it in the vault.
  echo "      langgraph_secret_key: \"{{ lookup('ansible.builtin.password', '$BUILD/demo/secret_key', length=64) }}\""
} >"$INVENTORY"
run "ansible-playbook site.yml" play
say "one run through each server's API"
use
say "done. Try: docker exec $HOST curl -s http://127.0.0.1:8123/ok (or bash in it); remove everything: make demo-down"
