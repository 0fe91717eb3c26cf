# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""redis_database against a real Redis."""

from __future__ import annotations

import hashlib
import typing as t

import pytest
import redis
from servers import ADMIN, RedisServer, run_module

CLAIMS = "selfhost.langgraph:claims"
SECRET = "a-password-of-the-deployment"


def entries(*names: str, **more: t.Any) -> list[dict[str, t.Any]]:
    return [{"name": name, "password": f"{SECRET}-{name}", **more} for name in names]


def claim(server: RedisServer, wanted: list[dict[str, t.Any]], check: bool = False, **more: t.Any) -> dict[str, t.Any]:
    result = run_module("redis_database", {**server.login(), "databases": wanted, **more}, check)
    assert SECRET not in result["_text"]
    return result


def numbers(result: dict[str, t.Any]) -> dict[str, int]:
    assert not result.get("failed"), result["msg"]
    return {name: item["redis_db"] for name, item in result["databases"].items()}


def refused(result: dict[str, t.Any], option: str, *words: str) -> None:
    assert result.get("failed"), result
    assert result["problems"][0]["option"] == option
    for word in words:
        assert word in result["msg"], result["msg"]


def test_quartet(redis_server: RedisServer) -> None:
    before = redis_server.snapshot()
    planned = claim(redis_server, entries("a", "b"), check=True)
    assert redis_server.snapshot() == before
    done = claim(redis_server, entries("a", "b"))
    assert numbers(planned) == numbers(done) == {"a": 1, "b": 2}
    assert planned["actions"] == done["actions"]
    assert planned["diff"] == done["diff"]
    assert planned["changed"]
    after = redis_server.snapshot()
    for check in (True, False):
        again = claim(redis_server, entries("b", "a"), check=check)
        assert (again["changed"], again["actions"], numbers(again)) == (False, [], {"a": 1, "b": 2})
    assert redis_server.snapshot() == after
    assert redis_server.record() == {"a": "1", "b": "2"}
    assert redis_server.client("a", f"{SECRET}-a", 1).set("a:x", 1)


def test_third_deployment_leaves_the_others_alone(redis_server: RedisServer) -> None:
    claim(redis_server, entries("a", "b"))
    result = claim(redis_server, entries("a", "b", "c"))
    assert numbers(result) == {"a": 1, "b": 2, "c": 3}
    assert {name: item["changed"] for name, item in result["databases"].items()} == {"a": False, "b": False, "c": True}


def test_asked_numbers_go_first(redis_server: RedisServer) -> None:
    assert numbers(claim(redis_server, [*entries("a"), *entries("b", redis_db=1)])) == {"a": 2, "b": 1}


def test_occupied_and_known_numbers_are_passed_over(redis_server: RedisServer) -> None:
    redis_server.admin(1).set("somebody's", "data")
    result = claim(redis_server, entries("a"), known_claims=[{"name": "z", "redis_db": 2}])
    assert numbers(result) == {"a": 3}
    assert any("Redis database 1 is not claimed, but has 1 keys" in line for line in result["warnings"])


@pytest.mark.parametrize(
    ("wanted", "known", "option", "words"),
    [
        (entries("b", redis_db=1), [], "redis_db", ["'b'", "belongs to 'a'"]),
        (entries("b", redis_db=5), [], "redis_db", ["'b'", "has 1 keys"]),
        (entries("b", redis_db=0), [], "redis_db", ["does not exist", "1 to 63"]),
        (entries("b", redis_db=64), [], "redis_db", ["does not exist"]),
        (entries("a", redis_db=2), [], "redis_db", ["already has Redis database 1"]),
        (entries("b", redis_db=9), [("z", 9)], "redis_db", ["belongs to 'z'", "Postgres"]),
        (entries("a"), [("a", 4)], "name", ["records database 1", "records 4"]),
        (entries("a"), [("a", 1), ("z", 1)], "known_claims", ["recorded both for it and for 'z'"]),
        (entries("z"), [("z", 1)], "redis_db", ["belongs to 'a'"]),
        (entries("b", "b"), [], "name", ["twice"]),
        (entries("B"), [], "name", ["lower-case"]),
        (entries("b" * 64), [], "name", ["up to 62"]),
        (entries("b", "c", redis_db=7), [], "redis_db", ["requested by 'b'"]),
        (entries("default"), [], "name", ["default user"]),
        (entries(ADMIN), [], "name", ["administrator"]),
        (entries("stranger"), [], "name", ["did not create", "ACL DELUSER"]),
        (entries("b", key_patterns=["*"]), [], "key_patterns", ["record of all claims"]),
        (entries("b", key_patterns=["self*:claims"]), [], "key_patterns", ["record of all claims"]),
        (entries("b", key_patterns=["a b"]), [], "key_patterns", ["white space"]),
        (entries("b", extra_commands=["flushall"]), [], "extra_commands", ["beyond"]),
        (entries("b", extra_commands=["select|3"]), [], "extra_commands", ["not the name"]),
        ([{"name": "b"}], [], "password", ["needs a password"]),
    ],
)
def test_refusals_change_nothing(
    redis_server: RedisServer, wanted: t.Any, known: list[tuple[str, int]], option: str, words: list[str]
) -> None:
    claim(redis_server, entries("a"))
    redis_server.admin(5).set("somebody's", "data")
    redis_server.admin().acl_setuser("stranger", enabled=True, nopass=True, commands=["+get"], keys=["x*"])
    before = redis_server.snapshot()
    remembered = [{"name": name, "redis_db": number} for name, number in known]
    for check in (True, False):
        result = claim(redis_server, [*entries("innocent"), *wanted], check, known_claims=remembered)
        refused(result, option, *words)
        assert redis_server.snapshot() == before


def test_full(new_redis: t.Callable[..., RedisServer]) -> None:
    server = new_redis(databases=3)
    refused(
        claim(server, entries("a", "b", "c")), "name", "'c'", "none of the Redis databases 1 to 2 is free", "databases"
    )
    assert numbers(claim(server, entries("a", "b"))) == {"a": 1, "b": 2}


@pytest.mark.parametrize("databases", [2, 3, 16, 100, 10_000])
def test_limit_is_found_where_config_and_info_are_forbidden(
    new_redis: t.Callable[..., RedisServer], databases: int
) -> None:
    server = new_redis(databases=databases)
    server.admin().acl_setuser("managed", enabled=True, passwords=["+pw"], keys=["*"], categories=["+@all"])
    server.admin().execute_command("ACL", "SETUSER", "managed", "-config", "-info", "&*")
    server.admin(1).set("x", 1)
    options = {"login_port": server.port, "login_user": "managed", "login_password": "pw", "databases": entries("a")}
    result = run_module("redis_database", options)
    if databases == 2:
        refused(result, "name", "none of the Redis databases 1 to 1 is free")
    else:
        assert (numbers(result), result["number_limit"]) == ({"a": 2}, databases)


@pytest.mark.parametrize("loss", ["flushall", "restart", "new machine"])
def test_losing_redis_loses_no_claim(redis_server: RedisServer, loss: str) -> None:
    old = numbers(claim(redis_server, [*entries("a", "b"), *entries("c", redis_db=9)]))
    known = [{"name": name, "redis_db": number} for name, number in old.items()]
    if loss == "flushall":
        redis_server.admin().flushall()
    else:
        redis_server.restart(keep_data=False, keep_users=loss == "restart")
    redis_server.admin(2).set("b:key", "written again before the claim was")
    assert numbers(claim(redis_server, entries("new"), known_claims=known)) == {"new": 3}
    result = claim(redis_server, entries("c", "a", "b"), known_claims=known)
    assert numbers(result) == old
    assert {action["why"] for action in result["actions"] if action["action"] == "claim"} == {"restored"}


def test_disagreements_about_others_are_reported(redis_server: RedisServer) -> None:
    claim(redis_server, entries("a"))
    result = claim(redis_server, entries("b"), known_claims=[{"name": "a", "redis_db": 5}])
    assert any("'a'" in line and "disagree" in line for line in result["warnings"])
    assert numbers(result) == {"b": 2}


def test_users_and_claims_outlive_a_restart(redis_server: RedisServer) -> None:
    # Two at once, so that they are one transaction in the append-only file.
    claim(redis_server, entries("a", "b"))
    redis_server.restart()
    assert redis_server.client("a", f"{SECRET}-a", 1).ping()
    assert redis_server.record() == {"a": "1", "b": "2"}
    assert not claim(redis_server, entries("a", "b"))["changed"]


def test_a_default_user_without_rights_loses_data_and_is_warned_of(new_redis: t.Callable[..., RedisServer]) -> None:
    server = new_redis()
    server.admin().execute_command("ACL", "SETUSER", "default", "reset")
    server.admin().execute_command("ACL", "SAVE")
    result = claim(server, entries("a", "b"))
    assert any("default user" in line and "append-only" in line for line in result["warnings"])
    server.restart()
    # The bug that the warning is about: when the server is fixed, remove the warning.
    assert server.record() == {}


def test_a_save_that_failed_is_made_up_for(redis_server: RedisServer) -> None:
    redis_server.users.unlink()
    redis_server.users.mkdir()  # a rename onto it fails, for root too
    result = claim(redis_server, entries("a"))
    assert result["failed"]
    assert "could not save" in result["msg"]
    redis_server.users.rmdir()
    result = claim(redis_server, entries("a"))
    assert [action["action"] for action in result["actions"]] == ["save_users"]
    assert "user a on" in redis_server.users.read_text()
    assert not claim(redis_server, entries("a"))["changed"]


def test_without_an_aclfile_it_warns(new_redis: t.Callable[..., RedisServer]) -> None:
    server = new_redis(acl_file=False)
    for changed in (True, False):
        result = claim(server, entries("a"))
        assert result["changed"] == changed
        assert any("aclfile" in line for line in result["warnings"])


def test_an_open_default_user_is_warned_of(redis_server: RedisServer) -> None:
    redis_server.admin().execute_command("ACL", "SETUSER", "default", "on", "nopass", "+@all", "~*")
    try:
        result = claim(redis_server, entries("a"))
    finally:
        redis_server.admin().execute_command("ACL", "SETUSER", "default", "off", "resetpass")
    assert any("default user" in line and "RESET" in line for line in result["warnings"])


def test_without_users_it_warns(redis_server: RedisServer) -> None:
    result = claim(redis_server, [{"name": "a"}], manage_users=False)
    assert numbers(result) == {"a": 1}
    assert any("delete the keys" in line for line in result["warnings"])
    assert redis_server.admin().acl_users() == sorted(["default", ADMIN])


DRIFT = {
    "enabled": "off",
    "password": "nopass",
    "key_patterns": "~b:*",
    "channel_patterns": "&b:*",
    "commands": "+flushall",
}


@pytest.mark.parametrize("what", [*DRIFT, "redis_db"])
def test_drift_is_cured(redis_server: RedisServer, what: str) -> None:
    claim(redis_server, entries("a", "b"))
    redis_server.admin().execute_command("ACL", "SETUSER", "a", DRIFT.get(what, "+select|7"))
    for check in (True, False):
        result = claim(redis_server, entries("a", "b"), check)
        change = {"action": "change_user", "name": "a", "redis_db": 1, "user": "a"}
        assert result["actions"][0] == {**change, "what": ["commands" if what == "redis_db" else what]}
        assert not result["databases"]["b"]["changed"]
    assert not claim(redis_server, entries("a", "b"))["changed"]


def test_rotation_has_two_valid_passwords(redis_server: RedisServer) -> None:
    """Both are valid until the first is retired; then all its sessions end, also those that somebody else has opened."""
    claim(redis_server, entries("a"))
    old = f"{SECRET}-a"
    early = redis_server.client("a", old, 1).connection_pool.get_connection()
    wanted = [{"name": "a", "password": "new-one", "users_in_use": ["a"], "retire": True}]
    result = claim(redis_server, wanted)
    assert [action["action"] for action in result["actions"]] == ["create_user", "save_users"]
    found = result["databases"]["a"]
    assert (found["user"], found["retiring"], found["retired"]) == ("a.b", ["a"], [])
    assert not claim(redis_server, wanted)["changed"]
    late = redis_server.client("a", old, 1).connection_pool.get_connection()
    new = redis_server.client("a.b", "new-one", 1).connection_pool.get_connection()
    drained = [{**wanted[0], "users_in_use": ["a.b"]}]
    planned = claim(redis_server, drained, check=True)
    assert redis_server.client("a", old, 1).ping()
    done = claim(redis_server, drained)
    assert planned["actions"] == done["actions"]
    assert (done["databases"]["a"]["retiring"], done["databases"]["a"]["retired"]) == ([], ["a"])
    assert not claim(redis_server, drained)["changed"]
    for session in (early, late):
        with pytest.raises(Exception, match=r"closed|reset|Broken pipe"):
            session.send_command("PING")
            session.read_response()
    new.send_command("PING")
    assert new.read_response()
    with pytest.raises(redis.AuthenticationError):
        redis_server.client("a", old, 1).ping()
    # The next one is the first user again.
    third = claim(redis_server, [{**drained[0], "password": "third"}])["databases"]["a"]
    assert (third["user"], third["retiring"]) == ("a", ["a.b"])


def test_a_password_that_no_revision_ever_used_is_replaced_with_its_sessions(redis_server: RedisServer) -> None:
    claim(redis_server, entries("a"))
    session = redis_server.client("a", f"{SECRET}-a", 1).connection_pool.get_connection()
    result = claim(redis_server, [{"name": "a", "password": "new-one", "users_in_use": []}])
    assert result["databases"]["a"]["user"] == "a"
    with pytest.raises(Exception, match=r"closed|reset|Broken pipe"):
        session.send_command("PING")
        session.read_response()
    assert redis_server.client("a", "new-one", 1).ping()


def test_both_users_in_use_are_kept(redis_server: RedisServer) -> None:
    claim(redis_server, entries("a"))
    claim(redis_server, [{"name": "a", "password": "new-one", "users_in_use": ["a"]}])
    before = redis_server.admin().acl_list()
    for in_use in (["a", "a.b"], None):
        third = [{"name": "a", "password": "third", "users_in_use": in_use}]
        refused(
            claim(redis_server, third), "password", "neither of its Redis users 'a' and 'a.b' has the wanted password"
        )
    assert redis_server.admin().acl_list() == before


def test_a_user_with_two_passwords_of_an_earlier_version(redis_server: RedisServer) -> None:
    """A rotation was under way when the collection was upgraded: the revisions of both passwords go on, and then the user goes."""
    claim(redis_server, entries("a"))
    redis_server.admin().execute_command("ACL", "SETUSER", "a", ">an-older-one")
    wanted = {**entries("a")[0], "users_in_use": ["a"], "retire": True}
    found = claim(redis_server, [wanted])["databases"]["a"]
    assert (found["user"], found["retiring"]) == ("a.b", ["a"])
    for user, password in (("a", "an-older-one"), ("a", f"{SECRET}-a"), ("a.b", f"{SECRET}-a")):
        assert redis_server.client(user, password, 1).ping()
    assert claim(redis_server, [{**wanted, "users_in_use": ["a.b"]}])["databases"]["a"]["retired"] == ["a"]


def test_a_second_user_of_somebody_else_is_never_touched(redis_server: RedisServer) -> None:
    """It prevents only a rotation, which needs a user of that name."""
    redis_server.admin().execute_command("ACL", "SETUSER", "a.b", "on", ">theirs", "~*", "+@all")
    theirs = redis_server.admin().acl_getuser("a.b")
    assert claim(redis_server, entries("a", retire=True))["databases"]["a"]["user"] == "a"
    rotated = [{"name": "a", "password": "new-one", "users_in_use": ["a"], "retire": True}]
    refused(claim(redis_server, rotated), "password", "'a.b' has rules that this collection did not write")
    assert claim(redis_server, absent("a", confirm="a"))["databases"]["a"]["changed"]
    assert (redis_server.admin().acl_getuser("a.b"), redis_server.record()) == (theirs, {})


def test_the_clear_password_never_travels(redis_server: RedisServer) -> None:
    admin = redis_server.admin()
    with admin.monitor() as monitor:
        claim(redis_server, entries("a"))
        admin.echo("the end")
        seen = []
        for item in monitor.listen():
            seen.append(item["command"])
            if "the end" in item["command"]:
                break
    assert any("selfhost.langgraph:claims" in line for line in seen)
    assert not [line for line in seen if SECRET in line]
    assert hashlib.sha256(f"{SECRET}-a".encode()).hexdigest() in redis_server.users.read_text()


def test_unreachable_is_one_line() -> None:
    result = run_module("redis_database", {"login_port": 1, "databases": entries("a")})
    assert result["msg"].startswith("cannot use Redis at 127.0.0.1:1")
    assert "Traceback" not in result["_text"]


def absent(name: str, **more: t.Any) -> list[dict[str, t.Any]]:
    return [{"name": name, "state": "absent", **more}]


def test_release(redis_server: RedisServer) -> None:
    claim(redis_server, entries("a", "b"))
    redis_server.admin(1).mset({"a:x": 1, "a:y": 2})
    before = redis_server.snapshot()
    kept = claim(redis_server, absent("a"))
    assert (kept["changed"], kept["databases"]["a"]["would_lose"], kept["databases"]["a"]["redis_db"]) == (
        False,
        {"keys": 2},
        1,
    )
    assert any("confirm: a" in line for line in kept["warnings"])
    refused(claim(redis_server, absent("a", confirm="b")), "confirm", "not the deployment's name")
    planned = claim(redis_server, absent("a", confirm="a"), check=True)
    assert redis_server.snapshot() == before
    gone = claim(redis_server, [*absent("a", confirm="a"), *entries("b")])
    assert planned["actions"] == gone["actions"]
    assert [action["action"] for action in gone["actions"]] == ["delete_user", "release"]
    assert gone["databases"]["a"]["lost"] == {"keys": 2}
    assert redis_server.record() == {"b": "2"}
    assert "user a " not in redis_server.users.read_text()
    assert redis_server.admin(1).dbsize() == 0
    assert not claim(redis_server, absent("a", confirm="a"))["changed"]
    assert numbers(claim(redis_server, entries("c"))) == {"c": 1}


def test_release_leaves_no_user_behind_that_others_have_changed(redis_server: RedisServer) -> None:
    claim(redis_server, entries("a"))
    redis_server.admin().execute_command("ACL", "SETUSER", "a", "+move")
    result = claim(redis_server, absent("a", confirm="a"))
    assert result["failed"]
    assert "ACL DELUSER a" in result["msg"]
    assert redis_server.record() == {"a": "1"}
    redis_server.admin().execute_command("ACL", "DELUSER", "a")
    assert claim(redis_server, absent("a", confirm="a"))["changed"]


def test_release_waits_for_clients_to_go(redis_server: RedisServer) -> None:
    claim(redis_server, entries("a"))
    before = redis_server.snapshot()
    client = redis_server.client("a", f"{SECRET}-a", 1)
    client.set("a:x", 1)
    refused(claim(redis_server, absent("a", confirm="a")), "state", "1 clients are connected", "stop them")
    assert redis_server.snapshot() == before
    client.close()
    admin = redis_server.admin(1)
    admin.ping()  # whoever it is that looks into this number
    refused(claim(redis_server, absent("a", confirm="a")), "state", "1 clients")


def test_release_finishes_what_a_crash_left(redis_server: RedisServer) -> None:
    for left in (["ACL", "SETUSER", "a", "off"], ["ACL", "DELUSER", "a"]):
        redis_server.clean()
        claim(redis_server, entries("a"))
        redis_server.admin(1).set("a:x", 1)
        redis_server.admin().execute_command(*left)
        assert claim(redis_server, absent("a", confirm="a"))["changed"]
        assert redis_server.record() == {}
        assert redis_server.admin(1).dbsize() == 0


def test_release_of_a_lost_claim_does_not_touch_its_new_holder(redis_server: RedisServer) -> None:
    claim(redis_server, entries("b"))
    redis_server.admin(1).set("b:x", 1)
    result = claim(redis_server, absent("a", confirm="a"), known_claims=[{"name": "a", "redis_db": 1}])
    refused(result, "redis_db", "belongs to 'b'")
    assert redis_server.admin(1).dbsize() == 1


def test_release_spares_what_another_database_remembers(redis_server: RedisServer) -> None:
    claim(redis_server, entries("a"))
    redis_server.admin(1).set("b:x", 1)
    result = claim(redis_server, absent("a", confirm="a"), known_claims=[{"name": "b", "redis_db": 1}])
    refused(result, "name", "the Postgres database of 'b' records 1 too")
    assert redis_server.admin(1).dbsize() == 1
    assert "a" in redis_server.admin().acl_users()


def test_release_frees_nothing_while_the_user_stands_in_the_file(redis_server: RedisServer) -> None:
    claim(redis_server, entries("a"))
    users = redis_server.users
    kept = users.read_bytes()
    users.unlink()
    users.mkdir()  # a file that cannot be written, for root too
    result = claim(redis_server, absent("a", confirm="a"))
    assert "could not save the users" in result["msg"]
    assert redis_server.record() == {"a": "1"}
    users.rmdir()
    users.write_bytes(kept)
    assert claim(redis_server, absent("a", confirm="a"))["changed"]
    assert "user a " not in users.read_text()
    assert redis_server.record() == {}
