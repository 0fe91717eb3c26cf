# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans of Postgres, played on a model of a server: what is planned cures everything, and only once."""

from __future__ import annotations

import dataclasses
import typing as t

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims import decode_mark, encode_mark, identifier
from ansible_collections.selfhost.langgraph.plugins.module_utils._postgres_plan import (
    FORBIDDEN,
    Need,
    entry_problems,
    make_plan,
    world_problems,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._postgres_report import result_of
from ansible_collections.selfhost.langgraph.plugins.module_utils._postgres_world import (
    Database,
    Role,
    World,
    claims_of,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._scram import make_verifier

ME = {"name": "postgres", "superuser": True, "createdb": True, "createrole": True}
VERIFIERS = {password: make_verifier(password, b"salt", 1) for password in ("p", "q")}
NAMES = ["a", "b-c", "d", "e"]


def world_of(roles: t.Iterable[Role] = (), databases: t.Iterable[Database] = ()) -> World:
    return World(
        version=150000,
        max_connections=100,
        me=ME,
        roles={role.name: role for role in roles},
        databases={database.name: database for database in databases},
        extensions={"vector": "0.8", "ltree": "1.2"},
    )


def apply(world: World, needs: t.Sequence[Need]) -> World:
    """Play needs on the model."""
    roles, databases = dict(world.roles), dict(world.databases)
    for need in needs:
        role = roles.get(need.target) or Role(need.target, False, *[False] * 5, -1, False, None, None)
        limit, password = need.entry.get("connection_limit", -1), need.entry.get("password")
        if need.create_role or need.change_role:
            role = dataclasses.replace(
                role, login=True, limit=limit, **{bit: False for bit in need.change_role if bit in FORBIDDEN}
            )
        if need.create_role or "password" in need.change_role:
            role = dataclasses.replace(role, verifier=VERIFIERS[password])
        database = databases.get(need.target) or Database(need.target, need.target, False, True, None)
        good = {"owner": need.target, "public": False, "allow_connections": True}
        for what in good if need.create_database else need.change_database:
            database = dataclasses.replace(database, **{what.split("_")[0]: good[what]})
        if need.mark is not None:
            role = dataclasses.replace(role, comment=encode_mark(need.mark))
            database = dataclasses.replace(database, comment=encode_mark(need.mark))
        roles[need.target], databases[need.target] = role, database
    return dataclasses.replace(world, roles=roles, databases=databases)


marks = st.one_of(
    st.none(),
    st.fixed_dictionaries({"redis_number": st.one_of(st.none(), st.integers(1, 4))}),
)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    roles, databases = [], []
    for name in NAMES:
        mark = draw(marks)
        comment = None if mark is None else encode_mark({"deployment": name, **mark})
        bits = draw(st.lists(st.booleans(), min_size=7, max_size=7))
        if draw(st.booleans()):
            verifier = draw(st.sampled_from([None, *VERIFIERS.values()]))
            roles.append(Role(identifier(name), *bits[:6], draw(st.sampled_from([-1, 5])), bits[6], verifier, comment))
        if draw(st.booleans()):
            owner = draw(st.sampled_from([identifier(name), "postgres"]))
            databases.append(
                Database(identifier(name), owner, bits[0], bits[1], draw(st.sampled_from([None, comment])))
            )
    return world_of(roles, databases)


entries = st.lists(
    st.fixed_dictionaries(
        {
            "name": st.sampled_from(NAMES),
            "password": st.sampled_from(["p", "q"]),
            "connection_limit": st.sampled_from([-1, 5]),
            "extensions": st.lists(st.sampled_from(["vector", "ltree"]), unique=True),
            "redis_number": st.one_of(st.none(), st.integers(1, 4)),
        }
    ),
    max_size=4,
)


@given(worlds(), entries)
def test_a_plan_cures_everything_once(world: World, wanted: list[dict[str, t.Any]]) -> None:
    if list(entry_problems(wanted)) or list(world_problems(wanted, world)):
        return
    plan = make_plan(wanted, world)
    after = apply(world, plan.needs)
    assert list(world_problems(wanted, after)) == []
    assert make_plan(wanted, after).actions() == []
    for entry in wanted:
        role, database = after.roles[identifier(entry["name"])], after.databases[identifier(entry["name"])]
        assert (database.owner, database.allow, database.public) == (role.name, True, False)
        assert (role.login, role.limit) == (True, entry["connection_limit"])
        assert role.verifier == VERIFIERS[entry["password"]]
        assert not any(getattr(role, bit) for bit in FORBIDDEN)
    # What was promised before is what stands there then, and every bystander is as it was.
    for name, item in result_of(plan, world)["databases"].items():
        mark = decode_mark(after.databases[item["database"]].comment) or {}
        assert (mark["deployment"], mark.get("redis_number")) == (name, item["redis_number"])
    named = {identifier(entry["name"]) for entry in wanted}
    assert {name: role for name, role in after.roles.items() if name not in named} == {
        name: role for name, role in world.roles.items() if name not in named
    }


@given(worlds(), entries)
def test_no_number_gets_two_names(world: World, wanted: list[dict[str, t.Any]]) -> None:
    def doubles(some: World) -> set[int]:
        numbers = [claim["redis_number"] for claim in claims_of(some) if claim["redis_number"] is not None]
        return {number for number in numbers if numbers.count(number) > 1}

    if list(entry_problems(wanted)) or list(world_problems(wanted, world)):
        return
    assert doubles(apply(world, make_plan(wanted, world).needs)) <= doubles(world)


@given(worlds(), entries)
def test_what_is_not_ours_is_never_planned_for(world: World, wanted: list[dict[str, t.Any]]) -> None:
    strangers = {name for name, role in world.roles.items() if role.mark is None}
    refused = {identifier(problem.deployment) for problem in world_problems(wanted, world)}
    assert {identifier(entry["name"]) for entry in wanted} & strangers <= refused


def test_a_mark_counts_under_its_own_name_only() -> None:
    forged = encode_mark({"deployment": "b-c", "redis_number": 7})
    honest = encode_mark({"deployment": "b-c", "redis_number": 2})
    role = Role("b_c", True, *[False] * 5, -1, False, None, honest)
    world = world_of([role], [Database("a", "a", True, False, forged), Database("b_c", "b_c", True, False, forged)])
    assert [(claim["name"], claim["redis_number"]) for claim in claims_of(world)] == [("b-c", 2)]


def test_comments_of_others_are_not_marks() -> None:
    for comment in (
        None,
        "",
        "our database",
        "[1]",
        '{"x": 1}',
        '{"selfhost.langgraph": 1}',
        '{"selfhost.langgraph": {}}',
    ):
        assert decode_mark(comment) is None
    assert decode_mark(encode_mark({"deployment": "a", "x": 1})) == {"deployment": "a", "x": 1}
