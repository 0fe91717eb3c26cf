# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which of a deployment's two Redis users gets a password, and which one is deleted."""

from __future__ import annotations

import itertools
import typing as t

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.acl import (
    CommandSets,
    User,
    password_hash,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.logins import (
    Login,
    changed_users,
    choose,
    closing,
    login_problems,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.state import ServerState

SETS = CommandSets({"slow": frozenset({"get", "move", "select"}), "admin": frozenset({"acl|setuser"})})


def user(*passwords: str, **changes: t.Any) -> dict[str, t.Any]:
    template = User("a", 1, frozenset(), frozenset(), frozenset())
    found = {"flags": ["on"], "passwords": [password_hash(password) for password in passwords]}
    return {**found, "commands": " ".join(template.commands()), **changes}


def state(first: dict[str, t.Any] | None = None, second: dict[str, t.Any] | None = None) -> ServerState:
    return ServerState("8.0", False, 16, "", False, False, False, "admin", SETS, {"a": first, "a.b": second})


def entry(**options: t.Any) -> dict[str, t.Any]:
    return {"name": "a", "password": "new", **options}


NEW, OLD, OPEN = user("new"), user("old"), user(flags=["on", "nopass"])
# Users on the server, options -> the result.
CASES: dict[str, tuple[ServerState, dict[str, t.Any], Login | None]] = {
    "first claim": (state(), {}, Login("a")),
    "nothing to do": (state(NEW), {}, Login("a")),
    "nothing to do, with the second": (state(None, NEW), {}, Login("a.b")),
    "another password": (state(OLD), {}, Login("a.b", retiring=("a",))),
    "another password, first is free": (state(None, OLD), {}, Login("a", retiring=("a.b",))),
    "still in use": (state(OLD, NEW), {"users_in_use": ["a", "a.b"], "retire": True}, Login("a.b", retiring=("a",))),
    "no longer in use": (state(OLD, NEW), {"users_in_use": ["a.b"], "retire": True}, Login("a.b", retire=("a",))),
    "not asked to retire": (state(OLD, NEW), {"users_in_use": ["a.b"]}, Login("a.b", retiring=("a",))),
    "a rollout never came": (state(OLD), {"users_in_use": []}, Login("a")),
    "the next password while one drains": (
        state(OLD, user("older")),
        {"users_in_use": ["a.b"]},
        Login("a", retiring=("a.b",)),
    ),
    "both in use": (state(OLD, user("older")), {"users_in_use": ["a", "a.b"]}, None),
    "both exist, use unknown": (state(OLD, user("older")), {}, None),
    "both exist, use unknown, to retire": (state(OLD, user("older")), {"retire": True}, Login("a", retire=("a.b",))),
    "use unknown, to retire": (state(OLD, NEW), {"retire": True}, Login("a.b", retire=("a",))),
    # Redis does not report which password opened a session, so a user with two passwords is replaced.
    "two passwords": (state(user("new", "old")), {"users_in_use": ["a"]}, Login("a.b", retiring=("a",))),
    "no password needed": (state(OPEN), {"users_in_use": ["a"]}, Login("a")),
    "no password needed while it drains": (
        state(OPEN, NEW),
        {"users_in_use": ["a", "a.b"]},
        Login("a.b", retire=("a",)),
    ),
    "off": (state(user("new", flags=["off"])), {}, Login("a")),
}


@pytest.mark.parametrize(("before", "options", "expected"), CASES.values(), ids=CASES)
def test_choice(before: ServerState, options: dict[str, t.Any], expected: Login | None) -> None:
    assert choose(entry(**options), before) == expected
    found = [problem.option for problem in login_problems([entry(**options)], before)]
    assert found == ([] if expected else ["password"])


def test_no_user_in_use_changes() -> None:
    """Whatever the state: a user that a revision logs in as keeps its password, and is not deleted."""
    passwords = (None, NEW, OLD, user("new", "old"), user("older"))
    for first, second, retire in itertools.product(passwords, passwords, (True, False)):
        for in_use in ([], ["a"], ["a.b"], ["a", "a.b"]):
            before = state(first, second)
            found = choose(entry(users_in_use=in_use, retire=retire), before)
            if found is None:
                assert in_use == ["a", "a.b"]
                continue
            assert not set(found.retire) & set(in_use)
            if found.user in in_use:
                # It has the password already, or it was lost.
                assert before.users[found.user] in (NEW, None)
            others = {name for name in ("a", "a.b") if before.users[name] and name != found.user}
            assert {*found.retire, *found.retiring} == others


def test_another_node_of_a_cluster_follows() -> None:
    assert closing(entry(), state(NEW), "a.b") == Login("a.b", retiring=("a",))
    assert closing(entry(retire=True), state(OLD), "a.b") == Login("a.b", retire=("a",))
    assert closing(entry(retire=True), state(), "a") == Login("a")


def test_refusals_name_both_users() -> None:
    both = state(OLD, user("older"))
    (unknown,) = login_problems([entry()], both)
    assert "not all hosts have reported which user they use" in unknown.finding
    assert "users_in_use" in unknown.remedy
    (known,) = login_problems([entry(users_in_use=["a", "a.b"])], both)
    assert known.finding == "neither of its Redis users 'a' and 'a.b' has the wanted password, and both are in use"
    assert "run this with the previous password once more" in known.remedy


THEIRS = user("theirs", commands="+@all")


def test_a_second_user_of_somebody_else_is_never_touched() -> None:
    assert choose(entry(retire=True, users_in_use=["a"]), state(NEW, THEIRS)) == Login("a")
    assert choose(entry(users_in_use=[]), state(OLD, THEIRS)) == Login("a")
    rotated = entry(users_in_use=["a"])
    assert choose(rotated, state(OLD, THEIRS)) is None
    (problem,) = login_problems([rotated], state(OLD, THEIRS))
    assert "the Redis user 'a.b' has rules that this collection did not write" in problem.finding
    assert "ACL DELUSER a.b" in problem.remedy
    # Ours, although somebody has changed its rights: the one that revisions use, and one that may select a database.
    assert choose(entry(users_in_use=["a.b"], retire=True), state(NEW, THEIRS)) == Login("a", retiring=("a.b",))
    altered = user("old", commands="-@all +get +select|3")
    assert choose(entry(users_in_use=["a"], retire=True), state(NEW, altered)) == Login("a", retire=("a.b",))
    # One with the wanted password is ours, although somebody has changed its rights.
    assert choose(entry(), state(None, user("new", commands="+@all"))) == Login("a.b")


@pytest.mark.parametrize(
    ("in_use", "before", "expected"),
    [
        (["a"], state(), Login("a")),
        (["a.b"], state(), Login("a.b")),
        (["a.b", "a"], state(), Login("a.b")),
        # An older file of users was restored.
        (["a.b"], state(OLD), Login("a.b", retire=("a",))),
        (["a.b", "a"], state(OLD), Login("a.b", retiring=("a",))),
    ],
)
def test_a_lost_user_that_revisions_use_is_created_again(
    in_use: list[str], before: ServerState, expected: Login
) -> None:
    assert choose(entry(users_in_use=in_use, retire=True), before) == expected


def test_users_that_a_run_changes() -> None:
    draining = entry(users_in_use=["a.b", "a"], retire=True)
    assert changed_users([draining], state(OLD, NEW)) == {"a.b"}
    assert changed_users([entry(users_in_use=["a.b"], retire=True)], state(OLD, NEW)) == {"a.b", "a"}
    assert changed_users([draining], state(OLD, user("older"))) == set()
