# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A long task prints its progress; a short one prints nothing."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from ansible_collections.selfhost.langgraph.plugins.plugin_utils._progress import listed, progress


def test_a_long_task_prints_its_progress() -> None:
    said: list[str] = []
    with progress("web-1: rolling out bot", "a revision has 300 s", 0.02, SimpleNamespace(display=said.append)):
        time.sleep(0.1)
    assert 1 <= len(said) <= 5
    assert set(said) == {"  web-1: rolling out bot: 0 s elapsed (a revision has 300 s)"}


def test_a_short_task_prints_nothing_and_a_failure_stops_it() -> None:
    said: list[str] = []
    with pytest.raises(ValueError, match="broken"), progress("bot", display=SimpleNamespace(display=said.append)):
        raise ValueError("broken")
    assert said == []


@pytest.mark.parametrize(
    ("count", "text"), [(0, ""), (1, "a"), (3, "a, b, c"), (4, "a, b, c and 1 more"), (6, "a, b, c and 3 more")]
)
def test_many_names_are_shortened(count: int, text: str) -> None:
    assert listed(list("abcdef")[:count]) == text
