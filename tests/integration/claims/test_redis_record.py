# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The record in database 0 in addition to numbers: the owner of a claim, the UUID of the server; and the owner of keys."""

from __future__ import annotations

import typing as t
import uuid

import pytest
from servers import RedisServer, run_module
from test_redis_database import CLAIMS, absent, claim, entries, numbers, refused

OURS, THEIRS = "ours-ours-ours-ours-01", "theirs-theirs-theirs-1"
HERE, ELSEWHERE = "redis.internal:6379", "other.internal:6379"


def known(result: dict[str, t.Any], address: str | None = HERE, **more: t.Any) -> list[dict[str, t.Any]]:
    """Return what Postgres would record of a run."""
    return [
        {"name": name, "redis_db": number, "redis_server": result["server"], "redis_address": address, **more}
        for name, number in numbers(result).items()
    ]


def test_a_claim_has_an_owner(redis_server: RedisServer) -> None:
    done = claim(redis_server, entries("a"), owner=OURS)
    assert redis_server.record() == {"a": f"1 {OURS}"}
    assert not claim(redis_server, entries("a"), owner=OURS)["changed"]
    info = run_module("redis_database_info", redis_server.login())
    assert [(item["name"], item["redis_db"], item["owner"]) for item in info["claims"]] == [("a", 1, OURS)]
    assert info["server"] == done["server"] == redis_server.admin().hget(CLAIMS, ":server")


@pytest.mark.parametrize("state", ["present", "absent"])
@pytest.mark.parametrize("mine", [OURS, None])
def test_another_inventory_is_refused(redis_server: RedisServer, state: str, mine: str | None) -> None:
    """Staging and production, or two keys: the same name is not the same deployment."""
    claim(redis_server, entries("a"), owner=THEIRS)
    redis_server.admin(1).set("a:x", 1)
    before = redis_server.snapshot()
    wanted = entries("a") if state == "present" else absent("a", confirm="a")
    for check in (True, False):
        result = claim(redis_server, [*entries("new"), *wanted], check, owner=mine)
        refused(result, "name", "its Redis database 1 belongs to another inventory", THEIRS, "take_over")
        assert redis_server.snapshot() == before
    assert redis_server.admin(1).dbsize() == 1


def test_a_database_of_another_inventory_is_refused(redis_server: RedisServer) -> None:
    before = redis_server.snapshot()
    remembered = [{"name": "a-b", "redis_db": 1, "redis_server": str(uuid.uuid4()), "owner": THEIRS}]
    result = claim(redis_server, entries("a-b"), owner=OURS, known_claims=remembered)
    refused(result, "name", "its Postgres database 'a_b' belongs to another inventory", THEIRS)
    assert redis_server.snapshot() == before


@pytest.mark.parametrize("how", [{"previous_owners": ["x", THEIRS]}, {"take_over": True}])
def test_taking_over(redis_server: RedisServer, how: dict[str, t.Any]) -> None:
    claim(redis_server, entries("a", "b"), owner=THEIRS)
    planned = claim(redis_server, entries("a"), check=True, owner=OURS, **how)
    done = claim(redis_server, entries("a"), owner=OURS, **how)
    assert planned["actions"] == done["actions"] == [{"action": "set_owner", "name": "a", "redis_db": 1}]
    assert redis_server.record() == {"a": f"1 {OURS}", "b": f"2 {THEIRS}"}
    refused(claim(redis_server, entries("a"), owner=THEIRS), "name", OURS)
    assert claim(redis_server, absent("b", confirm="b"), owner=OURS, **how)["changed"]
    assert redis_server.record() == {"a": f"1 {OURS}"}


def test_a_record_of_an_earlier_version_is_adopted(redis_server: RedisServer) -> None:
    claim(redis_server, entries("a"))
    redis_server.admin().hdel(CLAIMS, ":server")
    assert redis_server.admin().hgetall(CLAIMS) == {"a": "1"}
    remembered = [{"name": "a", "redis_db": 1}]
    done = claim(redis_server, entries("a"), owner=OURS, known_claims=remembered, address=HERE)
    assert [action["action"] for action in done["actions"]] == ["mark_server", "set_owner"]
    assert redis_server.record() == {"a": f"1 {OURS}"}
    assert (done["server"], done["address"]) == (redis_server.admin().hget(CLAIMS, ":server"), HERE)
    assert not claim(redis_server, entries("a"), owner=OURS, known_claims=known(done), address=HERE)["changed"]


def test_a_claim_that_is_no_number_stops_everything(redis_server: RedisServer) -> None:
    redis_server.admin().hset(CLAIMS, "z", "one")
    result = claim(redis_server, entries("a"))
    assert "the claim of z is not a number: one" in result["msg"]
    assert redis_server.record() == {"z": "one"}


def test_another_server_means_new_numbers(redis_server: RedisServer, new_redis: t.Callable[..., RedisServer]) -> None:
    first = new_redis()
    old = claim(first, [*entries("b"), *entries("a", redis_db=9)], address=HERE)
    # Another application uses database 1 of the other server.
    redis_server.admin(1).set("somebody's", "data")
    new = claim(redis_server, entries("a", "b"), known_claims=known(old), address=ELSEWHERE)
    assert numbers(new) == {"a": 2, "b": 3}
    assert new["server"] not in (None, old["server"])
    assert redis_server.admin(1).get("somebody's") == "data"
    gone = claim(redis_server, absent("b", confirm="b"), known_claims=known(old), address=ELSEWHERE)
    assert gone["databases"]["b"]["lost"] == {"keys": 0}
    assert redis_server.admin(1).dbsize() == 1


def test_another_address_keeps_the_numbers(redis_server: RedisServer) -> None:
    old = claim(redis_server, [*entries("a", redis_db=9)], address=HERE)
    new = claim(redis_server, entries("a", "b"), known_claims=known(old), address=ELSEWHERE)
    assert (numbers(new), new["server"], new["address"]) == ({"a": 9, "b": 1}, old["server"], ELSEWHERE)


def test_a_server_that_lost_its_data_is_the_same(redis_server: RedisServer) -> None:
    old = claim(redis_server, [*entries("a", redis_db=9), *entries("b")], address=HERE, owner=OURS)
    redis_server.admin().flushall()
    redis_server.admin(9).set("a:x", "written again before the claim was")
    remembered = known(old, owner=OURS)
    planned = claim(redis_server, entries("new"), check=True, known_claims=remembered, address=HERE, owner=OURS)
    assert (numbers(planned), planned["server"]) == ({"new": 2}, old["server"])
    assert numbers(claim(redis_server, entries("new"), known_claims=remembered, address=HERE, owner=OURS)) == {"new": 2}
    new = claim(redis_server, entries("a", "b"), known_claims=remembered, address=HERE, owner=OURS)
    assert (numbers(new), new["server"]) == (numbers(old), old["server"])


def test_an_empty_server_elsewhere_is_another_one(redis_server: RedisServer) -> None:
    remembered = [{"name": "a", "redis_db": 9, "redis_server": str(uuid.uuid4()), "redis_address": HERE}]
    assert numbers(claim(redis_server, entries("a"), known_claims=remembered, address=ELSEWHERE)) == {"a": 1}


def test_a_server_with_data_of_others_is_another_one(redis_server: RedisServer) -> None:
    redis_server.admin(3).set("somebody's", "data")
    remembered = [{"name": "a", "redis_db": 9, "redis_server": str(uuid.uuid4()), "redis_address": HERE}]
    result = claim(redis_server, entries("a"), known_claims=remembered, address=HERE)
    assert numbers(result) == {"a": 1}
    assert result["server"] != remembered[0]["redis_server"]


def test_two_servers_at_one_address_are_for_a_person(redis_server: RedisServer) -> None:
    remembered = [
        {"name": name, "redis_db": 1, "redis_server": str(uuid.uuid4()), "redis_address": HERE} for name in "ab"
    ]
    result = claim(redis_server, entries("a"), known_claims=remembered, address=HERE)
    assert "Postgres records 2 servers at its address" in result["msg"]
    redis_server.admin().hset(CLAIMS, ":server", remembered[0]["redis_server"])
    assert numbers(claim(redis_server, entries("a"), known_claims=remembered, address=HERE)) == {"a": 1}


@pytest.mark.parametrize("check", [True, False])
def test_a_number_with_keys_of_others_is_not_given_back(redis_server: RedisServer, check: bool) -> None:
    redis_server.admin(4).mset({"somebody's": "data", "a:x": 1})
    before = redis_server.snapshot()
    result = claim(redis_server, entries("a"), check, known_claims=[{"name": "a", "redis_db": 4}])
    refused(result, "name", "Redis database 4 has 1 keys that do not match its patterns", "'somebody's'")
    assert redis_server.snapshot() == before
    redis_server.admin(4).delete("somebody's")
    assert numbers(claim(redis_server, entries("a"), known_claims=[{"name": "a", "redis_db": 4}])) == {"a": 4}


def test_release_spares_keys_of_others(redis_server: RedisServer) -> None:
    claim(redis_server, entries("a"))
    redis_server.admin(1).mset({"a:x": 1, "lg:y": 2, "not\xfftext": 3})
    before = redis_server.snapshot()
    for check in (True, False):
        result = claim(redis_server, absent("a", confirm="a"), check)
        refused(result, "state", "has 2 keys that do not match its patterns", "key_patterns")
        assert redis_server.snapshot() == before
    patterns = ["a:*", "lg:*", "not*"]
    assert claim(redis_server, absent("a", confirm="a", key_patterns=patterns))["databases"]["a"]["lost"] == {"keys": 3}
    assert redis_server.admin(1).dbsize() == 0


def test_release_knows_the_patterns_of_the_user(redis_server: RedisServer) -> None:
    claim(redis_server, entries("a", key_patterns=["x[ab]:*"]))
    redis_server.admin(1).mset({"xa:1": 1, "xb:1": 1})
    assert claim(redis_server, absent("a", confirm="a"))["databases"]["a"]["lost"] == {"keys": 2}
    assert redis_server.record() == {}


def test_release_goes_through_many_keys_in_steps(redis_server: RedisServer) -> None:
    claim(redis_server, entries("a", "b"))
    for number, name in ((1, "a"), (2, "b")):
        redis_server.admin(number).mset({f"{name}:{key}": key for key in range(30_000)})
    result = claim(redis_server, [*absent("a", confirm="a"), *absent("b", confirm="b")])
    assert {name: item["lost"]["keys"] for name, item in result["databases"].items()} == {"a": 30_000, "b": 30_000}
    assert redis_server.admin(1).dbsize() == redis_server.admin(2).dbsize() == 0


def test_the_claim_of_a_stopped_deployment_follows_the_owner(redis_server: RedisServer) -> None:
    """Otherwise a changed secret key would lock its inventory out of it. Its user stays as it is."""
    claim(redis_server, entries("a", key_patterns=["x:*"]), owner=THEIRS)
    before = redis_server.admin().acl_list()
    stopped = [{"name": "a", "manage_user": False}]
    for check in (True, False):
        done = claim(redis_server, stopped, check, owner=OURS, previous_owners=[THEIRS])
        assert done["actions"] == [{"action": "set_owner", "name": "a", "redis_db": 1}]
    assert (redis_server.record()["a"], redis_server.admin().acl_list()) == (f"1 {OURS}", before)
    assert not claim(redis_server, stopped, owner=OURS)["changed"]
    refused(claim(redis_server, stopped, owner=THEIRS), "name", "belongs to another inventory")


def test_nothing_is_claimed_or_restored_for_a_stopped_deployment(redis_server: RedisServer) -> None:
    """Another Redis, or one that has lost its data: its number stays reserved, and no number is used for it."""
    old = claim(redis_server, entries("a", "b"), owner=OURS, address=HERE)
    redis_server.restart(keep_data=False)
    wanted = [{"name": "a", "manage_user": False}, *entries("b", "c")]
    done = claim(redis_server, wanted, owner=OURS, address=HERE, known_claims=known(old, owner=OURS))
    assert numbers(done) == {"a": None, "b": 2, "c": 3}
    assert "a" not in redis_server.record()
    elsewhere = [{**item, "redis_server": "another"} for item in known(old, owner=OURS)]
    assert numbers(claim(redis_server, wanted, owner=OURS, known_claims=elsewhere)) == {"a": None, "b": 2, "c": 3}
