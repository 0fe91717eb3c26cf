# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print results from pytest's XML files: `results.py WHAT GLOB`.

counts    one line, "N passed, M failed, K skipped"; skipped are only those that a late gate has left out
skipped   a line with the tests that were not run: for lack of time, because another release runs them, other reasons
failures  a paragraph for each failed test
missing   a line for each essential Molecule test that neither passed nor failed in any report
promised  the same for each integration test that tests/promises.yml names

A gate is read from its end, and often only the end is kept: failures must be there, not in the middle.
"""

from __future__ import annotations

import collections
import glob
import re
import sys
import typing as t
import xml.etree.ElementTree as ET
from pathlib import Path

import yaml
from essential import PROJECT, essential

SHOWN = 20  # failures; more of them usually have one cause
LINES = 12  # per failure: the end, where pytest prints the assertion
# The name of a reason in the summary, and a pattern for the reasons that tests, or molecule/conftest.py, give.
LATE, OTHER = "left out for lack of time", "skipped for other reasons"
REASONS = {
    LATE: re.compile(r"^left out, the gate is late"),
    "run by another release alone": re.compile(r"^\w+ runs it$"),
}


def reports(pattern: str) -> t.Iterator[tuple[str, ET.Element]]:
    """Yield (name of the file, root) of each report; skip incomplete reports of killed processes."""
    for file in sorted(glob.glob(pattern)):
        try:
            yield Path(file).stem, ET.parse(file).getroot()
        except ET.ParseError as error:
            print(f"{file} is not complete: {error}", file=sys.stderr)


def reasons(pattern: str) -> collections.Counter[str]:
    """Return the number of skipped tests by reason."""
    found: collections.Counter[str] = collections.Counter()
    for _name, root in reports(pattern):
        for skipped in root.iter("skipped"):
            message = skipped.get("message", "")
            found[next((reason for reason, text in REASONS.items() if text.search(message)), OTHER)] += 1
    return found


def counts(pattern: str) -> str:
    """Return the numbers of passed and failed tests (including errors), and of those that a late gate has left out."""
    suites = [suite for _name, root in reports(pattern) for suite in root.iter("testsuite")]
    total, bad, skipped = (
        sum(int(suite.get(key, 0)) for suite in suites for key in keys)
        for keys in (("tests",), ("failures", "errors"), ("skipped",))
    )
    return f"{total - bad - skipped} passed, {bad} failed, {reasons(pattern)[LATE]} skipped"


def skipped(pattern: str) -> str:
    """Return the numbers of skipped tests with their reasons, in one line."""
    found = reasons(pattern)
    return "tests " + ", ".join(f"{reason}: {found[reason]}" for reason in (*REASONS, OTHER))


def failures(pattern: str) -> list[str]:
    """Return report, test and the last lines of the reason for each failure."""
    found = []
    for name, root in reports(pattern):
        for case in root.iter("testcase"):
            for why in [*case.iter("failure"), *case.iter("error")]:
                lines = [line for line in (why.text or why.get("message", "")).splitlines() if line.strip()]
                marked = [line for line in lines if line.startswith("E ")]
                reason = "\n".join(f"    {line[:300]}" for line in (marked or lines)[-LINES:])
                found.append(f"{name}: {case.get('classname')}::{case.get('name')}\n{reason}")
    return found


def missing(pattern: str, wanted: t.Sequence[str]) -> list[str]:
    """Return the wanted tests, as FILE::FUNCTION, that neither passed nor failed in any report.

    A parametrized test counts if one of its parameters ran, as the essential parameter is the first.
    """
    ran = set()
    for _name, root in reports(pattern):
        for case in root.iter("testcase"):
            if case.find("skipped") is None:
                name = re.sub(r"\[.*", "", case.get("name", ""), flags=re.DOTALL)
                ran.add(f"{case.get('classname', '').replace('.', '/')}.py::{name}")
    return [test for test in wanted if test not in ran]


def promised(project: Path = PROJECT) -> list[str]:
    """Return FILE::FUNCTION of each integration test that verifies a promise."""
    pages = yaml.safe_load((project / "tests/promises.yml").read_text(encoding="utf-8"))
    named = {test for entries in pages.values() for entry in entries for test in entry.get("held_by", ())}
    return sorted(test for test in named if test.startswith("tests/integration/"))


def shown_failures(pattern: str) -> list[str]:
    """Return the first failures, and how many there are more."""
    found = failures(pattern)
    return found[:SHOWN] + ([f"and {len(found) - SHOWN} more"] if len(found) > SHOWN else [])


def main(what: str, pattern: str) -> None:
    """Print one of the five results."""
    one = {"counts": counts, "skipped": skipped}
    wanted = {"missing": essential, "promised": promised}
    if what in one:
        print(one[what](pattern))
    else:
        for line in shown_failures(pattern) if what == "failures" else missing(pattern, wanted[what]()):
            print(line)


if __name__ == "__main__":
    main(*sys.argv[1:])
