# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""deployment_info: the deployments that a host has, and the credentials in their containers."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._host import tcp_ports
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.carried_credentials import carried
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout import snapshot
from ansible_collections.selfhost.langgraph.plugins.module_utils._server import schema as _schema
from ansible_collections.selfhost.langgraph.plugins.modules.deployment_info import (
    aes_keys,
    deployments,
    missing_libraries,
    read,
)
from ansible_collections.selfhost.langgraph.tests.unit.plugins.module_utils._rollout.fake_host import (
    OLD,
    ROTATED,
    SECRET,
    Host,
    bot,
)


@pytest.fixture
def host(host: Host, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A host with a deployment, whose revision 1 is being drained."""
    monkeypatch.setattr(tcp_ports, "session_counter", lambda: lambda address, _port: int(address.rpartition(".")[2]))
    host.converge(bot(), bot("two", port=8124))
    host.converge(bot(image="bot:2"))
    return host


def test_deployments(host: Host) -> None:
    one, two = deployments(str(host.folder), read(str(host.folder)))
    assert (one["name"], one["serving"], one["image"], one["port"]) == ("bot", 2, "bot:2", 8123)
    assert [(item["number"], item["state"], item["sessions"]) for item in one["revisions"]] == [
        (2, "serving", 3),
        (1, "draining", 1),
    ]
    assert (two["name"], two["serving"], two["drain_seconds"]) == ("two", 1, 180)
    assert SECRET not in f"{one}{two}"


def test_what_a_drain_reported(host: Host) -> None:
    host.finish_drains()
    revisions = deployments(str(host.folder), read(str(host.folder)))[0]["revisions"]
    assert [item["drain"] and item["drain"]["runs"]["lost"] for item in revisions] == [None, []]


def test_dumps_that_are_there(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "take_snapshot", lambda _uri, _path: None)
    host.converge(bot(image="bot:3"), snapshot_dir=str(tmp_path / "dumps"))

    def dumps() -> list[str | None]:
        return [item["snapshot"] for item in deployments(str(host.folder), read(str(host.folder)))[0]["revisions"]]

    assert dumps() == [None, None, None]
    path = tmp_path / "dumps" / "bot" / Path(str(read(str(host.folder))["bot"].get(3).snapshot)).name  # type: ignore[union-attr]
    path.parent.mkdir(parents=True)
    path.touch()
    assert dumps() == [str(path), None, None]


def test_folders_without_a_deployment(host: Host) -> None:
    (host.folder / "empty").mkdir()
    (host.folder / "lost+found").mkdir()
    assert [item["name"] for item in deployments(str(host.folder), read(str(host.folder)))] == ["bot", "two"]
    assert deployments("/no/such/folder", read("/no/such/folder")) == []


def test_libraries_that_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_schema, "PSYCOPG_IMPORT_ERROR", None)
    assert missing_libraries() == []
    monkeypatch.setattr(_schema, "PSYCOPG_IMPORT_ERROR", ImportError())
    assert missing_libraries() == ["psycopg"]


def test_what_containers_carry(host: Host) -> None:
    for credentials in (OLD, ROTATED):
        host.converge(bot("three", port=8125, image="bot:3", credentials=credentials))
    assert carried(read(str(host.folder)))["deployments"]["three"] == [
        {"revision": 1, "logins": ["bot", "bot.b"], "users": ["bot", "bot.b"], "pool": None},
        {"revision": 2, "logins": ["bot.b"], "users": ["bot.b"], "pool": None},
    ]
    host.finish_drains()
    assert [item["revision"] for item in carried(read(str(host.folder)))["deployments"]["three"]] == [2]
    # One that serves is started again by the next run, whatever stopped it.
    host.unit(2, "three").active, host.unit(2, "three").enabled = "failed", False
    assert [item["revision"] for item in carried(read(str(host.folder)))["deployments"]["three"]] == [2]


def test_the_aes_key_of_what_serves(host: Host) -> None:
    host.converge(bot("three", port=8125, environment={"LANGGRAPH_AES_KEY": "0123456789abcdef"}))
    keys = aes_keys(read(str(host.folder)))
    assert (keys["bot"], len(keys["three"] or "")) == (None, 16)
    assert "0123456789abcdef" not in str(keys)
    # Its revisions are kept, so another key is refused too.
    host.converge({"name": "three", "state": "stopped"})
    assert aes_keys(read(str(host.folder)))["three"] == keys["three"]
