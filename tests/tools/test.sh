#!/usr/bin/env bash
# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Run all parts of `make test`; continue after a failure and print a summary of all parts at the end.
# usage: test.sh [PART...]   parts: lint unit cli docs smoke importer sanity newest integration torture molecule
set -uo pipefail
. "$(dirname "$0")/lib.sh"
results=$BUILD/results
rm -rf "$results" && mkdir -p "$results"

add() { echo "$1" >>"$results/counts"; } # "N passed, M failed", where some were left out ", K skipped" after it

failed() { add "0 passed, 1 failed"; echo "$1" >>"$results/failed"; } # what has no report of its own

# pytest's own counts, from its XML files; a part that ended without one counts as one failure.
add_junit() { # name of the part, glob, exit code
  local sum
  sum=$(python3 "$ROOT/tests/tools/results.py" counts "$2")
  add "$sum"
  [ "$3" = 0 ] || [[ $sum != *", 0 failed, "* ]] || failed "$1 (exit $3)"
}

# Tests of promises must have been run, even if all others passed.
were_run() { # what of results.py, glob
  local test
  python3 "$ROOT/tests/tools/results.py" "$@" >"$results/$1" || failed "results.py $1"
  while read -r test; do failed "$test (a promise rests on it, and it was not run)"; done <"$results/$1"
}

tool() { # script, arguments: counts as one
  if "$ROOT/tests/tools/$1" "${@:2}"; then add "1 passed, 0 failed"; else failed "$*"; fi
}

ansible_test() { # name of its results, arguments
  local rc=0
  tool ansible_test.sh "${@:2}" sanity
  "$ROOT/tests/tools/ansible_test.sh" "${@:2}" units || rc=$?
  add_junit "units $1" "$results/units-$1-*.xml" "$rc"
}

part() {
  local rc=0
  case $1 in
    lint) "$ROOT/tests/tools/lint.sh" || rc=$?; add "$(cat "$results/lint" 2>/dev/null || echo 0 passed, 1 failed)" ;;
    sanity) ansible_test own ;;
    newest) ansible_test newest newest ;;
    docs | smoke | importer) tool "$1.sh" ;;
    unit) run "unit tests" make --no-print-directory -C "$ROOT" unit || rc=$?; add_junit "$1" "$results/unit.xml" "$rc" ;;
    # The unit tests that ansible-test's environments skip, because langgraph's CLI or git is missing.
    cli)
      run "unit tests with langgraph's CLI" make --no-print-directory -C "$ROOT" unit \
        ARGS="tests/unit/tools tests/unit/plugins/module_utils/_images/test_build.py" || rc=$?
      add_junit "$1" "$results/unit.xml" "$rc" ;;
    integration)
      run "integration tests" make --no-print-directory -C "$ROOT" integration || rc=$?
      add_junit "$1" "$results/integration*.xml" "$rc"
      were_run promised "$results/integration*.xml" ;;
    torture)
      run "torture, two rounds" make --no-print-directory -C "$ROOT" torture && add "1 passed, 0 failed" || failed torture ;;
    molecule)
      run "molecule" make --no-print-directory -C "$ROOT" molecule SCENARIO= || rc=$?
      [ "$rc" = 0 ] || cp "$BUILD/log/molecule-failed" "$results/molecule-failed"
      add_junit "$1" "$results/molecule*.xml" "$rc"
      were_run missing "$results/molecule*.xml" ;;
    *) die "unknown part $1" ;;
  esac
}

# Half of the parts need no hosts: the images are built meanwhile, and parts that need them wait for the lock.
"$ROOT/tests/tools/prepare.sh" &
prepared=$!
"$ROOT/tests/tools/bootstrap.sh" venv collections || exit
parts() {
  local name
  for name in "$@"; do part "$name"; done
}
if [ $# != 0 ]; then
  parts "$@"
else
  # Two parallel lanes, as most of these tools use one core; each has its own export of the tree.
  # ansible-test runs the unit tests, on the oldest and the newest ansible-core.
  (export LANE=tree-2 && parts newest integration torture) &
  lane=$!
  parts lint cli docs smoke importer sanity
  wait "$lane" || failed "the lane of newest, integration and torture"
  parts molecule
fi
wait "$prepared" || failed "images of the test hosts"
say "all parts done"
{
  cat "$results"/{,lint-,molecule-}failed 2>/dev/null | sed -n 's/^./failed: &/p'
  python3 "$ROOT/tests/tools/results.py" failures "$results/*.xml"
} | tee "$results/failures"
say "$(python3 "$ROOT/tests/tools/results.py" skipped "$results/molecule*.xml")"
awk '{passed += $1; failed += $3; skipped += $5}
  END {print passed + 0 " passed, " failed + 0 " failed, " skipped + 0 " skipped"; exit !passed || failed}' "$results/counts" \
  | tee "$results/sum"
exit "${PIPESTATUS[0]}"
