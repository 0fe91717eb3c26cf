# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two logins that alternate: which one gets a new password, and which one is closed."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.logins import (
    Logins,
    choose,
    compare_passwords,
    login_problems,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.scram import make_verifier
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.state import Role, ServerState

VERIFIERS = {password: make_verifier(password, b"salt", 1) for password in ("old", "new", "older")}


def state_of(owner: str | None, second: str | None = None, superuser: bool = True, sessions: int = 0) -> ServerState:
    """Return a server with the logins of deployment 'a': a password, 'closed', or None if the role does not exist."""
    roles = {}
    for name, password in (("a", owner), ("a.b", second)):
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
        (state_of("closed", "old"), entry(), Logins("a", set_password=True, retiring=("a.b",))),
        (state_of("old", "older"), entry(logins_in_use=["a.b"]), Logins("a", set_password=True, retiring=("a.b",))),
        (state_of("old", "older"), entry(logins_in_use=["a"]), Logins("a.b", set_password=True, retiring=("a",))),
        (state_of("old", "older"), entry(), None),
        (state_of("old", "older"), entry(logins_in_use=["a", "a.b"]), None),
        (state_of("old", "new"), entry(retire=True, logins_in_use=["a.b"]), Logins("a.b", retire=("a",))),
        (state_of("old", "new"), entry(retire=True, logins_in_use=["a"]), Logins("a.b", retiring=("a",))),
        (state_of("old", "new"), entry(retire=True), Logins("a.b", retire=("a",))),
        (state_of("closed", "new"), entry(retire=True), Logins("a.b")),
        (state_of("closed", "new", sessions=1), entry(retire=True), Logins("a.b", retire=("a",))),
        (state_of("closed", "new", sessions=1), entry(), Logins("a.b")),
        (state_of("old", "new"), entry(None, retire=True), Logins("a")),
        (state_of("closed", "new"), entry(None), Logins("a.b")),
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


@pytest.mark.parametrize(
    ("in_use", "finding", "remedy"),
    [
        (
            None,
            "not all hosts have reported which one they use",
            "remove hosts that no longer exist from the inventory",
        ),
        (["a", "a.b"], "have another password and are in use", "wait until the older of its revisions has ended"),
    ],
)
def test_the_remedy_fits_what_is_known(in_use: list[str] | None, finding: str, remedy: str) -> None:
    state, wanted = state_of("old", "older"), entry(logins_in_use=in_use)
    (problem,) = login_problems([wanted], state, compare_passwords([wanted], state))
    assert finding in problem.finding
    assert remedy in problem.remedy
