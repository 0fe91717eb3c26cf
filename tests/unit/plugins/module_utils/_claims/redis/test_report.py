# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the module redis_database returns, shows and warns about."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.acl import CommandSets, User
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.logins import Login
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.plan import Plan
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.release import Release
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.report import (
    diff_of,
    result_of,
    warnings_of,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.state import ServerState

# Enough patterns that a set is not in their order by chance.
KEYS, CHANNELS = [f"{letter}:*" for letter in "Aabcdefg"], [f"{letter}:*" for letter in "hijklmno"]
A = User("a", 1, frozenset({"hash"}), frozenset(KEYS), frozenset(CHANNELS))
B = User("b", 2, frozenset({"hash"}), frozenset({"b:*"}), frozenset({"b:*"}))


def state(**changes: t.Any) -> ServerState:
    usual = {
        "version": "8.0",
        "cluster": False,
        "databases": 16,
        "acl_file": "/etc/users.acl",
        "unsaved": False,
        "open_default": False,
        "lossy_default": False,
        "me": "admin",
        "sets": CommandSets({}),
        "users": {},
        "rules": [],
    }
    return ServerState(**{**usual, **changes})


def answer(**more: t.Any) -> dict[str, t.Any]:
    return {"databases": "16", "disputes": None, "stray": None, **more}


def test_result_of_a_plan() -> None:
    """What changes for one deployment is no change of the others; an action without a name is one of the server."""
    plan = Plan(
        dbs={"a": 1, "b": 2},
        fresh={},
        actions=[{"action": "mark_server"}, {"action": "claim", "name": "a", "redis_db": 1}],
        logins={"a": Login("a.b", retire=("a",)), "b": Login("b", retiring=("b.b",))},
    )
    assert result_of([{"name": "a"}, {"name": "b"}], plan, answer()) == {
        "changed": True,
        "databases": {
            "a": {"redis_db": 1, "user": "a.b", "changed": True, "retiring": [], "retired": ["a"]},
            "b": {"redis_db": 2, "user": "b", "changed": False, "retiring": ["b.b"], "retired": []},
        },
        "actions": plan.actions,
        "number_limit": 16,
    }


def test_result_without_changes_and_without_users() -> None:
    found = result_of([{"name": "a"}], Plan(dbs={"a": 1}, fresh={}), answer())
    assert found["changed"] is False
    assert found["databases"]["a"]["user"] is None
    assert found["databases"]["a"]["changed"] is False


def test_diff_of_a_new_user_names_every_part_and_hides_the_password() -> None:
    plan = Plan(
        dbs={"a": 1},
        fresh={},
        users=[(A, ["user"])],
        actions=[{"action": "mark_server"}, {"action": "claim", "name": "a", "redis_db": 1}],
    )
    assert diff_of(plan) == {
        "before": {
            "a": {
                "redis_db": None,
                "password": None,
                "key_patterns": None,
                "channel_patterns": None,
                "commands": None,
            }
        },
        "after": {
            "a": {
                "redis_db": 1,
                "password": "(hidden)",
                "key_patterns": KEYS,
                "channel_patterns": CHANNELS,
                "commands": " ".join(A.commands()),
            }
        },
    }


def test_diff_of_a_changed_user_has_only_what_changes() -> None:
    plan = Plan(dbs={"b": 2}, fresh={}, users=[(B, ["enabled", "password", "commands"])])
    assert diff_of(plan) == {
        "before": {"b": {"enabled": "(previous)", "password": "(previous)", "commands": "(previous)"}},
        "after": {"b": {"enabled": True, "password": "(hidden)", "commands": " ".join(B.commands())}},
    }
    assert diff_of(Plan(dbs={}, fresh={})) == {"before": {}, "after": {}}


def test_diff_of_a_deleted_user() -> None:
    plan = Plan(dbs={"a": 1}, fresh={}, logins={"a": Login("a.b", retire=("a",))})
    assert diff_of(plan) == {"before": {"a": {"enabled": True}}, "after": {"a": None}}


def test_diff_of_releases_has_only_those_that_happen() -> None:
    gone = Release("a", confirmed=True, db=1, keys=7, clients=0, users=("a",))
    kept = Release("b", confirmed=False, db=2, keys=7, clients=0, users=("a",))
    assert diff_of(Plan(dbs={}, fresh={}), [gone, kept]) == {
        "before": {"a": {"redis_db": 1, "keys": 7}},
        "after": {"a": None},
    }


@pytest.mark.parametrize(
    ("changes", "manage_users", "expected"),
    [
        ({}, True, []),
        ({}, False, ["manage_users is false"]),
        ({"acl_file": ""}, True, ["Redis has no aclfile"]),
        # Without users there is nothing to save.
        ({"acl_file": ""}, False, ["manage_users is false"]),
        ({"acl_file": None}, True, []),
        ({"rules": None}, True, ["Redis does not list its users"]),
        ({"rules": None}, False, ["manage_users is false"]),
        ({"open_default": True}, True, ["the default user of Redis is on and needs no password"]),
        ({"open_default": True}, False, ["manage_users is false"]),
        ({"lossy_default": True}, True, ["the default user of Redis lacks rights"]),
        ({"lossy_default": True}, False, ["manage_users is false", "the default user of Redis lacks rights"]),
        (
            {"acl_file": "", "rules": None, "open_default": True, "lossy_default": True},
            True,
            [
                "Redis has no aclfile",
                "Redis does not list",
                "the default user of Redis is on",
                "the default user of Redis lacks",
            ],
        ),
    ],
)
def test_warnings_about_the_server(changes: dict[str, t.Any], manage_users: bool, expected: list[str]) -> None:
    found = warnings_of(state(**changes), answer(), manage_users)
    assert [line[: len(start)] for line, start in zip(found, expected)] == expected
    assert len(found) == len(expected)


def test_warnings_about_records_and_keys() -> None:
    found = warnings_of(
        state(),
        answer(disputes=[{"name": "a", "db": 1, "other": 2}], stray=[{"db": 5, "keys": 7}]),
        True,
    )
    assert found == [
        "deployment 'a': Redis and Postgres disagree about its database number (1, 2). Neither is assigned to anybody; find"
        " out which one has its data.",
        "Redis database 5 is not claimed, but has 7 keys: it was skipped.",
    ]


def test_every_warning_says_what_to_do() -> None:
    everything = state(acl_file="", rules=None, open_default=True, lossy_default=True)
    text = " ".join(warnings_of(everything, answer(), True) + warnings_of(everything, answer(), False))
    for remedy in (
        "Set 'aclfile' in redis.conf",
        "Switch it off: ACL SETUSER default off.",
        "ACL SETUSER default off resetpass ~* &* +@all",
        "Databases are separated by convention only",
        "could not be compared",
    ):
        assert remedy in text
