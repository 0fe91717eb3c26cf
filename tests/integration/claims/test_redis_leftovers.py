# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What remains when the record of Redis is lost: users with passwords and a right to a database, and keys in database 0."""

from __future__ import annotations

import typing as t

import pytest
import redis
from servers import RedisServer
from test_redis_database import CLAIMS, SECRET, absent, claim, entries, numbers, refused
from test_redis_record import ELSEWHERE, HERE, OURS, THEIRS, known

Wanted = t.List[t.Dict[str, t.Any]]  # noqa: UP006 - Python 3.8


def test_the_number_of_a_user_is_not_given_to_others(redis_server: RedisServer) -> None:
    claim(redis_server, entries("x"), owner=THEIRS)
    old = claim(redis_server, entries("a"), owner=OURS, address=HERE)
    redis_server.restart(keep_data=False)
    found = claim(redis_server, entries("a", "new"), owner=OURS, address=HERE, known_claims=known(old, owner=OURS))
    assert numbers(found) == {"a": 2, "new": 3}
    assert "+select|1" in next(line for line in redis_server.admin().acl_list() if line.startswith("user x "))


@pytest.mark.parametrize(
    ("wanted", "remembered"),
    [(entries("b", redis_db=1), []), (entries("b"), [{"name": "b", "redis_db": 1}])],
    ids=["asked for", "given back"],
)
def test_who_wants_the_number_of_a_user_hears_of_the_user(
    redis_server: RedisServer, wanted: Wanted, remembered: Wanted
) -> None:
    claim(redis_server, entries("x"), owner=THEIRS)
    redis_server.restart(keep_data=False)
    before = redis_server.snapshot()
    for check in (True, False):
        result = claim(redis_server, wanted, check, known_claims=remembered)
        refused(result, "redis_db", "the Redis user 'x' may select database 1", "ACL DELUSER x")
        assert redis_server.snapshot() == before


def test_a_right_too_many_does_not_stop_the_holder_of_a_number(redis_server: RedisServer) -> None:
    claim(redis_server, entries("a", "b"))
    redis_server.admin().execute_command("ACL", "SETUSER", "a", "+select|2")
    assert numbers(claim(redis_server, entries("a", "b"))) == {"a": 1, "b": 2}
    assert not claim(redis_server, entries("a", "b"))["changed"]


def test_what_deployments_wrote_after_a_loss_stops_no_restore(redis_server: RedisServer) -> None:
    """In database 0, where every connection starts, and in the database of another inventory's deployment."""
    claim(redis_server, entries("x"), owner=THEIRS)
    old = claim(redis_server, entries("a", "b", "c"), owner=OURS, address=HERE)
    redis_server.restart(keep_data=False)
    redis_server.client("a", f"{SECRET}-a").set("a:x", "where it begins")
    redis_server.client("x", f"{SECRET}-x", 1).set("x:y", 1)
    redis_server.client("c", f"{SECRET}-c", 4).set("c:precious", 1)
    found = claim(redis_server, entries("a", "b", "c"), owner=OURS, address=HERE, known_claims=known(old, owner=OURS))
    assert (numbers(found), found["server"]) == (numbers(old), old["server"])
    assert redis_server.client("c", f"{SECRET}-c", 4).get("c:precious")


def test_numbers_without_a_server_are_its_numbers_too(redis_server: RedisServer) -> None:
    old = claim(redis_server, entries("a", "b"), address=HERE)
    remembered = known(old)
    remembered[1].update(redis_server=None, redis_address=None)
    redis_server.restart(keep_data=False, keep_users=False)
    redis_server.admin(1).set("a:x", "written since")
    redis_server.admin(2).set("b:x", "written since")
    found = claim(redis_server, entries("a", "b"), address=HERE, known_claims=remembered)
    assert (numbers(found), found["server"]) == (numbers(old), old["server"])


@pytest.mark.parametrize("remembered", [[], [{"name": "a", "redis_db": 1, "owner": OURS}]])
def test_the_password_of_a_leftover_user_ends(redis_server: RedisServer, remembered: Wanted) -> None:
    """It stays if Postgres records that the user is ours."""
    claim(redis_server, entries("a"), owner=THEIRS)
    redis_server.restart(keep_data=False)
    found = claim(redis_server, [{"name": "a", "password": "another"}], owner=OURS, known_claims=remembered)
    assert redis_server.client(found["databases"]["a"]["user"], "another", 1).ping()
    if remembered:
        assert redis_server.client("a", f"{SECRET}-a", 1).ping()
        return
    with pytest.raises(redis.AuthenticationError):
        redis_server.client("a", f"{SECRET}-a", 1).ping()
    assert not [field for field in redis_server.admin().hkeys(CLAIMS) if field.startswith(":reset")]


def test_the_password_of_a_leftover_user_ends_after_a_killed_run(redis_server: RedisServer) -> None:
    claim(redis_server, entries("a"))
    # The state that a run leaves when it is killed between its claim and its change of the user.
    redis_server.admin().hset(CLAIMS, ":reset:a", "1")
    wanted = [{"name": "a", "password": "another"}]
    claim(redis_server, wanted)
    with pytest.raises(redis.AuthenticationError):
        redis_server.client("a", f"{SECRET}-a", 1).ping()
    claim(redis_server, entries("a"))
    assert redis_server.client("a", "another", 1).ping()


@pytest.mark.parametrize("options", [{"owner": "team a"}, {"owner": OURS, "previous_owners": ["team a"]}])
@pytest.mark.parametrize("wanted", [entries("a"), absent("a", confirm="a")])
def test_an_owner_with_a_space_is_refused(redis_server: RedisServer, options: t.Any, wanted: Wanted) -> None:
    before = redis_server.snapshot()
    assert "'team a'" in claim(redis_server, wanted, **options)["msg"]
    assert redis_server.snapshot() == before


def test_a_record_with_a_space_in_its_owner_stops_nobody_else(redis_server: RedisServer) -> None:
    """An earlier version wrote it."""
    redis_server.admin().hset(CLAIMS, "a", "1 team a")
    assert numbers(claim(redis_server, entries("b"), owner=OURS)) == {"b": 2}
    refused(claim(redis_server, entries("a"), owner=OURS), "name", "its owner is team a")
    assert numbers(claim(redis_server, entries("a"), owner=OURS, take_over=True)) == {"a": 1}
    assert redis_server.record()["a"] == f"1 {OURS}"


def test_release_leaves_no_keys_in_number_0(redis_server: RedisServer) -> None:
    claim(redis_server, [*entries("a"), *entries("b")])
    for name in "ab":
        with redis_server.client(name, f"{SECRET}-{name}") as client:
            client.set(f"{name}:secret", "left")
    kept = claim(redis_server, absent("a"))
    assert kept["databases"]["a"]["would_lose"] == {"keys": 1}
    gone = claim(redis_server, absent("a", confirm="a"))
    assert gone["databases"]["a"]["lost"] == {"keys": 1}
    assert sorted(redis_server.admin().keys()) == ["b:secret", CLAIMS]


def test_release_spares_keys_in_number_0_that_others_may_have_written(redis_server: RedisServer) -> None:
    claim(redis_server, entries("a", key_patterns=["lg:*"]))
    redis_server.admin().mset({"lg:x": "of an application that is no deployment", "a:x": 1})
    redis_server.admin().execute_command("ACL", "SETUSER", "app", "on", ">pw", "~*", "+@all")
    assert claim(redis_server, absent("a", confirm="a"))["databases"]["a"]["lost"] == {"keys": 1}
    assert sorted(redis_server.admin().keys()) == ["lg:x", CLAIMS]
    redis_server.admin().acl_deluser("app")
    claim(redis_server, entries("a", key_patterns=["lg:*"]))
    assert claim(redis_server, absent("a", confirm="a"))["databases"]["a"]["lost"] == {"keys": 1}
    assert redis_server.admin().keys() == [CLAIMS]
    assert numbers(claim(redis_server, entries("z"), address=ELSEWHERE)) == {"z": 1}
