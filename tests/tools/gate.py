# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run all parts of `make test`; continue after a failure, and print the failures and the sum of all parts at the end.

usage: gate.py [PART...]   parts: lint unit cli docs smoke importer sanity newest integration torture molecule

Each part is a session of noxfile.py. build/results has the reports, one line per result (`counts`), and the last line (`sum`).
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import results
from project import RESULTS, ROOT, say

# Parts that are not one session of the same name.
PARTS = {
    "sanity": ("sanity(oldest)", "units(oldest)"),
    "newest": ("sanity(newest)", "units(newest)"),
}
# Two parallel lanes, as most of these tests use one core; Molecule follows. The unit tests are run by sanity and newest.
LANES = (("newest", "integration", "torture"), ("lint", "cli", "docs", "smoke", "importer", "sanity"))
LAST = ("molecule",)
# Half of the parts need no hosts: the images are built meanwhile, and parts that need one wait for it.
IMAGES = ("host:trixie", "host:bookworm", "agent")
# pytest's reports of a session; another session counts as one test.
REPORTS = {
    "unit": "unit.xml",
    "cli": "cli.xml",
    "units(oldest)": "units-oldest-*.xml",
    "units(newest)": "units-newest-*.xml",
    "integration": "integration-*.xml",
    "molecule": "molecule-*.xml",
}
# Tests of promises must have been run, even if all others passed.
MUST_RUN = {"integration": results.promised, "molecule": results.essential}


class Outcome(t.NamedTuple):
    """The result of a session: an empty failure if it succeeded."""

    session: str
    failure: str


def sessions_of(parts: t.Iterable[str]) -> list[str]:
    """Return the sessions of parts."""
    return [session for part in parts for session in PARTS.get(part, (part,))]


def start(parts: t.Iterable[str], report: Path) -> subprocess.Popen[bytes]:
    """Start the sessions of parts, one after the other."""
    command = [sys.executable, "-m", "nox", "--report", str(report), "--session", *sessions_of(parts)]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL)


def outcomes(parts: t.Iterable[str], report: Path) -> list[Outcome]:
    """Return the result of each session from nox's report; the checks of `lint` are sessions of their own."""
    try:
        entries = json.loads(report.read_text(encoding="utf-8"))["sessions"]
    except (OSError, ValueError):
        entries = []
    found = {(entry["signatures"] or [entry["name"]])[0]: entry for entry in entries}
    missing = [Outcome(session, "no result") for session in sessions_of(parts) if session not in found]
    found.pop("lint", None)
    return missing + [Outcome(name, _failure(entry)) for name, entry in found.items()]


def _failure(entry: t.Mapping[str, t.Any]) -> str:
    return "" if entry["result"] == "success" else entry.get("reason") or entry["result"]


def count(outcome: Outcome, directory: Path) -> tuple[list[str], list[str]]:
    """Return "N passed, M failed, K skipped" lines of a session, and a line for each failure that no report of pytest has."""
    session, failure = outcome
    failed = f"{session}: {failure}"
    if session not in REPORTS:
        return ([LOST], [failed]) if failure else (["1 passed, 0 failed, 0 skipped"], [])
    pattern = f"{directory}/{REPORTS[session]}"
    lines, failures = [results.counts(pattern)], []
    if failure and ", 0 failed, " in lines[0]:
        failures.append(failed)
    for test in results.missing(pattern, MUST_RUN[session]()) if session in MUST_RUN else ():
        failures.append(f"{test} (a promise rests on it, and it was not run)")
    return lines + [LOST] * len(failures), failures


LOST = "0 passed, 1 failed, 0 skipped"


def total(lines: t.Iterable[str]) -> tuple[int, int, int]:
    """Return the sums of passed, failed and skipped."""
    numbers = [[int(number) for number in re.findall(r"\d+", line)] for line in lines]
    passed, failed, skipped = (sum(column) for column in zip(*numbers)) if numbers else (0, 0, 0)
    return passed, failed, skipped


def run(parts: t.Sequence[str]) -> list[Outcome]:
    """Run the parts, or all of them in two lanes."""
    lanes = [(parts, RESULTS / "nox.json")] if parts else [(lane, RESULTS / f"nox-{lane[0]}.json") for lane in LANES]
    images = None if parts else subprocess.Popen([ROOT / "tests/tools/images.sh", *IMAGES], stdin=subprocess.DEVNULL)
    for process in [start(*lane) for lane in lanes]:
        process.wait()
    if images:
        lanes.append((LAST, RESULTS / "nox-molecule.json"))
        start(*lanes[-1]).wait()
    done = [outcome for lane in lanes for outcome in outcomes(*lane)]
    if images and images.wait():
        done.append(Outcome("images of the test hosts", f"exit {images.returncode}"))
    return done


def main(parts: t.Sequence[str]) -> int:
    """Run the parts; return the exit code."""
    shutil.rmtree(RESULTS, ignore_errors=True)
    RESULTS.mkdir(parents=True)
    counted = [count(outcome, RESULTS) for outcome in run(parts)]
    lines = [line for some, _failures in counted for line in some]
    (RESULTS / "counts").write_text("\n".join(lines) + "\n", encoding="utf-8")
    say("all parts done")
    shown = [f"failed: {failure}" for _lines, failures in counted for failure in failures]
    said = RESULTS / "molecule-failed"
    shown += [said.read_text(encoding="utf-8").rstrip()] if said.exists() else []
    shown += results.shown_failures(f"{RESULTS}/*.xml")
    print("\n".join(shown))
    (RESULTS / "failures").write_text("\n".join((*shown, "")), encoding="utf-8")
    say(results.skipped(f"{RESULTS}/molecule-*.xml"))
    passed, failed, skipped = total(lines)
    last = f"{passed} passed, {failed} failed, {skipped} skipped"
    (RESULTS / "sum").write_text(f"{last}\n", encoding="utf-8")
    print(last)
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
