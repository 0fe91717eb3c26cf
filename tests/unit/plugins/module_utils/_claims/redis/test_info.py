# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the module redis_database_info finds: claims, their use, and orphans."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis import info
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.acl import CommandSets
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.state import ServerState

STATE = ServerState("8.0", False, 16, "", False, False, False, "admin", CommandSets({}), {})
PARAMS = {"known_claims": None, "address": None}
ANSWER = {
    "databases": "16",
    "server": "uuid",
    "counts": [{"db": "2", "keys": "7"}, {"db": 9, "keys": 3}],
    "claims": [{"name": "b", "db": "2", "owner": "us"}, {"name": "a", "db": "1"}],
}


class FakeServer:
    """A server that answers the script, CLIENT LIST and ACL USERS."""

    def __init__(self, answer: dict[str, t.Any], clients: t.Any, users: t.Any) -> None:
        self._answer, self._replies = answer, {("CLIENT", "LIST"): clients, ("ACL", "USERS"): users}

    def script(self, _script: str, _key: str, _question: dict[str, t.Any]) -> dict[str, t.Any]:
        return self._answer

    def call(self, *words: t.Any) -> t.Any:
        return self._replies[words]


@pytest.fixture
def inspect(monkeypatch: pytest.MonkeyPatch) -> t.Callable[..., dict[str, t.Any]]:
    monkeypatch.setattr(info, "read_state", lambda _server, names: STATE if names == [] else None)

    def run(
        clients: t.Any = "", users: t.Any = (), known: t.Any = None, answer: dict[str, t.Any] | None = None
    ) -> dict[str, t.Any]:
        server = t.cast("t.Any", FakeServer(answer or ANSWER, clients, users))
        return info.inspect(server, {**PARAMS, "known_claims": known}, False)

    return run


def test_claims_in_order_with_their_use(inspect: t.Callable[..., dict[str, t.Any]]) -> None:
    clients = "user=b.b db=0\nuser=x db=2\nuser=x db=1"
    assert inspect(clients, ["b", "default"]) == {
        "changed": False,
        "claims": [
            {"name": "a", "redis_db": 1, "key_count": 0, "clients": 1, "user": False, "owner": None},
            {"name": "b", "redis_db": 2, "key_count": 7, "clients": 2, "user": True, "owner": "us"},
        ],
        "orphans": [{"kind": "keys_without_claim", "name": None, "redis_db": 9, "key_count": 3}],
        "number_limit": 16,
        "server": "uuid",
        "server_version": "8.0",
        "warnings": [],
    }


def test_what_a_managed_service_hides_is_unknown(inspect: t.Callable[..., dict[str, t.Any]]) -> None:
    found = inspect(PermissionError("NOPERM"), PermissionError("NOPERM"))
    assert {(claim["clients"], claim["user"]) for claim in found["claims"]} == {(None, None)}


def test_an_empty_server(inspect: t.Callable[..., dict[str, t.Any]]) -> None:
    found = inspect(answer={"databases": 16, "counts": None, "claims": None})
    assert (found["claims"], found["orphans"], found["server"]) == ([], [], None)


def test_claims_of_postgres_count_for_this_server_only(inspect: t.Callable[..., dict[str, t.Any]]) -> None:
    known = [
        {"name": "a", "redis_db": 1, "redis_server": "uuid"},
        {"name": "b", "redis_db": 2},
        {"name": "c", "redis_db": 9, "redis_server": "another"},
    ]
    found = inspect(known=known)["orphans"]
    assert [(item["kind"], item["redis_db"]) for item in found] == [("keys_without_claim", 9)]
    # A Postgres without claims is something else than no Postgres.
    assert {item["kind"] for item in inspect(known=[])["orphans"]} == {"keys_without_claim", "claim_without_database"}


A1 = {"name": "a", "redis_db": 1}


@pytest.mark.parametrize(
    ("claims", "keys", "known", "expected"),
    [
        ([], {}, None, []),
        ([A1], {1: 5}, None, []),
        ([A1], {1: 5, 2: 6}, None, [("keys_without_claim", None, 2, 6)]),
        ([], {3: 1, 2: 6}, None, [("keys_without_claim", None, 2, 6), ("keys_without_claim", None, 3, 1)]),
        ([A1], {1: 5}, {"a": 1}, []),
        # Postgres records whose keys they are.
        ([], {1: 5}, {"a": 1}, [("database_without_claim", "a", 1, 5)]),
        ([], {}, {"a": 1}, [("database_without_claim", "a", 1, 0)]),
        ([A1], {1: 5}, {}, [("claim_without_database", "a", 1, 5)]),
        ([A1], {1: 5, 2: 6}, {"a": 2}, [("disagreement", "a", 1, 5)]),
        (
            [A1],
            {4: 1},
            {"b": 2},
            [
                ("keys_without_claim", None, 4, 1),
                ("claim_without_database", "a", 1, 0),
                ("database_without_claim", "b", 2, 0),
            ],
        ),
    ],
)
def test_orphans(
    claims: list[dict[str, t.Any]],
    keys: dict[int, int],
    known: dict[str, int] | None,
    expected: list[tuple[t.Any, ...]],
) -> None:
    found = info.orphans(claims, keys, known)
    assert [(item["kind"], item["name"], item["redis_db"], item["key_count"]) for item in found] == expected


def test_orphans_are_in_the_order_of_their_names() -> None:
    known = {name: number for number, name in enumerate("zyxwvu", 1)}
    assert [item["name"] for item in info.orphans([], {}, known)] == sorted(known)
