# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Failures as data and as lines."""

from __future__ import annotations

import types
import typing as t

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout import failures
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.failures import collect_failure, summarize
from ansible_collections.selfhost.langgraph.plugins.module_utils._server.health import Answer


def state(**fields: t.Any) -> t.Any:
    """Return the state of a unit."""
    return types.SimpleNamespace(**fields)


def failure(**changes: t.Any) -> dict[str, t.Any]:
    return {"name": "bot", "revision": 3, "code": "exit", "cause": "it exited", "line": "boom", "log": [], **changes}


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "deployment 'bot' is not healthy: it exited; it logged: boom"),
        ({"line": ""}, "deployment 'bot' is not healthy: it exited; it logged nothing"),
        (
            {"serving": 2},
            "revision 3 of deployment 'bot' is not healthy: it exited; it logged: boom; revision 2 continues to serve",
        ),
        ({"serving": None}, "deployment 'bot' is not healthy: it exited; it logged: boom"),
        *(
            ({"code": code, "line": ""}, "deployment 'bot': it exited")
            for code in ("proxy", "rollout", "lost_runs", "drain")
        ),
        ({"code": "proxy", "serving": 2}, "revision 3 of deployment 'bot': it exited; revision 2 continues to serve"),
    ],
)
def test_one_line_for_each(changes: dict[str, t.Any], line: str) -> None:
    assert summarize([failure(**changes)]) == line


def test_a_line_per_deployment() -> None:
    assert summarize([failure(), failure(name="other", line="")]).splitlines() == [
        "deployment 'bot' is not healthy: it exited; it logged: boom",
        "deployment 'other' is not healthy: it exited; it logged nothing",
    ]
    assert summarize([]) == ""


def test_a_failure_has_the_end_of_the_log_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[t.Any, ...]] = []
    lines = [f"line {number} s3cr3t-value" for number in range(50)]

    def journal(*arguments: t.Any) -> list[str]:
        asked.append(arguments)
        return lines

    monkeypatch.setattr(failures.systemd, "journal", journal)
    found = collect_failure("bot", 3, state(active="failed", exit_code=3), None, {"KEY": "s3cr3t-value"}, 12.5)
    assert asked == [("langgraph@bot.3.service", 100, 12.5)]
    assert (found["name"], found["revision"]) == ("bot", 3)
    assert len(found["log"]) == 20
    assert found["log"][-1].startswith("line 49 ")
    assert found["log"][0].startswith("line 30 ")
    assert "s3cr3t" not in str(found)
    assert found["cause"]
    assert set(found) == {"name", "revision", "code", "cause", "line", "log"}


def test_the_answer_of_the_server_is_part_of_the_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[t.Any] = []
    likely = failures.log_causes.likely_cause

    def note(*arguments: t.Any) -> t.Any:
        seen.append(arguments[:3])
        return likely(*arguments)

    monkeypatch.setattr(failures.systemd, "journal", lambda *_arguments: [])
    monkeypatch.setattr(failures.log_causes, "likely_cause", note)
    collect_failure("bot", 3, state(active="active", exit_code=0), Answer(503, False), {})
    collect_failure("bot", 3, state(active="failed", exit_code=1), None, {})
    assert seen == [("active", 0, 503), ("failed", 1, None)]
