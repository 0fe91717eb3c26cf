# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What postgres_database_info reads."""

from __future__ import annotations

import typing as t
from types import SimpleNamespace

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres import info
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres import release as _release

ENTERED: list[str] = []


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> t.Any:
    """A server with two claims, one of which has lost its database."""
    claims = [{"name": "a-bot", "database": "a_bot"}, {"name": "lost", "database": None}]
    state = SimpleNamespace(max_connections=200, version=170000, me={"name": "admin"})
    ENTERED.clear()

    def count_rows(_enter: t.Any, database: str) -> int:
        ENTERED.append(database)
        return 5

    monkeypatch.setattr(info, "read_state", lambda _connection, names: state if names == [] else None)
    monkeypatch.setattr(info, "claims_of", lambda _state: claims)
    monkeypatch.setattr(info, "orphans_of", lambda _state: ["shop"])
    monkeypatch.setattr(_release, "usage", lambda _connection, names: dict.fromkeys(names, (1, 10)))
    monkeypatch.setattr(_release, "count_rows", count_rows)
    return object()


def test_claims_alone(connection: t.Any) -> None:
    assert info.inspect(connection, {"sizes": False}, False) == {
        "changed": False,
        "claims": [{"name": "a-bot", "database": "a_bot"}, {"name": "lost", "database": None}],
        "max_connections": 200,
        "server_version": 170000,
        "warnings": [],
    }


def test_sizes_and_orphans(connection: t.Any) -> None:
    found = info.inspect(connection, {"sizes": True}, True)
    assert found["claims"] == [
        {"name": "a-bot", "database": "a_bot", "clients": 1, "bytes": 10, "rows": 5},
        {"name": "lost", "database": None, "clients": 1, "bytes": 10, "rows": None},
    ]
    assert (found["orphans"], found["changed"]) == (["shop"], False)
    # A database that does not exist is not entered.
    assert ENTERED == ["a_bot"]
