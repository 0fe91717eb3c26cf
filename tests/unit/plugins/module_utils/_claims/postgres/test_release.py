# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The release of databases: what is planned and refused, and the order of what is done."""

from __future__ import annotations

import contextlib
import typing as t

import psycopg
import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.errors import ClaimError, Refused
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.owner import Owner
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres import release as _release
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.logins import acting_logins
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.release import (
    Release,
    apply_release,
    count_rows,
    plan_release,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.state import ServerState
from ansible_collections.selfhost.langgraph.tests.unit.plugins.module_utils._claims.postgres.objects import (
    OURS,
    comment,
    database,
    role,
    second,
    server,
)


def release(name: str = "b-c", **changes: t.Any) -> Release:
    usual: dict[str, t.Any] = {"confirmed": True, "role": True, "database": True, "logins": acting_logins(name)[:1]}
    return Release(name, **{**usual, **changes})


@pytest.mark.parametrize(
    ("changes", "needed", "actions"),
    [
        ({}, True, ["drop_database", "drop_login", "drop_role"]),
        ({"logins": ()}, True, ["drop_database", "drop_role"]),
        ({"role": False, "logins": ()}, True, ["drop_database"]),
        ({"database": False, "logins": ()}, True, ["drop_role"]),
        ({"database": False, "role": False}, True, ["drop_login"]),
        ({"database": False, "role": False, "logins": ()}, False, []),
        ({"confirmed": False}, True, []),
    ],
)
def test_actions(changes: dict[str, t.Any], needed: bool, actions: list[str]) -> None:
    one = release(**changes)
    assert one.needed == needed
    assert [action["action"] for action in one.actions()] == actions
    assert one.result()["changed"] == bool(actions)


def test_actions_in_full() -> None:
    assert release(size=9, rows=2).actions() == [
        {"action": "drop_database", "database": "b_c", "bytes": 9, "rows": 2, "name": "b-c"},
        {"action": "drop_login", "role": "b_c.b", "name": "b-c"},
        {"action": "drop_role", "role": "b_c", "name": "b-c"},
    ]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {"database": None, "role": None, "changed": True, "lost": {"bytes": 9, "rows": 2}}),
        (
            {"confirmed": False},
            {"database": "b_c", "role": "b_c", "changed": False, "would_lose": {"bytes": 9, "rows": 2}},
        ),
        (
            {"confirmed": False, "database": False},
            {"database": None, "role": "b_c", "changed": False, "would_lose": {"bytes": 9, "rows": 2}},
        ),
        (
            {"confirmed": False, "role": False},
            {"database": "b_c", "role": None, "changed": False, "would_lose": {"bytes": 9, "rows": 2}},
        ),
    ],
)
def test_result(changes: dict[str, t.Any], expected: dict[str, t.Any]) -> None:
    assert release(clients=3, size=9, rows=2, **changes).result() == {**expected, "clients": 3}


def test_a_warning_says_what_was_kept_and_how_to_drop_it() -> None:
    assert release(confirmed=False, clients=3, size=9, rows=2).warning() == (
        "deployment 'b-c': nothing was released. Its database has about 2 rows in 9 bytes, and 3 clients are connected; set"
        " 'confirm: b-c' to drop it."
    )
    assert release().warning() is None
    assert release(confirmed=False, role=False, database=False, logins=()).warning() is None


class FakePostgres:
    """A connection that counts clients and bytes, and writes down what it executes."""

    def __init__(
        self, *counts: t.Mapping[str, tuple[int, int]], inside: t.Sequence[t.Any] = (), grants: t.Sequence[t.Any] = ()
    ) -> None:
        self._counts, self._inside, self._grants = list(counts), inside, grants
        self.done: list[str] = []
        self._rows: t.Sequence[t.Any] = ()

    def execute(self, query: t.Any, values: t.Any = None) -> FakePostgres:
        text = query if isinstance(query, str) else query.as_string(None)
        if "pg_stat_activity" in text:
            counts = self._counts.pop(0) if len(self._counts) > 1 else self._counts[0]
            self._rows = [(name, *counts.get(name, (0, None))) for name in values[0]]
        elif "pg_shdepend" in text:
            self._rows = self._inside
        elif "aclexplode" in text:
            self._rows = self._grants
        else:
            self.done.append(text)
        return self

    def fetchall(self) -> list[t.Any]:
        return list(self._rows)

    def __iter__(self) -> t.Iterator[t.Any]:
        return iter(self._rows)


class Inside:
    """A connection to a deployment's database with so many rows."""

    def __init__(self, rows: int | None) -> None:
        self.rows = rows

    def execute(self, _query: str) -> Inside:
        return self

    def fetchone(self) -> tuple[int] | None:
        return None if self.rows is None else (self.rows,)


def enter(rows: int | None = 5) -> t.Any:
    return lambda _database: contextlib.nullcontext(Inside(rows))


def refusing(error: Exception) -> t.Any:
    def connect(_database: str) -> t.Any:
        raise error

    return connect


def planned(
    connection: FakePostgres, state: ServerState, *entries: dict[str, t.Any], rows: t.Any = None
) -> list[Release]:
    return plan_release(t.cast("t.Any", connection), rows or enter(), entries, state, Owner(OURS))


@pytest.fixture(autouse=True)
def _no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_release, "_GRACE_SECONDS", 0)
    monkeypatch.setattr(_release.time, "sleep", lambda _seconds: None)


def test_a_plan_reads_what_exists() -> None:
    state = server(role(), second(login=False), database(), role("b_c", login=False))
    entries = [
        {"name": "a", "state": "absent"},
        {"name": "b-c", "state": "absent", "confirm": "b-c"},
        {"name": "d", "state": "absent", "confirm": None},
    ]
    assert planned(FakePostgres({"a": (2, 9)}), state, *entries) == [
        Release("a", False, True, True, ("a.b",), ("a",), 2, 9, 5),
        Release("b-c", True, True, False, (), (), 0, 0, None),
        Release("d", False, False, False, (), (), 0, 0, None),
    ]


def test_nothing_to_release_asks_nothing() -> None:
    assert planned(FakePostgres(), server()) == []


def test_a_database_that_nobody_may_enter_is_not_counted() -> None:
    (found,) = planned(FakePostgres({}), server(role(), database(allow=False)), {"name": "a"})
    assert (found.rows, found.database) == (None, True)


def test_rows_of_a_database_that_cannot_be_entered_are_unknown() -> None:
    assert count_rows(enter(7), "a") == 7
    assert count_rows(enter(None), "a") is None
    assert count_rows(refusing(psycopg.OperationalError("no")), "a") is None
    assert count_rows(refusing(ClaimError("no")), "a") is None


@pytest.mark.parametrize(
    ("connection", "objects", "finding"),
    [
        (FakePostgres({"a": (1, 9)}), (role(), database()), "1 clients are connected to its database"),
        (FakePostgres({}), (role(comment=None),), "which this collection did not create"),
        (FakePostgres({}, inside=[("other", "a"), ("other", "a.b")]), (role(), second()), 'DROP OWNED BY "a", "a.b"'),
        (FakePostgres({}), (role(comment=comment(owner="them")),), "belongs to another inventory"),
    ],
)
def test_what_must_not_be_released(connection: FakePostgres, objects: tuple[t.Any, ...], finding: str) -> None:
    with pytest.raises(Refused, match=finding) as caught:
        planned(connection, server(*objects), {"name": "a", "confirm": "a"})
    assert {problem.option for problem in caught.value.problems} <= {"state", "name"}
    assert (caught.value.problems[0].option == "name") == ("inventory" in finding or "collection" in finding)
    assert connection.done == []


def test_clients_of_what_is_kept_do_not_matter() -> None:
    (found,) = planned(FakePostgres({"a": (1, 9)}), server(role(), database()), {"name": "a"})
    assert (found.clients, found.size) == (1, 9)


def test_a_confirmation_is_the_name() -> None:
    with pytest.raises(Refused, match="'b' is not the deployment's name"):
        planned(FakePostgres({}), server(), {"name": "a", "confirm": "b"})


def test_a_client_that_is_just_leaving_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_release, "_GRACE_SECONDS", 60)
    connection = FakePostgres({"a": (1, 9)}, {"a": (1, 9)}, {"a": (0, 9)})
    (found,) = planned(connection, server(role(), database()), {"name": "a", "confirm": "a"})
    assert found.clients == 0


def test_logins_are_closed_before_anything_is_dropped_and_roles_go_last() -> None:
    connection = FakePostgres({}, grants=[("other", False, "postgres", "a"), ("theirs", True, "x", "a.b")])
    going = [
        release("a", opened=("a", "a.b")),
        release("b-c", logins=()),
        release("d", confirmed=False),
        release("e", database=False, logins=(), opened=("e",)),
    ]
    apply_release(t.cast("t.Any", connection), going)
    assert connection.done == [
        'ALTER DATABASE "a" ALLOW_CONNECTIONS false IS_TEMPLATE false; ALTER ROLE "a" NOLOGIN; ALTER ROLE "a.b" NOLOGIN;'
        ' ALTER DATABASE "b_c" ALLOW_CONNECTIONS false IS_TEMPLATE false; ALTER ROLE "e" NOLOGIN',
        'REVOKE ALL ON DATABASE "other" FROM "a" CASCADE; SET LOCAL ROLE "x";'
        ' REVOKE ALL ON DATABASE "theirs" FROM "a.b" CASCADE; RESET ROLE',
        'DROP DATABASE "a"',
        'DROP DATABASE "b_c"',
        'DROP ROLE "a.b"',
        'DROP ROLE "a"',
        'DROP ROLE "b_c"',
        'DROP ROLE "e"',
    ]


def test_a_closed_role_without_a_database_is_only_dropped() -> None:
    connection = FakePostgres({})
    apply_release(t.cast("t.Any", connection), [release("e", database=False, logins=())])
    assert connection.done == ['DROP ROLE "e"']
    connection = FakePostgres({})
    apply_release(t.cast("t.Any", connection), [release("e", database=False, role=False)])
    assert connection.done == ['DROP ROLE "e.b"']


def test_nothing_confirmed_changes_nothing() -> None:
    connection = FakePostgres({})
    apply_release(t.cast("t.Any", connection), [release(confirmed=False)])
    assert connection.done == []


def test_a_client_that_came_meanwhile_keeps_everything() -> None:
    connection = FakePostgres({"a": (1, 9)})
    with pytest.raises(Refused, match="stop them, then run this again"):
        apply_release(t.cast("t.Any", connection), [release("a", opened=("a",))])
    assert connection.done == [
        'ALTER DATABASE "a" ALLOW_CONNECTIONS false IS_TEMPLATE false; ALTER ROLE "a" NOLOGIN',
        'ALTER DATABASE "a" ALLOW_CONNECTIONS true; ALTER ROLE "a" LOGIN',
    ]
