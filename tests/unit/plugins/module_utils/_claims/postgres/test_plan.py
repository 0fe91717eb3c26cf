# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans of Postgres, applied to a model of a server: a plan corrects everything, and a second plan is empty."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.owner import Owner
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.comment import (
    decode_claim_comment,
    encode_claim_comment,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.logins import (
    acting_logins,
    compare_passwords,
    login_problems,
    logins_of,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.plan import FORBIDDEN, Need, make_plan
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.problems import (
    entry_problems,
    state_problems,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.report import result_of
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.scram import make_verifier
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.state import (
    Database,
    Role,
    ServerState,
    claims_of,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.names import identifier

ME = {"name": "postgres", "superuser": True, "createdb": True, "createrole": True}
VERIFIERS = {password: make_verifier(password, b"salt", 1) for password in ("p", "q")}
NAMES = ["a", "b-c", "d", "e"]


def state_of(roles: t.Iterable[Role] = (), databases: t.Iterable[Database] = ()) -> ServerState:
    return ServerState(
        version=150000,
        max_connections=100,
        me=ME,
        roles={role.name: role for role in roles},
        databases={database.name: database for database in databases},
        extensions={"vector": "0.8", "ltree": "1.2"},
    )


OURS, THEIRS = "o" * 22, "t" * 22
OWNER = Owner(OURS, take_over=False)


def problems(wanted: list[dict[str, t.Any]], state: ServerState) -> list[t.Any]:
    found = [*entry_problems(wanted), *state_problems(wanted, state, OWNER)]
    return found or list(login_problems(wanted, state, compare_passwords(wanted, state)))


def plan_of(wanted: list[dict[str, t.Any]], state: ServerState) -> t.Any:
    return make_plan(wanted, state, owner=OURS)


def changed_role(role: Role, need: Need, what: t.Sequence[str]) -> Role:
    """Change a role as ALTER ROLE does."""
    changes: dict[str, t.Any] = {bit: False for bit in what if bit in FORBIDDEN}
    if {"login", "password"} & set(what):
        changes["login"] = True
    if "connection_limit" in what:
        changes["limit"] = need.entry["connection_limit"]
    if "password" in what:
        changes["verifier"] = VERIFIERS[need.entry["password"]]
    if "membership" in what:
        changes["member_of"] = (need.target,)
    if "acting" in what:
        changes["settings"] = (f"role={need.target}",)
    return dataclasses.replace(role, **changes)


def apply(state: ServerState, needs: t.Sequence[Need]) -> ServerState:
    """Apply needs to the model."""
    roles, databases = dict(state.roles), dict(state.databases)
    for need in needs:
        role = roles.get(need.target) or Role(need.target, False, *[False] * 5, -1, False, None, None)
        new = ["login", "connection_limit", "password"]
        role = changed_role(role, need, new if need.create_role else need.change_role)
        for name in need.create_logins:
            claim_comment = encode_claim_comment({"deployment": need.name, "login_of": need.target})
            created = Role(name, False, *[False] * 5, -1, False, None, claim_comment)
            roles[name] = changed_role(created, need, [*new, "membership", "acting"])
        for name, what in need.change_logins.items():
            roles[name] = changed_role(roles[name], need, what)
        database = databases.get(need.target) or Database(need.target, need.target, False, True, None)
        good: dict[str, dict[str, t.Any]] = {
            "owner": {"owner": need.target},
            "public": {"public": False},
            "grants": {"grantees": tuple(name for name in database.grantees if name not in need.revoke)},
            "allow_connections": {"allow": True},
            "template": {"template": False},
        }
        for what in good if need.create_database else need.change_database:
            database = dataclasses.replace(database, **good[what])
        if need.claim_comment is not None:
            role = dataclasses.replace(role, comment=encode_claim_comment(need.claim_comment))
            database = dataclasses.replace(database, comment=encode_claim_comment(need.claim_comment))
        roles[need.target], databases[need.target] = role, database
        for name in need.logins.retire:
            roles[name] = dataclasses.replace(roles[name], login=False, verifier=None, sessions=0)
    return dataclasses.replace(state, roles=roles, databases=databases)


claim_comments = st.one_of(
    st.none(),
    st.fixed_dictionaries(
        {"redis_number": st.one_of(st.none(), st.integers(1, 4))},
        optional={"owner": st.sampled_from([OURS, THEIRS]), "redis_server": st.sampled_from(["one", "two"])},
    ),
)


@st.composite
def acting(draw: st.DrawFn, name: str, login: str) -> Role:
    claim_comment = {"deployment": name, "login_of": identifier(name)}
    return Role(
        login,
        draw(st.booleans()),
        *[False] * 5,
        draw(st.sampled_from([-1, 5])),
        False,
        draw(st.sampled_from([None, *VERIFIERS.values()])),
        draw(st.sampled_from([encode_claim_comment(claim_comment), None])),
        draw(st.sampled_from([(), (identifier(name),)])),
        draw(st.sampled_from([(), (f"role={identifier(name)}",)])),
        draw(st.sampled_from([0, 2])),
    )


@st.composite
def states(draw: st.DrawFn) -> ServerState:
    roles, databases = [], []
    for name in NAMES:
        claim_comment = draw(claim_comments)
        comment = None if claim_comment is None else encode_claim_comment({"deployment": name, **claim_comment})
        bits = draw(st.lists(st.booleans(), min_size=7, max_size=7))
        if draw(st.booleans()):
            verifier = draw(st.sampled_from([None, *VERIFIERS.values()]))
            roles.append(Role(identifier(name), *bits[:6], draw(st.sampled_from([-1, 5])), bits[6], verifier, comment))
            roles += [draw(acting(name, login)) for login in acting_logins(name) if draw(st.booleans())]
        if draw(st.booleans()):
            owner = draw(st.sampled_from([identifier(name), "postgres"]))
            given = tuple(
                draw(st.lists(st.sampled_from(["metrics", *map(identifier, NAMES)]), unique=True, max_size=2))
            )
            rest = {"template": draw(st.booleans()), "grantees": given}
            databases.append(
                Database(identifier(name), owner, bits[0], bits[1], draw(st.sampled_from([None, comment])), **rest)
            )
    return state_of(roles, databases)


def named_logins(entry: dict[str, t.Any]) -> dict[str, t.Any]:
    names = dict(zip(("OWNER", "SECOND", "THIRD"), logins_of(entry["name"])))
    return {**entry, "logins_in_use": entry["logins_in_use"] and [names[word] for word in entry["logins_in_use"]]}


entries = st.lists(
    st.fixed_dictionaries(
        {
            "name": st.sampled_from(NAMES),
            "password": st.sampled_from(["p", "q"]),
            "connection_limit": st.sampled_from([-1, 5]),
            "extensions": st.lists(st.sampled_from(["vector", "ltree"]), unique=True),
            "redis_db": st.one_of(st.none(), st.integers(1, 4)),
            "redis_server": st.sampled_from([None, "one", "two"]),
            "logins_in_use": st.sampled_from(
                [None, [], ["OWNER"], ["SECOND"], ["OWNER", "THIRD"], ["SECOND", "THIRD"]]
            ),
            "retire": st.booleans(),
        }
    ).map(named_logins),
    max_size=4,
)


@given(states(), entries)
def test_a_plan_cures_everything_once(state: ServerState, wanted: list[dict[str, t.Any]]) -> None:
    if problems(wanted, state):
        return
    plan = plan_of(wanted, state)
    after = apply(state, plan.needs)
    assert problems(wanted, after) == []
    assert plan_of(wanted, after).actions() == []
    for entry in wanted:
        role, database = after.roles[identifier(entry["name"])], after.databases[identifier(entry["name"])]
        assert (database.owner, database.allow, database.public) == (role.name, True, False)
        assert (database.template, set(database.grantees) <= set(logins_of(entry["name"]))) == (False, True)
        assert role.limit == entry["connection_limit"]
        assert not any(getattr(role, bit) for bit in FORBIDDEN)
        outcome = result_of(plan, state)["databases"][entry["name"]]
        login = after.roles[outcome["login"]]
        assert (login.login, login.limit) == (True, entry["connection_limit"])
        assert login.verifier == VERIFIERS[entry["password"]]
        before = state.roles.get(role.name)
        assert login is not role or before is None or before.verifier == login.verifier, (
            "it never gets another password"
        )
        assert login is role or (login.member_of, login.settings) == ((role.name,), (f"role={role.name}",))
        used = set(entry["logins_in_use"] or ())
        before = {name: state.roles[name] for name in logins_of(entry["name"]) if name in state.roles}
        for name in used & set(before):
            assert after.roles[name].verifier == before[name].verifier or name not in used, "who is in use keeps it"
        still_open = {
            name
            for name in logins_of(entry["name"])
            if name in after.roles and after.roles[name].login and after.roles[name].verifier
        }
        right = {name for name in still_open if after.roles[name].verifier == VERIFIERS[entry["password"]]}
        assert still_open - right == set(outcome["retiring"])
        assert not (entry["retire"] and still_open - right - used), "nothing else stays open"
    # The result is what is recorded afterwards, and all other roles are unchanged.
    for name, item in result_of(plan, state)["databases"].items():
        claim_comment = decode_claim_comment(after.databases[item["database"]].comment) or {}
        assert (claim_comment["deployment"], claim_comment.get("redis_number")) == (name, item["redis_db"])
    named = {role for entry in wanted for role in logins_of(entry["name"])}
    assert {name: role for name, role in after.roles.items() if name not in named} == {
        name: role for name, role in state.roles.items() if name not in named
    }


@given(states(), entries)
def test_no_number_gets_two_names(state: ServerState, wanted: list[dict[str, t.Any]]) -> None:
    def doubles(some: ServerState) -> set[t.Any]:
        claims = claims_of(some)
        return {
            frozenset((one["name"], other["name"]))
            for one in claims
            for other in claims
            if one["name"] != other["name"]
            and one["redis_db"] is not None
            and one["redis_db"] == other["redis_db"]
            and one["redis_server"] == other["redis_server"]
        }

    if problems(wanted, state):
        return
    assert doubles(apply(state, plan_of(wanted, state).needs)) <= doubles(state)


@given(states(), entries)
def test_what_is_not_ours_is_never_planned_for(state: ServerState, wanted: list[dict[str, t.Any]]) -> None:
    strangers = {name for name, role in state.roles.items() if role.claim_comment is None}
    refused = {identifier(problem.deployment) for problem in state_problems(wanted, state, OWNER)}
    assert {identifier(entry["name"]) for entry in wanted} & strangers <= refused
    for entry in wanted:
        claim = next((claim for claim in claims_of(state) if claim["name"] == entry["name"]), {})
        if claim.get("owner") == THEIRS or set(acting_logins(entry["name"])) & strangers:
            assert identifier(entry["name"]) in refused


def test_a_claim_comment_counts_under_its_own_name_only() -> None:
    forged = encode_claim_comment({"deployment": "b-c", "redis_number": 7})
    honest = encode_claim_comment({"deployment": "b-c", "redis_number": 2})
    role = Role("b_c", True, *[False] * 5, -1, False, None, honest)
    state = state_of([role], [Database("a", "a", True, False, forged), Database("b_c", "b_c", True, False, forged)])
    assert [(claim["name"], claim["redis_db"]) for claim in claims_of(state)] == [("b-c", 2)]


def test_comments_of_others_are_not_claim_comments() -> None:
    for comment in (
        None,
        "",
        "our database",
        "[1]",
        '{"x": 1}',
        '{"selfhost.langgraph": 1}',
        '{"selfhost.langgraph": {}}',
    ):
        assert decode_claim_comment(comment) is None
    assert decode_claim_comment(encode_claim_comment({"deployment": "a", "x": 1})) == {"deployment": "a", "x": 1}


@pytest.mark.parametrize(
    ("remembered", "wanted", "refused", "then"),
    [
        ({}, {}, False, None),
        ({}, {"aes_keys": ["one"]}, False, "one"),
        ({"aes": "one"}, {}, False, "one"),
        ({"aes": "one"}, {"aes_keys": ["one"]}, False, "one"),
        ({"aes": "one"}, {"aes_keys": ["new", "one"]}, False, "new"),
        ({"aes": "one"}, {"aes_keys": ["two", "three"]}, True, None),
        ({"aes": "one"}, {"aes_keys": []}, True, None),
        ({"aes": "one"}, {"aes_keys": ["two"], "accept_new_aes_key": True}, False, "two"),
        ({"aes": "one"}, {"aes_keys": [], "accept_new_aes_key": True}, False, None),
    ],
)
def test_an_aes_key_that_is_remembered(
    remembered: dict[str, str], wanted: dict[str, t.Any], refused: bool, then: str | None
) -> None:
    """Whether or not the deployment serves now, on any host."""
    claim_comment = encode_claim_comment({"deployment": "a", "owner": OURS, **remembered})
    role = Role("a", True, *[False] * 5, -1, False, VERIFIERS["p"], claim_comment)
    state = state_of([role], [Database("a", "a", False, True, claim_comment)])
    entry = {"name": "a", "password": "p", "connection_limit": -1, "extensions": [], **wanted}
    found = problems([entry], state)
    assert [problem.option for problem in found] == (["langgraph_aes_key"] if refused else [])
    if not refused:
        (need,) = plan_of([entry], state).needs
        assert (need.claim_comment or decode_claim_comment(claim_comment)).get("aes") == then
        assert (need.claim_comment is None) == (then == remembered.get("aes"))


def test_an_aes_key_of_a_lost_secret_key_cannot_be_compared() -> None:
    claim_comment = encode_claim_comment({"deployment": "a", "owner": THEIRS, "aes": "one"})
    role = Role("a", True, *[False] * 5, -1, False, VERIFIERS["p"], claim_comment)
    state = state_of([role], [Database("a", "a", False, True, claim_comment)])
    entry = {"name": "a", "password": "p", "connection_limit": -1, "extensions": [], "aes_keys": ["two"]}
    assert [problem.option for problem in state_problems([entry], state, OWNER)] == ["name"]
    assert not list(state_problems([entry], state, Owner(OURS, take_over=True)))
    (need,) = plan_of([entry], state).needs
    assert (need.claim_comment or {}).get("aes") == "two"


def test_of_a_stopped_deployment_only_the_record_changes() -> None:
    """Its entry may consist of its name only. A fingerprint of a key under another owner would never match again."""
    claim_comment = encode_claim_comment({"deployment": "a", "owner": THEIRS, "aes": "one"})
    role = Role("a", False, *[False] * 5, 36, False, None, claim_comment)
    state = state_of([role], [Database("a", "a", True, True, claim_comment)])
    entry = {"name": "a", "manage_login": False, "connection_limit": 96, "extensions": ["none"], "redis_db": 3}
    assert not list(state_problems([entry], state, Owner(OURS, (THEIRS,))))
    (need,) = make_plan([entry], state, owner=OURS).needs
    assert need.claim_comment == {"deployment": "a", "owner": OURS, "redis_number": 3}
    assert [action["action"] for action in need.actions()] == ["remember"]
    (need,) = make_plan([{**entry, "redis_db": None}], state, owner=THEIRS).needs
    assert need.actions() == []
    # A key in its entry is recorded for the new owner if it is the one of before, and refused only when it runs.
    (need,) = make_plan([{**entry, "aes_keys": ["new", "one"]}], state, owner=OURS).needs
    assert (need.claim_comment or {})["aes"] == "new"
    other = {**entry, "aes_keys": ["two"]}
    assert not list(state_problems([other], state, Owner(OURS, (THEIRS,))))
    (need,) = make_plan([other], state, owner=OURS).needs
    assert "aes" not in (need.claim_comment or {})
    (need,) = make_plan([{**other, "redis_db": None}], state, owner=THEIRS).needs
    assert need.actions() == []
    # What is lost is created again when it runs.
    (need,) = make_plan([entry], state_of([], []), owner=OURS).needs
    assert need.actions() == []
    assert not list(state_problems([entry], state_of([], []), Owner(OURS)))


# The role's limit, the wanted limit, whether it may be lowered -> whether it changes.
CONNECTION_LIMITS = [
    (96, 96, True, False),
    (96, 200, False, True),
    (200, 96, True, True),
    (200, 96, False, False),
    (-1, 96, True, True),
    (-1, 96, False, False),
    (96, -1, False, True),
    (96, 0, False, False),
    (0, 96, False, True),
    (0, 0, True, False),
    (-1, -1, False, False),
]


@pytest.mark.parametrize(("has", "wanted", "lower", "changes"), CONNECTION_LIMITS)
def test_a_limit_is_lowered_only_where_it_may_be(has: int, wanted: int, lower: bool, changes: bool) -> None:
    """On both logins: a running revision may use either."""
    claim_comment = encode_claim_comment({"deployment": "a"})
    rights = [False] * 5
    owner = Role("a", True, *rights, has, False, VERIFIERS["p"], claim_comment)
    second = Role("a.b", True, *rights, has, False, VERIFIERS["q"], None, ("a",), ("role=a",))
    state = state_of([owner, second], [Database("a", "a", True, False, claim_comment)])
    entry = {
        "name": "a",
        "password": "p",
        "connection_limit": wanted,
        "lower_connection_limit": lower,
        "extensions": [],
    }
    (need,) = plan_of([entry], state).needs
    expected = ["connection_limit"] if changes else []
    assert (need.change_role, need.change_logins.get("a.b", [])) == (expected, expected)
