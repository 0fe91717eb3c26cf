# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the module postgres_database_info returns."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres import info
from ansible_collections.selfhost.langgraph.tests.unit.plugins.module_utils._claims.postgres.objects import (
    comment,
    database,
    role,
    server,
)

STATE = server(
    role(comment=comment(redis_number=3, owner="them")), database(), role("b_c"), database("lost", comment=None)
)
ASKED: dict[str, t.Any] = {"names": [], "owner": "us", "previous_owners": [], "take_over": False}


@pytest.fixture
def inspect(monkeypatch: pytest.MonkeyPatch) -> t.Callable[[bool], dict[str, t.Any]]:
    counted: list[str] = []
    monkeypatch.setattr(info, "read_state", lambda _connection, names: STATE if names == [] else None)
    monkeypatch.setattr(info, "entering", lambda params, state: (params["sizes"], state is STATE))
    usage = {"a": (2, 9000), "b-c": (0, 0)}
    monkeypatch.setattr(info._release, "usage", lambda _connection, names: {name: usage[name] for name in names})

    def count_rows(enter: tuple[bool, bool], name: str) -> int:
        assert enter == (True, True)
        counted.append(name)
        return 7

    monkeypatch.setattr(info._release, "count_rows", count_rows)

    def run(sizes: bool) -> dict[str, t.Any]:
        counted.clear()
        found = info.inspect(t.cast("t.Any", None), t.cast("t.Any", {**ASKED, "sizes": sizes}), False)
        assert counted == (["a"] if sizes else [])
        return found

    return run


def test_claims_alone(inspect: t.Callable[[bool], dict[str, t.Any]]) -> None:
    found = inspect(False)
    assert [(claim["name"], claim["redis_db"]) for claim in found["claims"]] == [("a", 3), ("b-c", None)]
    assert "rows" not in found["claims"][0]
    assert {key: value for key, value in found.items() if key != "claims"} == {
        "changed": False,
        "unavailable": None,
        "foreign": [],
        "max_connections": 200,
        "server_version": 170000,
        "warnings": [],
    }


def test_sizes_and_orphans(inspect: t.Callable[[bool], dict[str, t.Any]]) -> None:
    found = inspect(True)
    used = [(claim["name"], claim["clients"], claim["bytes"], claim["rows"]) for claim in found["claims"]]
    assert used == [("a", 2, 9000, 7), ("b-c", 0, 0, None)]
    assert [(item["kind"], item["name"]) for item in found["orphans"]] == [
        ("role_without_database", "b-c"),
        ("database_without_claim", None),
    ]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (
            {"names": ["a", "b-c", "new"]},
            ["deployment 'a', option 'name': its claim belongs to another inventory: its owner"],
        ),
        ({"names": ["b-c", "new"]}, []),
        ({"names": ["a"], "owner": "them"}, []),
        ({"names": ["a"], "previous_owners": ["before", "them"]}, []),
        ({"names": ["a"], "take_over": True}, []),
    ],
)
def test_claims_of_another_inventory(
    monkeypatch: pytest.MonkeyPatch, asked: dict[str, t.Any], found: list[str]
) -> None:
    """Records without an owner, of an earlier version, belong to everybody."""
    monkeypatch.setattr(info, "read_state", lambda _connection, _names: STATE)
    result = info.inspect(t.cast("t.Any", None), t.cast("t.Any", {**ASKED, "sizes": False, **asked}), False)
    assert [line[: len(start)] for line, start in zip(result["foreign"], found)] == found
    assert len(result["foreign"]) == len(found)
