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
                assert before.users[found.user] == NEW
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
    assert "wait until the older of its revisions has ended" in known.remedy


def test_a_second_user_of_somebody_else_is_refused() -> None:
    theirs = user("theirs", commands="+@all")
    (problem,) = login_problems([entry()], state(NEW, theirs))
    assert (problem.option, problem.finding) == (
        "name",
        "the Redis user 'a.b' has rules that this collection did not write",
    )
    # One with the wanted password is ours, although somebody has changed its rights.
    assert list(login_problems([entry()], state(None, user("new", commands="+@all")))) == []
