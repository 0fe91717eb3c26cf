# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans of Postgres for single findings: exactly one change for each, and the actions in their order."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.logins import Logins
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.plan import Need, Plan, make_plan
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.state import ServerState
from ansible_collections.selfhost.langgraph.tests.unit.plugins.module_utils._claims.postgres.objects import (
    OURS,
    comment,
    database,
    entry,
    need_for,
    role,
    second,
    server,
)


def need_of(state: ServerState, wanted: dict[str, t.Any] | None = None, **more: t.Any) -> Need:
    (need,) = make_plan([wanted or entry()], state, **more).needs
    return need


def test_what_is_complete_needs_nothing() -> None:
    need = need_of(server(role(), second(), database()))
    assert need.actions() == []
    assert need == need_for(entry(), Logins("a"))
    # A limit may be lowered unless the entry says otherwise.
    assert need_of(server(role(limit=200), database()), entry(connection_limit=96)).change_role == ["connection_limit"]
    # Without a limit in the entry there is none.
    assert need_of(server(role(), database()), {"name": "a", "password": "p"}).actions() == []


def test_a_new_deployment_in_the_order_of_its_actions() -> None:
    need = need_of(server(), entry("b-c", extensions=["vector"], redis_db=3), owner=OURS)
    remembered = {"deployment": "b-c", "redis_number": 3, "owner": OURS, "extensions": {"vector": "0.8"}}
    assert (need.create_role, need.create_logins, need.create_database) == (True, [], True)
    assert (need.claim_comment, need.claim_comment_reason) == (remembered, "new")
    assert need.actions() == [
        {"action": "create_role", "role": "b_c", "name": "b-c"},
        {"action": "create_database", "database": "b_c", "name": "b-c"},
        {"action": "create_extension", "database": "b_c", "extension": "vector", "name": "b-c"},
        {"action": "remember", "database": "b_c", "why": "new", "name": "b-c"},
    ]


def test_all_actions_in_their_order() -> None:
    need = need_for(
        entry("b-c"),
        Logins("b_c", retire=("b_c.b",)),
        create_role=True,
        change_role=["login"],
        create_logins=["b_c.b"],
        change_logins={"b_c.c": ["acting"]},
        create_database=True,
        change_database=["owner"],
        extensions=["ltree", "vector"],
        claim_comment={},
        claim_comment_reason="changed",
    )
    assert need.actions() == [
        {"action": "create_role", "role": "b_c", "name": "b-c"},
        {"action": "change_role", "role": "b_c", "what": ["login"], "name": "b-c"},
        {"action": "create_login", "role": "b_c.b", "name": "b-c"},
        {"action": "change_login", "role": "b_c.c", "what": ["acting"], "name": "b-c"},
        {"action": "create_database", "database": "b_c", "name": "b-c"},
        {"action": "change_database", "database": "b_c", "what": ["owner"], "name": "b-c"},
        {"action": "create_extension", "database": "b_c", "extension": "ltree", "name": "b-c"},
        {"action": "create_extension", "database": "b_c", "extension": "vector", "name": "b-c"},
        {"action": "remember", "database": "b_c", "why": "changed", "name": "b-c"},
        {"action": "retire_login", "role": "b_c.b", "name": "b-c"},
    ]
    assert Plan([need], ["template1"]).actions() == [
        *need.actions(),
        {"action": "revoke_public", "database": "template1"},
    ]


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"superuser": True}, ["superuser"]),
        ({"createdb": True}, ["createdb"]),
        ({"createrole": True}, ["createrole"]),
        ({"replication": True}, ["replication"]),
        ({"bypassrls": True}, ["bypassrls"]),
        ({"expires": True}, ["expires"]),
        ({"login": False}, ["login"]),
        ({"limit": 5}, ["connection_limit"]),
        ({"verifier": None}, ["password"]),
        ({"set_inside": ("a:role",)}, ["settings"]),
        ({"set_inside": ("a:search_path",)}, ["settings"]),
        # Harmless, or in another database.
        ({"set_inside": ("a:work_mem", "b:role")}, []),
        ({"superuser": True, "login": False, "verifier": None}, ["superuser", "login", "password"]),
    ],
)
def test_a_role_that_differs(changes: dict[str, t.Any], what: list[str]) -> None:
    need = need_of(server(role(**changes), database()))
    assert (need.change_role, need.create_role) == (what, False)
    expected = [{"action": "change_role", "role": "a", "what": what, "name": "a"}] if what else []
    assert need.actions() == expected


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"owner": "postgres"}, ["owner"]),
        ({"public": True}, ["public"]),
        ({"grantees": ("b",)}, ["grants"]),
        ({"grantees": ("a", "a.b")}, []),
        ({"allow": False}, ["allow_connections"]),
        ({"template": True}, ["template"]),
        ({"owner": "postgres", "template": True}, ["owner", "template"]),
    ],
)
def test_a_database_that_differs(changes: dict[str, t.Any], what: list[str]) -> None:
    need = need_of(server(role(), database(**changes)))
    assert (need.change_database, need.create_database) == (what, False)
    assert need.revoke == (("b",) if "grants" in what else ())


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({}, []),
        ({"member_of": ()}, ["membership"]),
        ({"member_of": ("other",)}, ["membership"]),
        ({"settings": ()}, ["acting"]),
        ({"settings": ("role=other",)}, ["acting"]),
        ({"createdb": True}, ["createdb"]),
        ({"limit": 7}, ["connection_limit"]),
        ({"set_inside": ("a:role",)}, ["settings"]),
        # A closed login is not opened, as the other one is chosen.
        ({"login": False, "member_of": ()}, []),
        ({"verifier": None, "member_of": ()}, []),
    ],
)
def test_a_second_login_that_differs(changes: dict[str, t.Any], what: list[str]) -> None:
    assert need_of(server(role(), second(**changes), database())).change_logins == ({"a.b": what} if what else {})


def test_a_closed_login_that_is_not_chosen_stays_closed() -> None:
    need = need_of(server(role(login=False, verifier=None), second(), database()))
    assert (need.logins.login, need.change_role, need.change_logins) == ("a.b", [], {})


def test_the_chosen_login_gets_the_password() -> None:
    """The owner is in use with another password, so the second login is created or opened."""
    wanted = entry(password="new", logins_in_use=["a"])
    new = need_of(server(role(), database()), wanted)
    assert (new.create_logins, new.change_role, new.logins) == (["a.b"], [], Logins("a.b", True, (), ("a",)))
    opened = need_of(server(role(), second(login=False, member_of=()), database()), wanted)
    assert (opened.create_logins, opened.change_logins) == ([], {"a.b": ["login", "password", "membership"]})


def test_the_owner_that_was_closed_stays_closed() -> None:
    """A session of its other login could change its password, so the next password goes to a third login."""
    state = server(role(login=False, verifier=None), second(), database())
    need = need_of(state, entry(password="new", logins_in_use=["a.b"]))
    assert (need.create_logins, need.change_role, need.logins) == (["a.c"], [], Logins("a.c", True, (), ("a.b",)))


@pytest.mark.parametrize(
    ("role_comment", "database_comment", "reason"),
    [
        (comment(), comment(), ""),
        (comment(redis_number=3), comment(), "the comment of the database was missing or altered"),
        (comment(redis_number=3), None, "the comment of the database was missing or altered"),
        (comment(), comment(redis_number=3), "changed"),
        (None, comment(redis_number=3), "changed"),
    ],
)
def test_the_durable_copy_is_written_where_it_differs(
    role_comment: str | None, database_comment: str | None, reason: str
) -> None:
    wanted = entry(redis_db=3) if "3" in (role_comment or "") + (database_comment or "") else entry()
    need = need_of(server(role(comment=role_comment), database(comment=database_comment)), wanted)
    assert need.claim_comment_reason == reason
    assert (need.claim_comment is None) == (reason == "")
    if reason:
        assert need.claim_comment == {"deployment": "a", "redis_number": 3}


def test_the_durable_copy_keeps_what_the_entry_leaves_out() -> None:
    kept = {"redis_number": 3, "redis_server": "u", "redis_address": "h:1", "owner": OURS, "aes": "one"}
    held = comment(**kept, extensions={"ltree": "1.1"})
    state = server(role(comment=held), database(comment=held))
    assert need_of(state).actions() == []
    changed = need_of(
        state, entry(redis_db=4, redis_server="v", redis_address="i:2", aes_keys=["two", "one"]), owner="x"
    )
    assert changed.claim_comment == {
        "deployment": "a",
        "redis_number": 4,
        "redis_server": "v",
        "redis_address": "i:2",
        "owner": "x",
        "aes": "two",
        "extensions": {"ltree": "1.1"},
    }
    assert need_of(state, entry(aes_keys=[])).claim_comment == {
        "deployment": "a",
        **{key: value for key, value in kept.items() if key != "aes"},
        "extensions": {"ltree": "1.1"},
    }


def test_extensions_are_created_once_per_database() -> None:
    held = comment(extensions={"ltree": "1.1"})
    present = need_of(server(role(comment=held), database(comment=held)), entry(extensions=["ltree", "vector"]))
    assert present.extensions == ["vector"]
    assert present.claim_comment == {"deployment": "a", "extensions": {"ltree": "1.1", "vector": "0.8"}}
    # Those of a dropped database are gone.
    again = need_of(server(role(comment=held)), entry(extensions=["ltree"]))
    assert again.extensions == ["ltree"]
    assert again.claim_comment == {"deployment": "a", "extensions": {"ltree": "1.2"}}
    assert again.claim_comment_reason == "new"
    unlisted = need_of(server(role(comment=held)), entry(extensions=None))
    assert (unlisted.claim_comment, unlisted.claim_comment_reason) == ({"deployment": "a"}, "new")


def test_the_comment_of_a_database_counts_if_its_role_is_gone() -> None:
    need = need_of(server(database(comment=comment(redis_number=3))))
    assert need.claim_comment == {"deployment": "a", "redis_number": 3}
    assert need.claim_comment_reason == "new"


def test_databases_of_others_are_closed_if_they_are_open() -> None:
    state = server(database("open", public=True), database("closed"))
    assert make_plan([], state, ["open", "closed", "missing"]).close == ["open"]
    assert make_plan([], state).close == []


def test_known_passwords_are_not_compared_again() -> None:
    state = server(role(), database())
    assert need_of(state, fitting={"a": False}).logins == Logins("a.b", True, (), ("a",))
    assert need_of(state, fitting={}).actions() == []
