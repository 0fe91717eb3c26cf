# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a scenario skips non-essential tests, so that the last scenario can still use the rest of the gate's time."""

from __future__ import annotations

import importlib.util
import re
import time
import typing as t
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).parents[3]
DEADLINE, LEAVES = "SELFHOST_LANGGRAPH_DEADLINE", "SELFHOST_LANGGRAPH_LEAVES"


@pytest.fixture(scope="module")
def playbooks() -> t.Any:
    spec = importlib.util.spec_from_file_location("_tested_playbooks", PROJECT / "molecule/playbooks.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("deadline", "leaves", "late"),
    [
        (None, None, False),
        (None, "600", False),
        (60, None, False),
        (60, "0", False),
        (60, "90", True),
        (-60, "0", True),
    ],
)
def test_late(
    playbooks: t.Any, monkeypatch: pytest.MonkeyPatch, deadline: int | None, leaves: str | None, late: bool
) -> None:
    """In seconds from now; a single scenario without a deadline is never late."""
    for name, value in ((DEADLINE, deadline and str(time.time() + deadline)), (LEAVES, leaves)):
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    assert playbooks.late() is late


def test_each_scenario_leaves_more_time_than_the_next_and_the_last_none() -> None:
    """Molecule runs them by name, each with its own environment; the remaining time is for all that follow."""
    left = []
    for path in sorted(PROJECT.glob("molecule/*/molecule.yml")):
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
        left.append(int(settings["ansible"]["env"][LEAVES]))
    assert left == sorted(left, reverse=True)
    assert left[-1] == 0
    deadline = re.search(rf"{DEADLINE}=.*\+ (\d+) \* 60", (PROJECT / ".ci/run").read_text(encoding="utf-8"))
    assert deadline
    # 20 minutes are for the parts before Molecule, and on a fast machine for the excess of the first scenario.
    assert left[0] <= (int(deadline[1]) - 20) * 60
