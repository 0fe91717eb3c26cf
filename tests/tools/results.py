# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What pytest's XML files say: `results.py counts GLOB`, "N passed, M failed"; `results.py failures GLOB`, a paragraph each.

A gate is read from its end, and often no more of it is kept: what failed has to stand there, not in the middle.
"""

from __future__ import annotations

import glob
import sys
import typing as t
import xml.etree.ElementTree as ET
from pathlib import Path

SHOWN = 20  # failures; more have one cause, or none that a list would tell
LINES = 12  # of each: the end, where pytest puts the assertion


def reports(pattern: str) -> t.Iterator[tuple[str, ET.Element]]:
    """(name of the file, root) of each report; one that a killed process left half-written is a report without tests."""
    for file in sorted(glob.glob(pattern)):
        try:
            yield Path(file).stem, ET.parse(file).getroot()
        except ET.ParseError as error:
            print(f"{file} is not complete: {error}", file=sys.stderr)


def counts(pattern: str) -> str:
    """How many tests passed and failed, an error being a failure; what was left out is neither."""
    suites = [suite for _name, root in reports(pattern) for suite in root.iter("testsuite")]
    total, bad, skipped = (
        sum(int(suite.get(key, 0)) for suite in suites for key in keys)
        for keys in (("tests",), ("failures", "errors"), ("skipped",))
    )
    return f"{total - bad - skipped} passed, {bad} failed"


def failures(pattern: str) -> list[str]:
    """Report, test and the last lines of why, for each that failed."""
    found = []
    for name, root in reports(pattern):
        for case in root.iter("testcase"):
            for why in [*case.iter("failure"), *case.iter("error")]:
                lines = [line for line in (why.text or why.get("message", "")).splitlines() if line.strip()]
                marked = [line for line in lines if line.startswith("E ")]
                told = "\n".join(f"    {line[:300]}" for line in (marked or lines)[-LINES:])
                found.append(f"{name}: {case.get('classname')}::{case.get('name')}\n{told}")
    return found


def main(what: str, pattern: str) -> None:
    """Print one of the two."""
    if what == "counts":
        print(counts(pattern))
        return
    found = failures(pattern)
    for paragraph in found[:SHOWN]:
        print(paragraph)
    if len(found) > SHOWN:
        print(f"and {len(found) - SHOWN} more")


if __name__ == "__main__":
    main(*sys.argv[1:])
