# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which logins revisions use, since when they may be connected, and from which addresses."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._common import credentials as _credentials
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.env_file import Variables
from ansible_collections.selfhost.langgraph.plugins.module_utils._host.docker_engine import Container
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions import carried_credentials
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.model import Deployment, Revision

OLD, NEW = (
    {"DATABASE_URI": f"postgres://bot:{word}@db/bot", "REDIS_URI": f"redis://bot:{word}@r/1"} for word in ("one", "two")
)


def revision(number: int, credentials: Variables, **more: t.Any) -> Revision:
    return Revision(
        number, environment={"LANGGRAPH_POSTGRES_POOL_MAX_SIZE": "20"}, endpoint=_credentials.note(credentials), **more
    )


FOUND = {
    "bot": Deployment("bot", {"serving": 2}, (revision(1, OLD, draining=True), revision(2, NEW, active="active"))),
    "idle": Deployment("idle", {"serving": 1}, (revision(1, OLD),)),
}


@pytest.fixture(autouse=True)
def containers(monkeypatch: pytest.MonkeyPatch) -> list[Container]:
    """Run the containers of both revisions, the older one last."""
    running = [
        Container("langgraph-bot.2", 500, ("172.29.128.2",)),
        Container("langgraph-bot.1", 100, ("172.29.128.1", "172.29.128.9")),
        Container("langgraph-other.1", 1, ("172.29.128.2",)),
    ]
    monkeypatch.setattr(carried_credentials.docker_engine, "DOCKER_IMPORT_ERROR", None)
    monkeypatch.setattr(carried_credentials.docker_engine, "connect", lambda: "client")
    monkeypatch.setattr(
        carried_credentials.docker_engine,
        "running_containers",
        lambda client, label: running if (client, label) == ("client", "selfhost.langgraph.config") else [],
    )
    monkeypatch.setattr(carried_credentials.tcp_ports, "addresses", lambda: ["10.0.0.1", "127.0.0.1"])
    return running


def test_logins_times_and_addresses() -> None:
    found = carried_credentials.carried(FOUND)
    assert found["since"] == {"bot": 100}
    assert found["addresses"] == ["10.0.0.1", "127.0.0.1", "172.29.128.1", "172.29.128.2", "172.29.128.9"]
    assert [(item["revision"], item["login"], item["pool"]) for item in found["deployments"]["bot"]] == [
        (1, "bot", "20"),
        (2, "bot", "20"),
    ]
    one, two = found["deployments"]["bot"]
    assert one["credential"] != two["credential"]
    assert "current" not in one


def test_fingerprints_are_compared_where_they_may_not_be_shown() -> None:
    found = carried_credentials.carried(FOUND, {"bot": NEW})["deployments"]
    assert found["bot"] == [
        {"revision": 1, "login": "bot", "current": False, "pool": "20"},
        {"revision": 2, "login": "bot", "current": True, "pool": "20"},
    ]
    # A deployment that is not wanted has none of the wanted ones.
    assert [item["current"] for item in found["idle"]] == [False]


def test_a_revision_without_credentials_is_not_current() -> None:
    bare = {"bot": Deployment("bot", {"serving": 1}, (Revision(1),))}
    assert [item["current"] for item in carried_credentials.carried(bare, {"bot": NEW})["deployments"]["bot"]] == [
        False
    ]
    assert [item["current"] for item in carried_credentials.carried(bare, {})["deployments"]["bot"]] == [False]


def test_without_an_engine_nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> t.Any:
        raise carried_credentials.docker_engine.EngineError("it is down")

    monkeypatch.setattr(carried_credentials.docker_engine, "connect", fail)
    found = carried_credentials.carried(FOUND)
    assert (found["since"], found["addresses"]) == ({}, ["10.0.0.1", "127.0.0.1"])
    monkeypatch.setattr(carried_credentials.docker_engine, "DOCKER_IMPORT_ERROR", "no library")
    monkeypatch.setattr(carried_credentials.docker_engine, "connect", lambda: "client")
    assert carried_credentials.carried(FOUND)["since"] == {}
