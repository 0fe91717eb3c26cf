# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.acl import CommandSets, User
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.database_zero import owner_of_key
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.state import ServerState

USERS = [
    "user default off resetpass ~* &* +@all",
    "user admin on #abc ~* &* +@all",
    "user a on #abc ~a:* ~lg:* ~x:* -@all +select|1",
    "user b on #abc ~b:* ~lg:* -@all +select|2",
    "user c off #abc ~a:c* -@all +select|3",
]


def state(rules: list[str] | None) -> ServerState:
    return ServerState("8.0", False, 16, "", False, False, False, "admin", CommandSets({}), {}, rules)


@pytest.mark.parametrize(
    ("key", "owner"),
    [
        ("a:1", "a"),
        ("a:c", "a"),
        ("x:1", "a"),
        ("lg:1", None),
        ("b:1", None),
        ("y:1", None),
        ("a", None),
        ("selfhost.langgraph:claims", None),
    ],
)
def test_whose_a_key_is(key: str, owner: str | None) -> None:
    assert owner_of_key(["a"], state(USERS))(key) == owner


def test_keys_of_two_that_go_at_once() -> None:
    owner = owner_of_key(["a", "b"], state(USERS))
    assert [owner(key) for key in ("a:1", "b:1", "lg:1", "y:1")] == ["a", "b", "a", None]


@pytest.mark.parametrize("line", ["user app on nopass ~* +@all", "user default on nopass ~* +@all"])
def test_what_somebody_else_may_have_written_stays(line: str) -> None:
    users = [each for each in USERS if each.split()[1] != line.split()[1]]
    owner = owner_of_key(["a"], state([*users, line]))
    assert (owner("a:1"), owner("x:1")) == ("a", None)


def test_the_second_user_of_a_deployment() -> None:
    rules = [*USERS, "user a.b on #abc ~x:* ~z:* -@all +select|1"]
    ours = {"flags": ["on"], "commands": " ".join(User("a", 1, *[frozenset()] * 3).commands())}
    owner = owner_of_key(["a"], replace(state(rules), users={"a.b": ours}))
    assert [owner(key) for key in ("x:1", "z:1", "y:1")] == ["a", "a", None]
    # The one of somebody else has keys of its own.
    owner = owner_of_key(["a"], replace(state(rules), users={"a.b": {"flags": ["on"], "commands": "+@all"}}))
    assert [owner(key) for key in ("x:1", "z:1", "a:1")] == [None, None, "a"]


def test_our_own_keys_stay_whatever_the_patterns() -> None:
    owner = owner_of_key(["a"], state(["user a on ~* -@all +select|1"]))
    assert (owner("selfhost.langgraph:claims"), owner("z")) == (None, "a")


def test_where_users_are_not_listed_the_name_alone_counts() -> None:
    owner = owner_of_key(["a"], state(None))
    assert (owner("a:1"), owner("x:1")) == ("a", None)
