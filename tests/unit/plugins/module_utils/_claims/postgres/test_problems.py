# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Postgres refuses: names and objects of others, records that disagree, and missing extensions."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.owner import Owner
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.problems import (
    entry_problems,
    ownership_problems,
    remembered,
    state_problems,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.state import ServerState
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import Problem
from ansible_collections.selfhost.langgraph.tests.unit.plugins.module_utils._claims.postgres.objects import (
    ADMIN,
    OURS,
    THEIRS,
    comment,
    database,
    entry,
    role,
    second,
    server,
)

OWNER = Owner(OURS)


def places(problems: t.Iterable[Problem]) -> list[tuple[str, str]]:
    return [(problem.deployment, problem.option) for problem in problems]


def line(state: ServerState, wanted: dict[str, t.Any] | None = None) -> str:
    """Return the problems of one entry as text."""
    return "\n".join(map(str, state_problems([wanted or entry()], state, OWNER)))


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([], []),
        ([entry(redis_db=1), entry("b", redis_db=2)], []),
        ([entry(redis_db=1), entry("b", redis_db=1), entry("c", redis_db=1)], [("b", "redis_db"), ("c", "redis_db")]),
        ([entry(redis_db=0), entry("b", redis_db=0)], []),
        ([entry(), entry()], [("a", "name")]),
        ([entry("A")], [("A", "name")]),
        ([entry(extensions=["vector", "pg_trgm", "uuid-ossp", "_x", "h3"])], []),
        ([entry(extensions=["Vector"])], [("a", "extensions")]),
        ([entry(extensions=["x; DROP"])], [("a", "extensions")]),
        ([entry(extensions=["1x"])], [("a", "extensions")]),
        ([entry(extensions=None)], []),
    ],
)
def test_problems_of_the_list_itself(entries: list[dict[str, t.Any]], expected: list[tuple[str, str]]) -> None:
    assert places(entry_problems(entries)) == expected


def test_messages_about_the_list() -> None:
    found = [*entry_problems([entry(redis_db=1), entry("b", redis_db=1, extensions=["X"])])]
    assert [str(problem) for problem in found] == [
        "deployment 'b', option 'redis_db': Redis database 1 is also assigned to 'a'; give one of the two deployments another number",
        "deployment 'b', option 'extensions': 'X' is not the name of an extension; correct it",
    ]


@pytest.mark.parametrize(
    "objects",
    [
        (),
        (role(), database()),
        (role(), second(), database()),
        (role(),),
        (database(),),
        # The deployment has removed the comment of its database, or written another one.
        (role(), database(comment=None)),
        (role(), database(comment="mine")),
    ],
)
def test_what_is_ours_is_accepted(objects: tuple[t.Any, ...]) -> None:
    assert line(server(*objects)) == ""


@pytest.mark.parametrize(
    ("objects", "finding"),
    [
        ((role(comment=None),), "Postgres has a role 'a' which this collection did not create"),
        ((role(comment=comment("b")),), "Postgres has a role 'a' which this collection did not create"),
        ((database(comment=None),), "Postgres has a database 'a' which this collection did not create"),
        ((database(comment=comment("b")),), "Postgres has a database 'a' which"),
        ((role(), database(comment=None, owner="other")), "Postgres has a database 'a' which"),
        ((role(), second(comment=None)), "Postgres has a role 'a.b' which"),
        ((role(), second(comment=comment("a", login_of="b"))), "Postgres has a role 'a.b' which"),
        (
            (role(comment=comment(owner=THEIRS)),),
            f"its Postgres database 'a' belongs to another inventory: its owner is {THEIRS}",
        ),
        ((database(comment=comment(owner=THEIRS)),), "belongs to another inventory"),
    ],
)
def test_what_belongs_to_somebody_else(objects: tuple[t.Any, ...], finding: str) -> None:
    found = line(server(*objects))
    assert found.startswith("deployment 'a', option 'name': ")
    assert finding in found
    assert "choose another name" in found or "use another name" in found
    assert "\n" not in found


@pytest.mark.parametrize("name", ["a", "a.b", "a.c"])
def test_the_administrators_role_is_refused(name: str) -> None:
    assert line(server(me={**ADMIN, "name": name})) == (
        "deployment 'a', option 'name': this is the administrator's role in Postgres; choose another name"
    )


@pytest.mark.parametrize(
    ("wanted", "objects", "refused"),
    [
        (entry(password=None), (), True),
        (entry(password=""), (), True),
        (entry(password=None, state="absent"), (), False),
        (entry(password=None), (role(),), False),
        (entry(), (), False),
    ],
)
def test_a_new_role_needs_a_password(wanted: dict[str, t.Any], objects: tuple[t.Any, ...], refused: bool) -> None:
    found = places(ownership_problems(wanted, server(*objects), OWNER))
    assert found == ([("a", "password")] if refused else [])


NEW, OLD = "new-server", "old-server"


@pytest.mark.parametrize(
    ("recorded", "wanted", "refused"),
    [
        ({}, {}, False),
        ({}, {"redis_db": 3}, False),
        ({"redis_number": 3}, {}, False),
        ({"redis_number": 3}, {"redis_db": 3}, False),
        ({"redis_number": 3}, {"redis_db": 4}, True),
        ({"redis_number": 3, "redis_server": OLD}, {"redis_db": 4, "redis_server": OLD}, True),
        # On another server the number is another one.
        ({"redis_number": 3, "redis_server": OLD}, {"redis_db": 4, "redis_server": NEW}, False),
        # It is not known whether it is another server.
        ({"redis_number": 3, "redis_server": OLD}, {"redis_db": 4}, True),
        ({"redis_number": 3}, {"redis_db": 4, "redis_server": NEW}, True),
    ],
)
def test_a_number_that_differs_from_the_recorded_one(
    recorded: dict[str, t.Any], wanted: dict[str, t.Any], refused: bool
) -> None:
    held = comment(**recorded)
    found = line(server(role(comment=held), database(comment=held)), entry(**wanted))
    assert (
        "its Postgres database records Redis database 3, not 4; find out which of the two has its data" in found
    ) == refused
    assert found.startswith("deployment 'a', option 'redis_db': ") == refused
    assert bool(found) == refused


@pytest.mark.parametrize(
    ("recorded", "wanted", "refused"),
    [
        ({"redis_number": 4}, {"redis_db": 4}, True),
        ({"redis_number": 4}, {"redis_db": 5}, False),
        ({"redis_number": 4, "redis_server": OLD}, {"redis_db": 4, "redis_server": OLD}, True),
        ({"redis_number": 4, "redis_server": OLD}, {"redis_db": 4, "redis_server": NEW}, False),
        ({"redis_number": 4, "redis_server": OLD}, {"redis_db": 4}, True),
        # Deployments in a cluster share number 0.
        ({"redis_number": 0}, {"redis_db": 0}, False),
    ],
)
def test_a_number_that_another_database_records(
    recorded: dict[str, t.Any], wanted: dict[str, t.Any], refused: bool
) -> None:
    state = server(role("b", comment=comment("b", **recorded)), database("b"))
    found = line(state, entry(**wanted))
    assert ("Redis database 4 belongs to 'b' according to its Postgres database" in found) == refused
    assert found.startswith("deployment 'a', option 'redis_db': ") == refused
    assert found.count("\n") == 0
    assert bool(found) == refused


def test_a_number_of_two_others_is_one_problem() -> None:
    others = (role(name, comment=comment(name, redis_number=4)) for name in ("b", "c"))
    assert len(list(state_problems([entry(redis_db=4)], server(*others), OWNER))) == 1


@pytest.mark.parametrize(
    ("recorded", "wanted", "refused"),
    [
        ({"owner": OURS, "aes": "one"}, {"aes_keys": ["two"]}, True),
        ({"owner": OURS, "aes": "one"}, {"aes_keys": ["two", "one"]}, False),
        ({"owner": OURS, "aes": "one"}, {"aes_keys": ["two"], "accept_new_aes_key": True}, False),
        ({"owner": OURS, "aes": "one"}, {}, False),
        ({"owner": OURS}, {"aes_keys": ["two"]}, False),
        ({"owner": "previous", "aes": "one"}, {"aes_keys": ["two"]}, True),
        ({"aes": "one"}, {"aes_keys": ["two"]}, True),
        # Without the secret key of that owner its fingerprints mean nothing.
        ({"owner": THEIRS, "aes": "one"}, {"aes_keys": ["two"]}, False),
    ],
)
def test_an_aes_key_that_is_not_the_recorded_one(
    recorded: dict[str, t.Any], wanted: dict[str, t.Any], refused: bool
) -> None:
    held = comment(**recorded)
    state = server(role(comment=held), database(comment=held))
    found = [*state_problems([entry(**wanted)], state, Owner(OURS, ("previous",), take_over=True))]
    assert places(found) == ([("a", "langgraph_aes_key")] if refused else [])
    if refused:
        assert "that its Postgres database 'a' records" in found[0].finding
        assert "accept_new_aes_key: true" in found[0].remedy


def test_extensions_that_the_server_lacks() -> None:
    assert line(server(), entry(extensions=None)) == ""
    found = line(server(), entry(extensions=["vector", "postgis"]))
    assert found == (
        "deployment 'a', option 'extensions': the server does not have the extension 'postgis'; install its package on the"
        " Postgres host (for 'vector': postgresql-VERSION-pgvector; a managed Postgres has only its provider's extensions), or leave"
        " it out"
    )


def test_the_role_is_believed_before_its_database() -> None:
    one, other = comment(redis_number=1), comment(redis_number=2)
    assert remembered("a", server(role(comment=one), database(comment=other))) == {"deployment": "a", "redis_number": 1}
    assert remembered("a", server(role(comment=None), database(comment=other))) == {
        "deployment": "a",
        "redis_number": 2,
    }
    assert remembered("a", server(database(comment=comment("b")))) is None
    assert remembered("b-c", server(role("b_c"))) == {"deployment": "b-c"}
    assert remembered("a", server()) is None
