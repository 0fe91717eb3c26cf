# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Properties of the claims script, which assigns all database numbers: hypothesis and a real Redis."""

from __future__ import annotations

import json
import typing as t

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from servers import RedisServer

CLAIMS = "selfhost.langgraph:claims"
NAMES = st.sampled_from(["a", "b", "c", "d", "e", "f"])
DATABASES = 6
HERE, ELSEWHERE = "0000-here", "0000-elsewhere"
OURS, BEFORE, THEIRS = "ours", "before", "theirs"
Claims = dict[str, int]


def distinct(limit: int) -> st.SearchStrategy[Claims]:
    """Names with distinct database numbers."""
    pairs = st.lists(st.tuples(NAMES, st.integers(1, limit)), unique_by=(lambda p: p[0], lambda p: p[1]), max_size=5)
    return pairs.map(dict)


wanted_lists = st.lists(
    st.tuples(NAMES, st.one_of(st.none(), st.integers(0, 7))), unique_by=lambda pair: pair[0], min_size=1, max_size=5
)


@pytest.fixture(scope="module")
def script(_redis: RedisServer) -> t.Callable[..., tuple[dict[str, t.Any], Claims]]:
    from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.scripts import CLAIM_SCRIPT

    _redis.clean()
    admin = _redis.admin()

    def ask(
        record: Claims,
        known: Claims,
        full: set[int],
        wanted: list[tuple[str, int | None]],
        dry: bool = False,
        owners: t.Mapping[str, str] | None = None,
        others: t.Sequence[t.Mapping[str, t.Any]] = (),
        held: t.Mapping[int, str] | None = None,
    ) -> tuple[dict[str, t.Any], Claims]:
        admin.flushall()
        admin.hset(CLAIMS, ":server", HERE)
        for name, number in record.items():
            admin.hset(CLAIMS, name, f"{number} {(owners or {}).get(name, '')}".strip())
        for number in full:
            _numbered(_redis, number).set("x", 1)
        question = {
            "databases": DATABASES,
            "wanted": [{"name": name, "db": number, "foreign": False} for name, number in wanted],
            "remembered": [*others, *({"name": name, "db": number} for name, number in known.items())],
            "dry": dry,
            # Whose keys a database has is checked beforehand.
            "checked": [name for name, _number in wanted],
            "owner": OURS if owners is not None else None,
            "owners": [OURS, BEFORE],
            "take_over": False,
            "new_server": "unused",
            "held": [{"db": number, "names": [name]} for number, name in (held or {}).items()],
        }
        answer = json.loads(admin.eval(CLAIM_SCRIPT, 1, CLAIMS, json.dumps(question)))
        return answer, {name: int(value.split()[0]) for name, value in _redis.record().items()}

    return ask


@pytest.fixture(scope="module")
def owners_now(_redis: RedisServer) -> t.Callable[[], dict[str, str]]:
    """Return a function that returns the owner of each claim, or an empty string."""
    return lambda: {name: value.partition(" ")[2] for name, value in _redis.record().items()}


_CLIENTS: dict[tuple[int, int], t.Any] = {}


def _numbered(server: RedisServer, number: int) -> t.Any:
    if (server.port, number) not in _CLIENTS:
        _CLIENTS[server.port, number] = server.admin(number)
    return _CLIENTS[server.port, number]


situations = given(distinct(7), distinct(7), st.sets(st.integers(1, DATABASES - 1)), wanted_lists)
thorough = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@thorough
@situations
def test_properties(
    script: t.Any, record: Claims, known: Claims, full: set[int], wanted: list[tuple[str, int | None]]
) -> None:
    dry, untouched = script(record, known, full, wanted, dry=True)
    assert untouched == record, "check mode changes nothing"
    answer, after = script(record, known, full, wanted)
    assert answer == dry, "check mode says what happens"
    if answer["problems"]:
        assert after == record, "all or nothing"
        return
    given_numbers = answer["dbs"]
    assert after == {**record, **given_numbers}, "nobody else's claim changes"
    assert set(given_numbers) == {name for name, _number in wanted}
    assert len(set(after.values())) == len(after), "no number has two names"
    for name, asked in wanted:
        number = given_numbers[name]
        assert 1 <= number < DATABASES, "0 is reserved"
        assert asked in (None, number), "what is asked for is given or refused"
        assert number == record.get(name, number), "a claim never moves"
        assert number == known.get(name, number), "what Postgres remembers counts"
        assert all(other == name for other, remembered in known.items() if remembered == number)
        if name not in record and name not in known:
            assert number not in full, "what holds keys is never given"
    _lowest(record, known, full, wanted, given_numbers)
    again, finally_ = script(after, known, full, wanted)
    assert (again["problems"] or [], again["fresh"] or [], finally_) == ([], [], after), "idempotent"


def _lowest(record: Claims, known: Claims, full: set[int], wanted: t.Any, numbers: Claims) -> None:
    """Names that requested no database number get the lowest ones, in the order of the list."""
    new = [name for name, asked in wanted if asked is None and name not in record and name not in known]
    taken = {*record.values(), *known.values(), *full, *(numbers[name] for name in numbers if name not in new)}
    free = (number for number in range(1, DATABASES) if number not in taken)
    assert [numbers[name] for name in new] == [number for _name, number in zip(new, free)]


@thorough
@situations
def test_refusals_are_justified(
    script: t.Any, record: Claims, known: Claims, full: set[int], wanted: list[tuple[str, int | None]]
) -> None:
    answer, _actions = script(record, known, full, wanted)
    asked = dict(wanted)
    for problem in answer["problems"] or ():
        name, number = problem["name"], problem.get("db")
        current = record.get(name, known.get(name))
        justified = {
            "disagree": record.get(name) != known.get(name),
            "moves": current is not None and asked[name] != current,
            "held": number in record.values() or number in [*asked.values(), *known.values()],
            "remembered": number in known.values(),
            "range": not 1 <= (number or 0) < DATABASES,
            "occupied": number in full,
            "twice": list(known.values()).count(number) > 1,
            "full": len({*record.values(), *known.values(), *full, *filter(None, asked.values())}) + len(wanted)
            >= DATABASES,
        }
        assert justified[problem["code"]], problem


@thorough
@given(distinct(7), distinct(7), distinct(7), st.sets(st.integers(1, DATABASES - 1)), wanted_lists)
def test_claims_of_another_server_count_for_nothing(
    script: t.Any, record: Claims, known: Claims, elsewhere: Claims, full: set[int], wanted: t.Any
) -> None:
    others = [{"name": name, "db": number, "server": ELSEWHERE} for name, number in elsewhere.items()]
    here = [{"name": name, "db": number, "server": HERE} for name, number in known.items()]
    assert script(record, {}, full, wanted, others=[*others, *here]) == script(record, known, full, wanted)


@thorough
@given(distinct(7), wanted_lists, st.dictionaries(NAMES, st.sampled_from([OURS, BEFORE, THEIRS])))
def test_owners(owners_now: t.Any, script: t.Any, record: Claims, wanted: t.Any, owners: dict[str, str]) -> None:
    """Claims of another inventory are refused and unchanged; all other wanted claims become ours."""
    names = {name for name, _number in wanted}
    answer, after = script(record, {}, set(), wanted, owners=owners)
    strange = {name for name in names if name in record and owners.get(name) == THEIRS}
    assert {item["name"] for item in answer["problems"] or () if item["code"] == "owner"} == strange
    found = owners_now()
    if answer["problems"]:
        assert (after, found) == (record, {name: owners.get(name, "") for name in record})
    else:
        assert found == {name: OURS if name in names else owners.get(name, "") for name in after}


@thorough
@given(
    distinct(5),
    distinct(5),
    wanted_lists,
    st.dictionaries(st.integers(1, DATABASES - 1), st.sampled_from([*"abcdef", "stranger"])),
)
def test_a_number_that_a_user_may_select_goes_to_nobody_else(
    script: t.Any, record: Claims, known: Claims, wanted: list[tuple[str, int | None]], held: dict[int, str]
) -> None:
    answer, _after = script(record, known, set(), wanted, held=held)
    for name, number in ({} if answer["problems"] else answer["dbs"]).items():
        assert held.get(number, name) == name or record.get(name) == number
