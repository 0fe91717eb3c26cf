# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The host as a rollout changes it."""

from __future__ import annotations

import datetime
import typing as t

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._haproxy import reload
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.model import Deployment, Revision
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout import state
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.plan import Step
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.state import (
    Options,
    RolloutError,
    RolloutHost,
    unlogged,
)

STEP = Step("bot", "roll", revision=2)


def host() -> RolloutHost:
    return RolloutHost(
        Options("/etc/langgraph"), None, {"bot": Deployment("bot", {"serving": 1}, (Revision(1), Revision(2)))}
    )


def test_a_failure_without_a_log() -> None:
    assert unlogged(STEP, "proxy", "it is full") == {
        "name": "bot",
        "revision": 2,
        "code": "proxy",
        "cause": "it is full",
        "line": "",
        "log": [],
    }


def test_revisions_of_a_step() -> None:
    found = host()
    assert found.revision(STEP) == Revision(2)
    assert found.serving(STEP) == Revision(1)
    assert found.serving(Step("other", "create")) is None
    for step in (Step("bot", "roll", revision=9), Step("bot", "remove")):
        with pytest.raises(RolloutError, match=f"deployment 'bot' has no revision {step.revision}"):
            found.revision(step)


def test_a_replaced_revision_is_there_once() -> None:
    found = host()
    found.replace_revision("bot", Revision(2, active="active"))
    assert sorted(found.deployments["bot"].revisions, key=lambda one: one.number) == [
        Revision(1),
        Revision(2, active="active"),
    ]
    assert found.deployments["bot"].settings == {"serving": 1}


def test_the_hosts_state_is_its_own() -> None:
    given = {"bot": Deployment("bot")}
    found = RolloutHost(Options("/x"), None, given)
    found.deployments["other"] = Deployment("other")
    assert list(given) == ["bot"]
    assert found.drained == {}


def test_times_are_in_utc() -> None:
    read = datetime.datetime.fromisoformat(RolloutHost.now())
    assert read.utcoffset() == datetime.timedelta(0)
    assert read.microsecond == 0
    assert abs((datetime.datetime.now(datetime.timezone.utc) - read).total_seconds()) < 5  # noqa: UP017


@pytest.mark.parametrize(("text", "loaded"), [("frontend x", ["frontend x"]), (None, []), ("", [""])])
def test_the_proxy_is_loaded_if_it_was_ever_needed(
    monkeypatch: pytest.MonkeyPatch, text: str | None, loaded: list[str]
) -> None:
    seen: list[t.Any] = []
    monkeypatch.setattr(
        state, "proxy_text", lambda deployments, asking: text if (len(deployments), *asking) == (1, "bot") else "?"
    )
    monkeypatch.setattr(state.reload, "load", seen.append)
    host().load_proxy(["bot"])
    assert seen == loaded


def test_routes_that_conflict_are_an_error_of_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    def conflict(*_arguments: t.Any) -> str:
        raise ValueError("two of them")

    monkeypatch.setattr(state, "proxy_text", conflict)
    with pytest.raises(reload.ProxyError, match="two of them"):
        host().load_proxy()
    assert host().try_load_proxy() is False


def test_a_full_disk_is_raised_where_it_must_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "proxy_text", lambda *_arguments: "text")
    monkeypatch.setattr(state.reload, "load", lambda _text: None)
    assert host().try_load_proxy() is True

    def full(_text: str) -> None:
        raise reload.ProxyFileError("disk is full")

    monkeypatch.setattr(state.reload, "load", full)
    assert host().try_load_proxy() is False
    with pytest.raises(reload.ProxyFileError):
        host().try_load_proxy(but=reload.ProxyFileError)


def test_an_error_of_another_class_is_no_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_text: str) -> None:
        raise reload.ProxyError("it refuses")

    monkeypatch.setattr(state, "proxy_text", lambda *_arguments: "text")
    monkeypatch.setattr(state.reload, "load", refuse)
    assert host().try_load_proxy(but=reload.ProxyFileError) is False


def test_revisions_that_the_proxys_file_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state.reload, "read", lambda: None)
    assert RolloutHost.named_by_proxy() == set()
    monkeypatch.setattr(state.reload, "read", lambda: "text")
    monkeypatch.setattr(state.config, "targets", lambda text: {(text, 1)})
    assert RolloutHost.named_by_proxy() == {("text", 1)}
