# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the module postgres_database returns, shows and warns about."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.logins import Logins
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.plan import Need, Plan
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.release import Release
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.report import (
    diff_of,
    result_of,
    warnings_of,
)
from ansible_collections.selfhost.langgraph.tests.unit.plugins.module_utils._claims.postgres.objects import (
    comment,
    database,
    entry,
    need_for,
    role,
    second,
    server,
)

EMPTY = Plan([], [])


def test_result_of_a_plan() -> None:
    """A deployment without changes keeps what its comment records."""
    held = comment("b-c", redis_number=3, extensions={"vector": "0.8"})
    new = need_for(entry(), Logins("a"), create_role=True, claim_comment={"deployment": "a", "redis_number": 7})
    same = need_for(entry("b-c"), Logins("b_c.b", retire=("x",), retiring=("b_c",)))
    plan = Plan([new, same], [])
    found = result_of(plan, server(role("b_c", comment=held)))
    assert found["databases"] == {
        "a": {
            "database": "a",
            "role": "a",
            "login": "a",
            "retired": [],
            "retiring": [],
            "redis_db": 7,
            "extensions": {},
            "changed": True,
        },
        "b-c": {
            "database": "b_c",
            "role": "b_c",
            "login": "b_c.b",
            "retired": ["x"],
            "retiring": ["b_c"],
            "redis_db": 3,
            "extensions": {"vector": "0.8"},
            "changed": True,
        },
    }
    assert (found["changed"], found["actions"]) == (True, plan.actions())


def test_result_without_changes() -> None:
    found = result_of(Plan([need_for(entry(), Logins("a"))], []), server(role()))
    assert (found["changed"], found["actions"], found["databases"]["a"]["changed"]) == (False, [], False)
    assert result_of(Plan([need_for(entry(), Logins("a"))], []), server())["databases"]["a"]["redis_db"] is None
    assert result_of(Plan([], ["template1"]), server())["changed"] is True


def test_diff_of_a_new_deployment_hides_the_password() -> None:
    new = need_for(entry(extensions=["vector"]), Logins("a", set_password=True), create_role=True, create_database=True)
    new.extensions, new.claim_comment = ["vector"], {"deployment": "a"}
    assert diff_of(Plan([new], [])) == {
        "before": {"a": {}},
        "after": {
            "a": {
                "create_role": "a",
                "create_database": "a",
                "create_extension": "vector",
                "remember": {"deployment": "a"},
                "password": "(hidden)",
            }
        },
    }


@pytest.mark.parametrize(
    ("need", "shown"),
    [
        (need_for(entry(), Logins("a"), change_role=["login"]), {"change_role": ["login"]}),
        (
            need_for(entry(), Logins("a", set_password=True), change_role=["password"]),
            {"change_role": ["password"], "password": "(hidden)"},
        ),
        (need_for(entry(), Logins("a"), create_role=True), {"create_role": "a", "password": "(hidden)"}),
        (need_for(entry(), Logins("a", retire=("a.b",))), {"retire_login": "a.b"}),
        (need_for(entry(), Logins("a"), change_database=["public"]), {"change_database": ["public"]}),
    ],
)
def test_diff_of_one_change(need: Need, shown: dict[str, t.Any]) -> None:
    assert diff_of(Plan([need], [])) == {"before": {"a": {}}, "after": {"a": shown}}


def test_diff_of_nothing_and_of_the_server() -> None:
    assert diff_of(Plan([need_for(entry(), Logins("a"))], [])) == {"before": {}, "after": {}}
    assert diff_of(Plan([], ["postgres"])) == {
        "before": {"revoke_public": {}},
        "after": {"revoke_public": ["postgres"]},
    }


def test_diff_of_releases_has_only_those_that_happen() -> None:
    gone = Release("b-c", confirmed=True, role=True, database=True)
    kept = Release("d", confirmed=False, role=True, database=True)
    assert diff_of(EMPTY, [gone, kept]) == {
        "before": {"b-c": {}},
        "after": {"b-c": {"drop_database": "b_c", "drop_role": "b_c"}},
    }


@pytest.mark.parametrize(
    ("found", "close", "warned"),
    [
        (database("other", public=True, comment=None), [], True),
        (database("other", public=True, comment=None), ["other"], False),
        (database("other", public=False, comment=None), [], False),
        (database("other", public=True, allow=False, comment=None), [], False),
        (database("rdsadmin", public=True, comment=None), [], False),
        # A role of that name that is not a deployment's, such as an administrator's with a database of its own.
        (database("c", public=True, comment=None), ["c"], False),
        # The next step closes it.
        (database("a", public=True), [], False),
        # That of another deployment, which is not in this list.
        (database("b", public=True), [], False),
    ],
)
def test_databases_that_everybody_may_enter(found: t.Any, close: list[str], warned: bool) -> None:
    lines = warnings_of([entry()], server(role("b"), found), Plan([], close))
    assert bool(lines) == warned
    if warned:
        assert lines == [
            "any role may connect to the database 'other', including those of the deployments; to prevent it, grant"
            ' CONNECT to the roles that use it, and ask an administrator to run: REVOKE CONNECT ON DATABASE "other" FROM PUBLIC'
        ]


@pytest.mark.parametrize(
    ("objects", "expected"),
    [
        ((role(), second()), []),
        ((role(member_of=("admins", "staff")),), ["the role 'a' is a member of admins, staff and has their rights"]),
        ((role(), second(member_of=("a", "admins"))), ["the role 'a.b' is a member of admins and has their rights"]),
        ((role("b", member_of=("admins",)),), []),
    ],
)
def test_roles_with_rights_of_others(objects: tuple[t.Any, ...], expected: list[str]) -> None:
    lines = warnings_of([entry()], server(*objects), EMPTY)
    assert [line[: len(start)] for line, start in zip(lines, expected)] == expected
    assert len(lines) == len(expected)


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        (140012, ["Postgres 14 works, but only 15 and newer are tested."]),
        (149999, ["Postgres 14 works, but only 15 and newer are tested."]),
        (150000, []),
        (170002, []),
    ],
)
def test_versions(version: int, expected: list[str]) -> None:
    assert warnings_of([], server(version=version), EMPTY) == expected


def test_warnings_are_in_the_order_of_their_names() -> None:
    """A database is only known as a deployment's if its role has a claim."""
    names = ("z", "y", "x", "w")
    found = warnings_of([], server(role("z", comment=None), *(database(name, public=True) for name in names)), EMPTY)
    assert [line.split("'")[1] for line in found] == sorted(names)
    entries = [entry(name) for name in names]
    found = warnings_of(entries, server(*(role(name, member_of=("admins",)) for name in names)), EMPTY)
    assert [line.split("'")[1] for line in found] == sorted(names)
