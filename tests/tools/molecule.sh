#!/usr/bin/env bash
# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Molecule's scenarios, one after the other on the same hosts. A failed scenario does not stop the others.
# usage: molecule.sh [SCENARIO...]   all of them by default; of the scenarios role_*, those of the gate, each on one release
set -uo pipefail
. "$(dirname "$0")/lib.sh"
cd "$ROOT" || exit
if [ $# = 0 ]; then
  set -- molecule/*/molecule.yml
  set -- "${@#molecule/}"
  set -- "${@%/molecule.yml}"
  export SELFHOST_LANGGRAPH_ROLE_HOSTS=${SELFHOST_LANGGRAPH_EVERYWHERE:+all}
  : "${SELFHOST_LANGGRAPH_ROLE_HOSTS:=gate}"
fi
role_hosts=(selfhost-langgraph-role-bookworm selfhost-langgraph-role-trixie)
hosts=(selfhost-langgraph-bookworm selfhost-langgraph-trixie "${role_hosts[@]}")
previous=
# Hosts that a killed run left would be taken for fresh ones.
rm -f "$BUILD"/log/molecule-*
"$ROOT/tests/tools/host.sh" down "${hosts[@]}"
failed=()
for scenario in "$@"; do
  if [ "${SELFHOST_LANGGRAPH_ROLE_HOSTS:-}" = gate ] && [[ $scenario = role_* ]] \
    && ! grep -q 'gate:' "molecule/$scenario/inventory/hosts.yml"; then continue; fi
  # The last scenario measures times: the services of other hosts must not run meanwhile.
  if [[ $previous = role_* && $scenario != role_* ]]; then "$ROOT/tests/tools/host.sh" down "${role_hosts[@]}"; fi
  previous=$scenario
  # The scenarios share Molecule's state, and what one of them has prepared would count for the next one too.
  rm -rf "$BUILD"/ansible/tmp/molecule.*
  molecule test --no-command-borders --destroy never --scenario-name "$scenario" </dev/null \
    | tee "$BUILD/log/molecule-$scenario.log" || failed+=("$scenario")
done
if [ "${#failed[@]}" = 0 ]; then exec "$ROOT/tests/tools/host.sh" down "${hosts[@]}"; fi
# The failure of a playbook is in no test report; the first failure is the relevant one.
for scenario in "${failed[@]}"; do
  echo "scenario $scenario:"
  sed 's/\x1b\[[0-9;]*m//g' "$BUILD/log/molecule-$scenario.log" | grep -m 2 -A 12 -E 'fatal: |\[ERROR\]'
done >"$BUILD/log/molecule-failed"
"$ROOT/tests/tools/host.sh" down "${hosts[@]}"
die "Molecule: ${failed[*]}"
