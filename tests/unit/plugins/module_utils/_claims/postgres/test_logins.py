# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The logins of a deployment: which one gets a new password, and which ones are closed."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.logins import (
    Logins,
    choose,
    compare_passwords,
    is_open,
    login_problems,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.scram import make_verifier
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.state import Role, ServerState

VERIFIERS = {password: make_verifier(password, b"salt", 1) for password in ("old", "new", "older")}


def state_of(
    owner: str | None, second: str | None = None, third: str | None = None, superuser: bool = True, sessions: int = 0
) -> ServerState:
    """Return a server with the logins of deployment 'a': a password, 'closed', or None if the role does not exist."""
    roles = {}
    for name, password in (("a", owner), ("a.b", second), ("a.c", third)):
        if password is not None:
            opened = password != "closed"
            verifier = VERIFIERS[password] if opened and superuser else None
            roles[name] = Role(name, opened, *[False] * 5, -1, False, verifier, None, sessions=sessions)
    me = {"name": "postgres", "superuser": superuser, "createdb": True, "createrole": True}
    return ServerState(version=150000, max_connections=100, me=me, roles=roles, databases={}, extensions={})


def entry(password: str | None = "new", **more: t.Any) -> dict[str, t.Any]:
    return {"name": "a", "password": password, "logins_in_use": None, "retire": False, **more}


@pytest.mark.parametrize(
    ("state", "wanted", "expected"),
    [
        (state_of(None), entry(), Logins("a", set_password=True)),
        (state_of("new"), entry(), Logins("a")),
        (state_of("old", "new"), entry(), Logins("a.b", retiring=("a",))),
        (state_of("old"), entry(), Logins("a.b", set_password=True, retiring=("a",))),
        (state_of("old"), entry(logins_in_use=["a"]), Logins("a.b", set_password=True, retiring=("a",))),
        (state_of("old"), entry(logins_in_use=[]), Logins("a", set_password=True)),
        # Once there is another login, another password never goes to the owner.
        (state_of("closed", "old"), entry(), Logins("a.c", set_password=True, retiring=("a.b",))),
        (state_of("closed", "old", "closed"), entry(), Logins("a.c", set_password=True, retiring=("a.b",))),
        (state_of("closed", "closed", "old"), entry(), Logins("a.b", set_password=True, retiring=("a.c",))),
        (state_of("old", "older"), entry(logins_in_use=["a.b"]), Logins("a.c", True, retiring=("a", "a.b"))),
        (state_of("old", "older"), entry(logins_in_use=["a"]), Logins("a.b", set_password=True, retiring=("a",))),
        (state_of("old", "older"), entry(), Logins("a.c", set_password=True, retiring=("a", "a.b"))),
        (state_of("closed", "old", "older"), entry(), None),
        (state_of("closed", "old", "older"), entry(logins_in_use=["a.b", "a.c"]), None),
        (state_of("closed", "old", "older"), entry(logins_in_use=["a.b"]), Logins("a.c", True, retiring=("a.b",))),
        (state_of("old", "new"), entry(retire=True, logins_in_use=["a.b"]), Logins("a.b", retire=("a",))),
        (state_of("old", "new"), entry(retire=True, logins_in_use=["a"]), Logins("a.b", retiring=("a",))),
        (state_of("old", "new"), entry(retire=True), Logins("a.b", retire=("a",))),
        (state_of("closed", "new"), entry(retire=True), Logins("a.b")),
        (state_of("closed", "new", sessions=1), entry(retire=True), Logins("a.b", retire=("a",))),
        (state_of("closed", "new", sessions=1), entry(), Logins("a.b")),
        (state_of("old", "new"), entry(None, retire=True), Logins("a")),
        (state_of("closed", "new"), entry(None), Logins("a.b")),
        (state_of("closed"), entry(None), Logins("a")),
        (state_of("closed", "closed"), entry(None), Logins("a")),
        (state_of("new", "new"), entry(retire=True), Logins("a")),
    ],
)
def test_choice(state: ServerState, wanted: dict[str, t.Any], expected: Logins | None) -> None:
    fitting = compare_passwords([wanted], state)
    assert choose(wanted, state, fitting) == expected
    assert bool(list(login_problems([wanted], state, fitting))) == (expected is None)


def test_what_could_not_be_tried_is_left_as_it_is() -> None:
    state = state_of("old", "older", superuser=False)
    assert choose(entry(retire=True), state, {"a": None, "a.b": False}) == Logins("a", retire=("a.b",))
    assert choose(entry(retire=True), state, {"a": None, "a.b": None}) == Logins("a")
    assert choose(entry(retire=True), state, {}) == Logins("a")


@pytest.mark.parametrize(
    ("in_use", "finding", "remedy"),
    [
        (
            None,
            "not all hosts have reported which login they use",
            "remove hosts that no longer exist from the inventory",
        ),
        (
            ["a.b", "a.c"],
            "has the wanted password, and both are in use",
            "wait until the older of its revisions has ended",
        ),
    ],
)
def test_the_remedy_fits_what_is_known(in_use: list[str] | None, finding: str, remedy: str) -> None:
    state, wanted = state_of("closed", "old", "older"), entry(logins_in_use=in_use)
    (problem,) = login_problems([wanted], state, compare_passwords([wanted], state))
    assert (problem.deployment, problem.option) == ("a", "password")
    assert "neither of its logins 'a.b' and 'a.c' has the wanted password" in problem.finding
    assert finding in problem.finding
    assert remedy in problem.remedy


@pytest.mark.parametrize(
    ("state", "opened"),
    [
        (state_of("old"), True),
        (state_of("closed"), False),
        (state_of(None), False),
        # Only a superuser sees whether there is a password.
        (state_of("old", superuser=False), True),
        (state_of("closed", superuser=False), False),
    ],
)
def test_logins_that_are_possible(state: ServerState, opened: bool) -> None:
    assert is_open("a", state) == opened


def test_a_login_without_a_password_is_closed_to_a_superuser() -> None:
    role = Role("a", True, *[False] * 5, -1, False, None, None)
    me = {"name": "postgres", "superuser": True, "createdb": True, "createrole": True}
    assert not is_open("a", ServerState(150000, 100, me, {"a": role}, {}, {}))
    assert is_open("a", ServerState(150000, 100, {**me, "superuser": False}, {"a": role}, {}, {}))


def test_a_closed_owner_with_a_known_password_stays_closed() -> None:
    """A session of another login set it, to be opened again with it."""
    state = state_of("new", "new")
    state.roles["a"] = dataclasses.replace(state.roles["a"], login=False)
    assert choose(entry(), state, compare_passwords([entry()], state)) == Logins("a.b")


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_many_passwords_are_compared_like_few(count: int) -> None:
    """From four logins on in parallel."""
    names = [f"n{number}" for number in range(count)]
    roles = {}
    for name in names:
        for login, password in ((name, "old"), (f"{name}.b", "new")):
            roles[login] = Role(login, True, *[False] * 5, -1, False, VERIFIERS[password], None)
    me = {"name": "postgres", "superuser": True, "createdb": True, "createrole": True}
    state = ServerState(version=150000, max_connections=100, me=me, roles=roles, databases={}, extensions={})
    wanted = [{"name": name, "password": "new"} for name in [*names, "missing"]]
    expected = {login: login.endswith(".b") for login in roles}
    assert compare_passwords([*wanted, {"name": "n0", "password": None}], state) == expected
