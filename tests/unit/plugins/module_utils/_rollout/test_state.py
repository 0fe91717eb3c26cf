# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state of the host during a rollout changes only by the methods of RolloutHost."""

from __future__ import annotations

import datetime
import typing as t
from dataclasses import replace

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

ONE, TWO = Revision(1, active="active", endpoint={"address": "172.29.128.1", "port": 8000}), Revision(2)
BOT = Deployment("bot", {"proxy": "haproxy", "port": 8123, "serving": 1}, (ONE, TWO), {"A": "1"})
OTHER = Deployment("other", {"proxy": "none", "port": 8124, "serving": None})


@pytest.fixture
def host() -> RolloutHost:
    return RolloutHost(Options("/etc/langgraph"), None, {"bot": BOT, "other": OTHER})


def test_nothing_else_changes_it(host: RolloutHost) -> None:
    for mapping in (host.deployments, host.drained):
        with pytest.raises(TypeError):
            t.cast("dict[str, t.Any]", mapping)["bot"] = None
    with pytest.raises(AttributeError):
        host.deployments = {}  # type: ignore[misc]


def test_what_was_found_is_left_alone() -> None:
    found = {"bot": BOT}
    host = RolloutHost(Options("/etc/langgraph"), None, found)
    host.forget("bot")
    host.put_revision("new", ONE)
    assert (found, list(host.deployments)) == ({"bot": BOT}, ["new"])


def test_one_revision_changes_and_the_others_stay(host: RolloutHost) -> None:
    host.set_active("bot", 2, "active")
    host.set_endpoint("bot", 2, {"address": "172.29.128.2"})
    host.set_endpoint("bot", 1, None)
    bot = host.deployments["bot"]
    assert bot.get(1) == replace(ONE, endpoint=None)
    assert bot.get(2) == replace(TWO, active="active", endpoint={"address": "172.29.128.2"})
    assert (len(bot.revisions), bot.settings) == (2, BOT.settings)
    assert host.deployments["other"] == OTHER


def test_the_first_revision_of_a_new_deployment(host: RolloutHost) -> None:
    host.put_revision("new", ONE)
    assert host.deployments["new"] == Deployment("new", revisions=(ONE,))


@pytest.mark.parametrize(("proxy", "kept"), [("haproxy", False), ("none", True)])
def test_a_port_that_a_container_had_stays_reserved_for_it(host: RolloutHost, proxy: str, kept: bool) -> None:
    host.set_settings("bot", {"proxy": proxy, "port": 8123})
    host.release_port("bot")
    assert host.deployments["bot"].settings == {"proxy": "none", "port": 8123, "kept": kept}


def test_a_deployment_leaves_in_two_steps(host: RolloutHost) -> None:
    host.unroute("bot")
    assert (host.deployments["bot"].settings, host.deployments["bot"].revisions) == (None, (ONE, TWO))
    host.forget("bot")
    assert list(host.deployments) == ["other"]


def test_back_to_an_earlier_state_except_for_some(host: RolloutHost) -> None:
    before = dict(host.deployments)
    host.set_credentials("bot", {"A": "2"})
    host.set_settings("other", {"proxy": "haproxy"})
    host.restore(before, but=["other"])
    assert host.deployments["bot"] == BOT
    assert host.deployments["other"].settings == {"proxy": "haproxy"}
    host.restore_deployment(OTHER)
    assert host.deployments == before


def test_drains_add_up(host: RolloutHost) -> None:
    host.note_drained("bot", [1])
    host.note_drained("bot", [1, 2])
    assert host.drained == {"bot": {1, 2}}


def test_a_revision_that_is_not_there(host: RolloutHost) -> None:
    with pytest.raises(RolloutError, match=r"^deployment 'bot' has no revision 7$"):
        host.revision(Step("bot", "roll", revision=7))
    with pytest.raises(RolloutError, match=r"^deployment 'bot' has no revision None$"):
        host.revision(Step("bot", "remove"))
    assert (host.serving(Step("bot", "roll")), host.serving(Step("gone", "roll"))) == (ONE, None)


def test_a_failure_without_a_log() -> None:
    assert unlogged(Step("bot", "roll", revision=2), "proxy", "it is full") == {
        "name": "bot",
        "revision": 2,
        "code": "proxy",
        "cause": "it is full",
        "line": "",
        "log": [],
    }


def test_times_are_in_utc() -> None:
    read = datetime.datetime.fromisoformat(RolloutHost.now())
    assert read.utcoffset() == datetime.timedelta(0)
    assert read.microsecond == 0
    assert abs((datetime.datetime.now(datetime.timezone.utc) - read).total_seconds()) < 5  # noqa: UP017


@pytest.mark.parametrize(("text", "loaded"), [("frontend x", ["frontend x"]), (None, []), ("", [""])])
def test_the_proxy_is_loaded_if_it_was_ever_needed(
    monkeypatch: pytest.MonkeyPatch, text: str | None, loaded: list[str], host: RolloutHost
) -> None:
    seen: list[t.Any] = []
    monkeypatch.setattr(
        state, "proxy_text", lambda deployments, asking: text if (len(deployments), *asking) == (2, "bot") else "?"
    )
    monkeypatch.setattr(state.reload, "load", seen.append)
    host.load_proxy(["bot"])
    assert seen == loaded


def test_routes_that_conflict_are_an_error_of_the_proxy(monkeypatch: pytest.MonkeyPatch, host: RolloutHost) -> None:
    def conflict(*_arguments: t.Any) -> str:
        raise ValueError("two of them")

    monkeypatch.setattr(state, "proxy_text", conflict)
    with pytest.raises(reload.ProxyError, match="two of them"):
        host.load_proxy()
    assert host.try_load_proxy() is False


def test_a_full_disk_is_raised_where_it_must_be(monkeypatch: pytest.MonkeyPatch, host: RolloutHost) -> None:
    monkeypatch.setattr(state, "proxy_text", lambda *_arguments: "text")
    monkeypatch.setattr(state.reload, "load", lambda _text: None)
    assert host.try_load_proxy() is True

    def full(_text: str) -> None:
        raise reload.ProxyFileError("disk is full")

    monkeypatch.setattr(state.reload, "load", full)
    assert host.try_load_proxy() is False
    with pytest.raises(reload.ProxyFileError):
        host.try_load_proxy(but=reload.ProxyFileError)


def test_an_error_of_another_class_is_no_full_disk(monkeypatch: pytest.MonkeyPatch, host: RolloutHost) -> None:
    def refuse(_text: str) -> None:
        raise reload.ProxyError("it refuses")

    monkeypatch.setattr(state, "proxy_text", lambda *_arguments: "text")
    monkeypatch.setattr(state.reload, "load", refuse)
    assert host.try_load_proxy(but=reload.ProxyFileError) is False


def test_revisions_that_the_proxys_file_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state.reload, "read", lambda: None)
    assert RolloutHost.named_by_proxy() == set()
    monkeypatch.setattr(state.reload, "read", lambda: "text")
    monkeypatch.setattr(state.config, "targets", lambda text: {(text, 1)})
    assert RolloutHost.named_by_proxy() == {("text", 1)}
