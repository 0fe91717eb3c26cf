# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""health: what is asked where, and why something did not answer."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._server import health
from ansible_collections.selfhost.langgraph.plugins.module_utils._server.health import Answer, Target
from ansible_collections.selfhost.langgraph.plugins.modules.health import examine, explain_all
from ansible_collections.selfhost.langgraph.tests.unit.plugins.module_utils._rollout.fake_host import SECRET, Host, bot

TARGETS = {"bot": Target("https://127.0.0.1:443/bot", "bot.example.com"), "two": Target("http://127.0.0.1:8124")}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[dict[str, Target], float]]:
    """What is asked for how long. All are healthy; the database of two is not."""
    asked: list[tuple[dict[str, Target], float]] = []

    def wait_for(targets: dict[str, Target], timeout: float) -> dict[str, Answer]:
        asked.append((targets, timeout))
        return {
            name: Answer(500, False) if "check_db" in target.url and name == "two" else Answer(200, True)
            for name, target in targets.items()
        }

    monkeypatch.setattr(health, "wait_for", wait_for)
    return asked


def test_the_database_is_asked_for_once_the_server_answers(asked: list[t.Any]) -> None:
    assert examine(TARGETS, 60, True) == {"bot": Answer(200, True), "two": Answer(500, False)}
    assert asked == [
        (
            {
                "bot": Target("https://127.0.0.1:443/bot/ok", "bot.example.com"),
                "two": Target("http://127.0.0.1:8124/ok"),
            },
            60,
        ),
        (
            {
                "bot": Target("https://127.0.0.1:443/bot/ok?check_db=1", "bot.example.com"),
                "two": Target("http://127.0.0.1:8124/ok?check_db=1"),
            },
            0,
        ),
    ]


def test_without_the_database(asked: list[t.Any]) -> None:
    assert examine(TARGETS, 5, False) == dict.fromkeys(TARGETS, Answer(200, True))
    assert len(asked) == 1


def test_what_does_not_answer_is_not_asked_for_its_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        health, "wait_for", lambda targets, _timeout: {name: Answer(None, name == "two") for name in targets}
    )
    assert examine(TARGETS, 0, True) == {"bot": Answer(None, False), "two": Answer(None, True)}


@pytest.fixture
def host(host: Host) -> Host:
    """A host whose revision 2 serves."""
    host.converge(bot())
    host.converge(bot(image="bot:2"))
    host.journal = [f"it died of {SECRET}"]
    return host


def test_why_is_told_of_the_revision_that_serves(host: Host) -> None:
    host.unit(2).active = "failed"
    (failure,) = explain_all({"bot": Answer(None, False)}, str(host.folder))
    assert (failure["name"], failure["revision"], failure["code"]) == ("bot", 2, "exited")
    assert failure["line"] == "it died of ********"
    assert SECRET not in str(failure)


def test_why_is_told_where_nothing_serves(host: Host) -> None:
    (failure,) = explain_all({"other": Answer(None, False)}, str(host.folder))
    assert (failure["name"], failure["revision"]) == ("other", 0)
