# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The claims that a server records, its orphans, and servers that cannot be changed."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.errors import ClaimError
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.state import (
    claims_of,
    orphans_of,
    read_state,
    require_writable,
)
from ansible_collections.selfhost.langgraph.tests.unit.plugins.module_utils._claims.postgres.objects import (
    ADMIN,
    comment,
    database,
    role,
    second,
    server,
)

RECORDED = {"redis_number": 3, "redis_server": "u", "redis_address": "h:1", "owner": "us"}


def claims(*objects: t.Any) -> list[tuple[t.Any, ...]]:
    return [(claim["name"], claim["database"], claim["role"]) for claim in claims_of(server(*objects))]


def test_a_claim_in_full() -> None:
    assert claims_of(server(role("b_c", comment=comment("b-c", **RECORDED)), database("b_c"))) == [
        {
            "name": "b-c",
            "database": "b_c",
            "role": "b_c",
            "redis_db": 3,
            "redis_server": "u",
            "redis_address": "h:1",
            "owner": "us",
        }
    ]


@pytest.mark.parametrize(
    ("objects", "expected"),
    [
        ((), []),
        ((role(), database()), [("a", "a", "a")]),
        ((role(),), [("a", None, "a")]),
        ((database(),), [("a", "a", None)]),
        # The deployment has removed the comment of its own database.
        ((role(), database(comment=None)), [("a", "a", "a")]),
        ((role(), database(comment=comment("z"))), [("a", "a", "a")]),
        # A database that a killed run has not finished, or that somebody else owns.
        ((role(), database(comment=None, allow=False)), [("a", None, "a")]),
        ((role(), database(comment=None, owner="postgres")), [("a", None, "a")]),
        ((role(), database(owner="postgres")), [("a", "a", "a")]),
        # Only the object of its own name counts.
        ((role(comment=comment("b")),), []),
        ((database(comment=comment("b")),), []),
        ((role(), second()), [("a", None, "a")]),
        # A role without a claim may have written the comment of its database.
        ((role(comment=None), database()), []),
        ((role("b"), role("a")), [("a", None, "a"), ("b", None, "b")]),
    ],
)
def test_which_objects_are_claims(objects: tuple[t.Any, ...], expected: list[tuple[t.Any, ...]]) -> None:
    assert claims(*objects) == expected


@pytest.mark.parametrize(
    ("objects", "expected"),
    [
        ((role(), database()), []),
        ((role(),), [("role_without_database", "a", None)]),
        ((role(), database(comment=None, allow=False)), [("unfinished_database", "a", "a")]),
        ((database(),), [("database_without_role", "a", "a")]),
        ((database(comment=None),), [("database_without_claim", None, "a")]),
        ((database("postgres", comment=None),), []),
        *(
            ((database(name, comment=None),), [])
            for name in ("rdsadmin", "cloudsqladmin", "azure_maintenance", "azure_sys")
        ),
        ((database("template1", comment=None, template=True),), []),
        ((database("x", comment=None, foreign=True),), []),
        (
            (database("z", comment=None), database("y", comment=None), role("b"), database("c")),
            [
                ("role_without_database", "b", None),
                ("database_without_role", "c", "c"),
                ("database_without_claim", None, "y"),
                ("database_without_claim", None, "z"),
            ],
        ),
    ],
)
def test_orphans(objects: tuple[t.Any, ...], expected: list[tuple[t.Any, ...]]) -> None:
    found = orphans_of(server(*objects))
    assert [(item["kind"], item["name"], item["database"]) for item in found] == expected


def test_a_server_that_cannot_be_changed() -> None:
    require_writable(server())
    with pytest.raises(ClaimError, match="is a replica and read-only: use the address of its primary"):
        require_writable(server(recovery=True))
    with pytest.raises(ClaimError, match="default_transaction_read_only is on"):
        require_writable(server(read_only=True))
    with pytest.raises(ClaimError, match="replica"):
        require_writable(server(recovery=True, read_only=True))


class FakeConnection:
    """A connection that answers the one query."""

    def __init__(self, content: dict[str, t.Any], superuser: str = "on") -> None:
        self.content, self.superuser = content, superuser
        self.queries: list[tuple[str, dict[str, t.Any]]] = []

    @property
    def info(self) -> FakeConnection:
        return self

    def parameter_status(self, name: str) -> str | None:
        return {"is_superuser": self.superuser}.get(name)

    def execute(self, query: str, values: dict[str, t.Any]) -> FakeConnection:
        self.queries.append((query, values))
        return self

    def fetchone(self) -> tuple[dict[str, t.Any]]:
        return (self.content,)


ROLE = {
    "name": "a",
    "login": True,
    "superuser": False,
    "createdb": False,
    "createrole": False,
    "replication": False,
    "bypassrls": False,
    "limit": 5,
    "expires": False,
    "verifier": None,
    "comment": comment(),
    "member_of": ["x"],
    "settings": ["role=a"],
    "set_inside": ["a:role"],
    "sessions": 2,
}
DATABASE = {
    "name": "a",
    "owner": "a",
    "allow": True,
    "public": False,
    "comment": None,
    "template": False,
    "foreign": False,
    "grantees": ["b"],
}
CONTENT: dict[str, t.Any] = {
    "version": 170000,
    "max_connections": 100,
    "recovery": False,
    "read_only": True,
    "me": ADMIN,
    "roles": [ROLE],
    "databases": [DATABASE],
    "extensions": {"vector": "0.8"},
}


def test_the_state_of_a_server() -> None:
    connection = FakeConnection(CONTENT)
    assert read_state(t.cast("t.Any", connection), ("a",), ["vector", "ltree", "vector"]) == server(
        role(
            limit=5,
            verifier=None,
            member_of=("x",),
            settings=("role=a",),
            set_inside=("a:role",),
            sessions=2,
        ),
        database(comment=None, grantees=("b",)),
        max_connections=100,
        extensions={"vector": "0.8"},
        read_only=True,
    )
    ((query, values),) = connection.queries
    assert values == {"names": ["a"], "extensions": ["ltree", "vector"]}
    assert "rolpassword AS verifier" in query
    assert "pg_catalog.pg_authid a" in query


def test_only_a_superuser_reads_verifiers() -> None:
    connection = FakeConnection({**CONTENT, "me": {**ADMIN, "superuser": False}}, "off")
    assert read_state(t.cast("t.Any", connection), []).superuser is False
    assert "rolpassword" not in connection.queries[0][0]
    assert "pg_catalog.pg_roles a" in connection.queries[0][0]


def test_versions_that_are_too_old() -> None:
    with pytest.raises(ClaimError, match="Postgres 13 is too old: use 14 or newer"):
        read_state(t.cast("t.Any", FakeConnection({**CONTENT, "version": 139999})), [])
    assert read_state(t.cast("t.Any", FakeConnection({**CONTENT, "version": 140000})), []).version == 140000
