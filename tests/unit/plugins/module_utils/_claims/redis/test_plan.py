# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.errors import ClaimError
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.owner import Owner
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.acl import (
    CommandSets,
    User,
    password_hash,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.error_messages import script_problems
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.plan import (
    known_dbs,
    make_plan,
    patterns_of,
    wanted_user,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.state import ServerState
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.redis_channels import SHARED_MARK

SETS = CommandSets({"slow": frozenset({"get", "move", "select"}), "admin": frozenset({"acl|setuser"})})
ENTRY = {"name": "a", "password": "new"}


def user(*passwords: str, **changes: t.Any) -> dict[str, t.Any]:
    template = User("a", 1, frozenset(), frozenset({"x:*"}), frozenset({"a:*"}))
    found = {"flags": ["on"], "passwords": [password_hash(password) for password in passwords]}
    return {**found, "commands": " ".join(template.commands()), "keys": "~x:*", "channels": "&a:*", **changes}


def state(**users: dict[str, t.Any] | None) -> ServerState:
    return ServerState("8.0", False, 16, "", False, False, False, "admin", SETS, users)


def test_passwords_stay_until_they_are_retired() -> None:
    old, new = password_hash("old"), password_hash("new")
    assert wanted_user(ENTRY, 1, user("old")).hashes == {old, new}
    assert wanted_user({**ENTRY, "retire": True}, 1, user("old")).hashes == {new}
    assert wanted_user({**ENTRY, "retire": True, "previous_password": "old"}, 1, user("old", "older")).hashes == {
        old,
        new,
    }


@pytest.mark.parametrize(
    ("entry", "retiring", "retired"),
    [
        (ENTRY, {"a"}, set()),
        ({**ENTRY, "retire": True}, set(), {"a"}),
        ({**ENTRY, "previous_password": "old"}, set(), set()),
    ],
)
def test_what_is_said_of_passwords(entry: dict[str, t.Any], retiring: set[str], retired: set[str]) -> None:
    answer = {"dbs": {"a": 1}, "fresh": [], "databases": 16}
    plan = make_plan([entry], answer, state(a=user("old", "new", keys="~a:*")), True)
    assert (plan.retiring, plan.retired) == (retiring, retired)


def test_consent_is_kept_with_the_user() -> None:
    assert wanted_user(ENTRY, 1).channels == {"a:*"}
    shared = wanted_user({**ENTRY, "shared_channels": True, "channel_patterns": ["lg:*"]}, 1)
    assert shared.channels == {"lg:*", SHARED_MARK}


def test_patterns_that_keys_may_have() -> None:
    gone = {"name": "a", "state": "absent"}
    assert patterns_of(ENTRY, state()) == ["a:*"]
    assert patterns_of(ENTRY, state(a=user())) == ["a:*", "x:*"]
    assert patterns_of(gone, state()) == ["a:*"]
    assert patterns_of(gone, state(a=user())) == ["x:*"]
    assert patterns_of({**gone, "key_patterns": ["lg:*"]}, state(a=user())) == ["lg:*", "x:*"]
    # The user of somebody else has no patterns of ours.
    assert patterns_of(gone, state(a=user(commands="+@all", keys="~*"))) == ["a:*"]


def test_what_is_remembered_of_a_server() -> None:
    claims = [
        {"name": "old", "redis_db": 1},
        {"name": "here", "redis_db": 2, "redis_server": "u"},
        {"name": "elsewhere", "redis_db": 3, "redis_server": "v"},
        {"name": "none", "redis_db": None, "redis_server": "u"},
    ]
    assert known_dbs(claims, "u") == {"old": 1, "here": 2}
    assert known_dbs(claims) == {"old": 1}


def test_codes_in_words() -> None:
    answer = {
        "databases": 16,
        "problems": [
            {"name": "a-b", "code": "owner", "db": 3, "other": "them"},
            {"name": "a-b", "code": "database_owner", "other": "them"},
            {"name": "a-b", "code": "twice", "db": 3, "other": ["x", "y"]},
        ],
    }
    lines = [str(problem) for problem in script_problems(answer, Owner("us"))]
    assert "its Redis database 3 belongs to another inventory: its owner is them, ours is us" in lines[0]
    assert "its Postgres database 'a_b' belongs to another inventory" in lines[1]
    assert "recorded for it and for 'x', 'y'" in lines[2]
    with pytest.raises(ClaimError, match="2 servers at its address: u, v"):
        list(script_problems({"lost": ["u", "v"]}, Owner()))
