# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.errors import ClaimError
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.owner import Owner
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.acl import (
    CommandSets,
    User,
    password_hash,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.error_messages import script_problems
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.logins import Login
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.plan import (
    entry_problems,
    known_dbs,
    make_plan,
    own_patterns,
    patterns_of,
    record_input,
    resets_of,
    script_input,
    state_problems,
    wanted_user,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.state import ServerState
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import Problem
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.redis_channels import SHARED_MARK

SETS = CommandSets({"slow": frozenset({"get", "move", "select"}), "admin": frozenset({"acl|setuser"})})
ENTRY = {"name": "a", "password": "new"}


def user(*passwords: str, **changes: t.Any) -> dict[str, t.Any]:
    template = User("a", 1, frozenset(), frozenset({"x:*"}), frozenset({"a:*"}))
    found = {"flags": ["on"], "passwords": [password_hash(password) for password in passwords]}
    return {**found, "commands": " ".join(template.commands()), "keys": "~x:*", "channels": "&a:*", **changes}


def state(**users: dict[str, t.Any] | None) -> ServerState:
    return ServerState("8.0", False, 16, "", False, False, False, "admin", SETS, users)


def test_consent_is_kept_with_the_user() -> None:
    assert wanted_user(ENTRY, 1, "a").channels == {"a:*"}
    shared = wanted_user({**ENTRY, "shared_channels": True, "channel_patterns": ["lg:*"]}, 1, "a")
    assert shared.channels == {"lg:*", SHARED_MARK}


def test_patterns_that_keys_may_have() -> None:
    gone = {"name": "a", "state": "absent"}
    assert patterns_of(ENTRY, state()) == ["a:*"]
    assert patterns_of(ENTRY, state(a=user())) == ["a:*", "x:*"]
    assert patterns_of(gone, state()) == ["a:*"]
    assert patterns_of(gone, state(a=user())) == ["x:*"]
    assert patterns_of({**gone, "key_patterns": ["lg:*"]}, state(a=user())) == ["lg:*", "x:*"]
    both = {"a": user(), "a.b": user(keys="~y:*")}
    assert patterns_of(gone, state(**both)) == ["x:*", "y:*"]
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
    assert "recorded both for it and for 'x', 'y'" in lines[2]
    with pytest.raises(ClaimError, match="2 servers at its address: u, v"):
        list(script_problems({"lost": ["u", "v"]}, Owner()))


def places(problems: t.Iterable[Problem]) -> list[tuple[str, str]]:
    return [(problem.deployment, problem.option) for problem in problems]


def entry(name: str = "a", **more: t.Any) -> dict[str, t.Any]:
    return {"name": name, "password": "p", **more}


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([], []),
        ([entry(), entry("b")], []),
        ([entry(redis_db=3), entry("b", redis_db=3)], [("b", "redis_db")]),
        ([entry(redis_db=3), entry("b", redis_db=4)], []),
        ([entry(redis_db=3), entry("b", redis_db=3), entry("c", redis_db=3)], [("b", "redis_db"), ("c", "redis_db")]),
        # Number 0 is shared by all deployments of a cluster.
        ([entry(redis_db=0), entry("b", redis_db=0)], []),
        ([entry(), entry()], [("a", "name")]),
        ([entry(redis_db=3), entry(redis_db=3)], [("a", "name")]),
        ([entry("B-")], [("B-", "name")]),
        ([entry("default")], [("default", "name")]),
        ([entry(password="")], [("a", "password")]),
        ([entry(password=None)], [("a", "password")]),
        ([entry(state="present", password=None)], [("a", "password")]),
        ([entry(state="absent", password=None)], []),
        ([entry(key_patterns=["a b"])], [("a", "key_patterns")]),
        ([entry(channel_patterns=[""])], [("a", "channel_patterns")]),
        ([entry(key_patterns=["*"], channel_patterns=["*"])], [("a", "key_patterns"), ("a", "channel_patterns")]),
        ([entry(extra_commands=["info", "keys"])], [("a", "extra_commands")]),
    ],
)
def test_problems_of_the_list_itself(entries: list[dict[str, t.Any]], expected: list[tuple[str, str]]) -> None:
    assert places(entry_problems(entries, True)) == expected
    # Without users only the names and the numbers matter.
    without = [place for place in expected if place[1] == "redis_db" or place in (("a", "name"), ("B-", "name"))]
    assert places(entry_problems(entries, False)) == without


def test_messages_about_the_list_name_the_other_deployment_and_the_remedy() -> None:
    (twice,) = entry_problems([entry(redis_db=3), entry("b", redis_db=3)], True)
    assert str(twice) == (
        "deployment 'b', option 'redis_db': Redis database 3 is also requested by 'a'; choose another one"
    )
    lines = [
        str(problem)
        for wrong in (
            entry("default"),
            entry(password=""),
            entry(key_patterns=["*"]),
            entry(extra_commands=["flushall"]),
        )
        for problem in entry_problems([wrong], True)
    ]
    for line, end in zip(
        lines,
        (
            "this is the name of Redis's default user; choose another name",
            "a Redis user needs a password; set one, or set manage_users to false",
            "use a pattern that begins with the deployment's own prefix",
            "reaches beyond the deployment's own database; leave it out",
        ),
    ):
        assert line.endswith(end)


def test_the_administrators_name_is_refused() -> None:
    assert places(state_problems([entry("admin"), entry()], state())) == [("admin", "name")]
    assert places(state_problems([entry("a")], replace(state(), me="a.b"))) == [("a", "name")]


def test_input_of_the_claims_script() -> None:
    """The record, the inventory, and per deployment whether a user of that name exists and whose it is."""
    mine, theirs = user(), user(commands="+@all", keys="~*")
    before = replace(state(a=mine, b=theirs, c=None), rules=["user a on +select|3", "user b on +@all"])
    params = {
        "address": "h:6379",
        "owner": "us",
        "previous_owners": ["them"],
        "take_over": True,
        "known_claims": [
            {"name": "b", "redis_db": 2},
            {"name": "a", "redis_db": 1, "redis_server": "u", "redis_address": "h:6379", "owner": "us"},
        ],
    }
    entries = [entry(redis_db=3), entry("b"), entry("c")]
    assert script_input(entries, before, params, dry=True) == {
        "databases": 16,
        "remembered": [
            {"name": "a", "db": 1, "server": "u", "address": "h:6379", "owner": "us"},
            {"name": "b", "db": 2, "server": None, "address": None, "owner": None},
        ],
        "address": "h:6379",
        "owner": "us",
        "owners": ["us", "them"],
        "take_over": True,
        "held": [{"db": 3, "names": ["a"]}],
        "wanted": [
            {"name": "a", "db": 3, "idle": False, "foreign": False, "leftover": True},
            {"name": "b", "db": None, "idle": False, "foreign": True, "leftover": True},
            {"name": "c", "db": None, "idle": False, "foreign": False, "leftover": False},
        ],
        "checked": [],
        "dry": True,
    }


def test_input_without_an_inventory_or_a_postgres() -> None:
    """A first run, and a server that lists no users."""
    found = record_input(state(), {"known_claims": None, "address": None})
    assert found == {
        "databases": 16,
        "remembered": [],
        "address": None,
        "owner": None,
        "owners": [],
        "take_over": False,
        "held": [],
    }
    assert script_input([entry()], state(), {"known_claims": (), "address": None}, checked=[1])["checked"] == [1]


def answer(fresh: t.Sequence[dict[str, t.Any]] | None = None, **more: t.Any) -> dict[str, t.Any]:
    return {"dbs": {"a": 1, "b": 2}, "fresh": fresh, "databases": 16, **more}


FINE = user("p", keys="~a:*")


def test_a_plan_for_what_is_complete_is_empty() -> None:
    # The record has claims, too, whose names could end like the deployment's.
    before = replace(state(a=FINE), acl_file="/etc/users.acl", fields=frozenset({"other-a", "1234567a"}))
    plan = make_plan([entry()], answer(), before, True)
    assert (plan.actions, plan.users, plan.save) == ([], [], False)
    assert (plan.dbs, plan.fresh, plan.reset) == ({"a": 1, "b": 2}, {}, set())
    assert plan.logins == {"a": Login("a")}


def test_a_new_claim_creates_a_user_and_saves_it() -> None:
    fresh = [{"name": "a", "how": "free"}]
    plan = make_plan([entry()], answer(fresh, marks=True), replace(state(a=None), acl_file="/etc/users.acl"), True)
    assert plan.actions == [
        {"action": "mark_server"},
        {"action": "claim", "name": "a", "redis_db": 1, "why": "free"},
        {"action": "create_user", "name": "a", "redis_db": 1, "user": "a", "what": ["user"]},
        {"action": "save_users"},
    ]
    assert plan.users == [(wanted_user(entry(), 1, "a"), ["user"])]
    assert plan.save
    assert plan.fresh == {"a": fresh[0]}


def test_without_users_only_the_number_is_claimed() -> None:
    fresh = [{"name": "a", "how": "free"}]
    plan = make_plan([entry()], answer(fresh), replace(state(a=None), acl_file="/x", unsaved=True), False)
    assert plan.actions == [{"action": "claim", "name": "a", "redis_db": 1, "why": "free"}]
    assert (plan.users, plan.save) == ([], False)


def test_a_changed_user_and_another_owner() -> None:
    found = answer(adopted=[{"name": "b"}])
    users = {"a": {**FINE, "flags": ["off"]}, "b": user("p", keys="~b:*", channels="&b:*")}
    users["b"]["commands"] = users["b"]["commands"].replace("|1", "|2")
    plan = make_plan([entry(), entry("b")], found, replace(state(**users), acl_file=None), True)
    assert plan.actions == [
        {"action": "change_user", "name": "a", "redis_db": 1, "user": "a", "what": ["enabled"]},
        {"action": "set_owner", "name": "b", "redis_db": 2},
        {"action": "save_users"},
    ]
    assert [changed.name for changed, _what in plan.users] == ["a"]


@pytest.mark.parametrize(
    ("acl_file", "unsaved", "changes", "saves"),
    [
        ("/etc/users.acl", False, False, False),
        ("/etc/users.acl", True, False, True),
        ("/etc/users.acl", False, True, True),
        # A managed service that hides its configuration.
        (None, False, True, True),
        (None, True, False, True),
        # Users cannot be saved without a file.
        ("", True, True, False),
    ],
)
def test_users_are_saved_if_they_change_or_an_earlier_run_could_not(
    acl_file: str | None, unsaved: bool, changes: bool, saves: bool
) -> None:
    before = replace(state(a=None if changes else FINE), acl_file=acl_file, unsaved=unsaved)
    plan = make_plan([entry()], answer(), before, True)
    assert plan.save == saves
    assert ({"action": "save_users"} in plan.actions) == saves


@pytest.mark.parametrize(
    ("found", "fields"),
    [
        (answer(reset=["a", "elsewhere"]), frozenset()),
        (answer([{"name": "a", "how": "free", "reset": True}, {"name": "b", "how": "free"}]), frozenset()),
        # A killed run has claimed the number and not yet replaced the passwords.
        (answer(), frozenset({":reset:a", ":reset:elsewhere", ":server", "b"})),
    ],
)
def test_passwords_of_a_user_that_nobody_claimed_end(found: dict[str, t.Any], fields: frozenset[str]) -> None:
    """They are somebody else's, although the entry does not ask to retire any."""
    old = user("old", "p", keys="~a:*")
    plan = make_plan(
        [entry(), entry("b", password="q")],
        found,
        replace(state(**{"a": old, "a.b": user("q"), "b": None}), fields=fields),
        True,
    )
    assert plan.reset == {"a"}
    (changed, what), _new = plan.users
    assert (changed.hashes, what) == (frozenset({password_hash("p")}), ["password"])
    # Sessions that were opened with them end.
    assert (plan.replaced, plan.deleted) == ({"a"}, ["a.b"])


def test_what_the_script_answers_may_be_empty_or_text() -> None:
    """Lua has one kind of empty table, and its numbers arrive as strings or floats."""
    assert make_plan([], {"dbs": None, "fresh": None}, state(), True).dbs == {}
    assert make_plan([], {"dbs": {"a": "7"}, "fresh": ()}, state(), True).dbs == {"a": 7}
    assert resets_of({"fresh": None}) == []
    assert resets_of({"fresh": [{"name": "a", "reset": True}, {"name": "b"}]}) == ["a"]


def test_a_deployment_that_does_not_run_needs_no_user() -> None:
    idle = {"name": "a", "manage_user": False}
    assert list(entry_problems([idle], True)) == []
    plan = make_plan([idle], answer([{"name": "a", "how": "restored"}], adopted=[{"name": "a"}]), state(a=None), True)
    assert [action["action"] for action in plan.actions] == ["claim", "set_owner"]
    assert (plan.users, plan.deleted) == ([], [])


def test_a_wanted_user_in_full() -> None:
    wanted = entry(
        key_patterns=["x:*"],
        channel_patterns=[],
        shared_channels=False,
        extra_commands=["info"],
    )
    assert wanted_user(wanted, 3, "a.b") == User(
        name="a.b",
        db=3,
        hashes=frozenset({password_hash("p")}),
        keys=frozenset({"x:*"}),
        channels=frozenset(),
        extra=("info",),
    )
    # The only database of a cluster is not assigned to a user.
    assert wanted_user(entry(), 0, "a").db is None


def test_patterns_of_an_entry() -> None:
    assert own_patterns(entry(), "key_patterns") == ["a:*"]
    assert own_patterns(entry(key_patterns=[]), "key_patterns") == []
    assert own_patterns(entry(key_patterns=("x:*",)), "key_patterns") == ["x:*"]
    assert patterns_of({**entry(state="absent"), "key_patterns": []}, state(a=user())) == ["x:*"]
    assert patterns_of(entry(state="present"), state(a=user())) == ["a:*", "x:*"]
    many = [f"{letter}:*" for letter in "bcdefghi"]
    existing = state(a=user(keys=" ".join(f"~{pattern}" for pattern in reversed(many))))
    assert patterns_of(entry(), existing) == ["a:*", *many]
