# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A claim is complete when Redis has it on disk, and the module warns if Redis does not confirm that."""

from __future__ import annotations

import os
import signal
import threading
import time
import typing as t

import pytest
from servers import ModuleRun, RedisServer, run_module
from test_redis_database import CLAIMS, absent, claim, entries, numbers

SYNC = ":appendfsync"
MANAGED = ["~*", "&*", "+@all"]


def managed(server: RedisServer, *forbidden: str) -> dict[str, t.Any]:
    """Log in as a user with restricted rights."""
    server.admin().execute_command("ACL", "SETUSER", "managed", "reset", "on", ">pw", *MANAGED, *forbidden)
    return {"login_port": server.port, "login_user": "managed", "login_password": "pw"}


def commands(server: RedisServer, work: t.Callable[[], t.Any]) -> list[str]:
    """Return the commands that the server received meanwhile."""
    seen: list[str] = []
    with server.admin().monitor() as monitor:
        work()
        server.admin().echo("the end")
        for item in monitor.listen():
            if "the end" in item["command"]:
                return seen
            seen.append(item["command"])
    return seen


def has_waitaof(server: RedisServer) -> bool:
    return bool(server.admin().execute_command("ACL", "CAT", "blocking").count("waitaof"))


def test_a_claim_waits_for_the_disk_once(redis_server: RedisServer) -> None:
    results: list[dict[str, t.Any]] = []
    seen = commands(redis_server, lambda: results.append(claim(redis_server, entries("a", "b", "c"))))
    assert results[0]["durable"] == "redis"
    waits = [line for line in seen if line.startswith("WAITAOF")]
    # MONITOR shows CONFIG in later versions only; the previous value is written into the record first.
    syncs = [line for line in seen if line.startswith(f"HSET {CLAIMS} {SYNC} everysec")]
    if has_waitaof(redis_server):
        assert (len(waits), syncs) == (1, [])
    else:
        assert len(syncs) == 1
    again = commands(redis_server, lambda: results.append(claim(redis_server, entries("a", "b", "c"))))
    assert not [line for line in again if line.startswith(("WAITAOF", f"HSET {CLAIMS}"))]
    assert results[1]["durable"] == "redis"
    seen = commands(redis_server, lambda: claim(redis_server, absent("b", confirm="b")))
    assert len([line for line in seen if line.startswith(("WAITAOF", f"HSET {CLAIMS} {SYNC}"))]) == 1


@pytest.mark.parametrize("policy", ["everysec", "always", "no"])
def test_where_waitaof_is_missing_appendfsync_is_always_for_a_moment(
    new_redis: t.Callable[..., RedisServer], policy: str
) -> None:
    server = new_redis(options=["--appendfsync", policy])
    login = managed(server, "-waitaof") if has_waitaof(server) else server.login()
    result = run_module("redis_database", {**login, "databases": entries("a")})
    assert (numbers(result), result["durable"]) == ({"a": 1}, "redis")
    assert server.admin().config_get("appendfsync") == {"appendfsync": policy}
    assert server.admin().hget(CLAIMS, SYNC) is None
    assert server.admin().config_get("appendonly") == {"appendonly": "yes"}


@pytest.mark.parametrize("again", ["nothing new", "a new one"])
def test_what_a_killed_run_left_is_put_back(redis_server: RedisServer, again: str) -> None:
    claim(redis_server, entries("a"))
    redis_server.admin().hset(CLAIMS, SYNC, "everysec 0123456789abcdef")
    redis_server.admin().config_set("appendfsync", "always")
    try:
        claim(redis_server, entries("a"), check=True)
        assert redis_server.admin().config_get("appendfsync") == {"appendfsync": "always"}
        names = ["a"] if again == "nothing new" else ["a", "b"]
        login = managed(redis_server, "-waitaof") if has_waitaof(redis_server) else redis_server.login()
        assert run_module("redis_database", {**login, "databases": entries(*names)})["durable"] == "redis"
        assert redis_server.admin().config_get("appendfsync") == {"appendfsync": "everysec"}
        assert redis_server.admin().hget(CLAIMS, SYNC) is None
    finally:
        redis_server.admin().config_set("appendfsync", "everysec")


def test_many_at_once_and_kills_leave_the_policy_as_it_was(redis_server: RedisServer) -> None:
    login = managed(redis_server, "-waitaof") if has_waitaof(redis_server) else redis_server.login()
    runs = [ModuleRun("redis_database", {**login, "databases": entries(f"n{number}")}) for number in range(12)]
    time.sleep(0.1)
    for run in runs[::3]:
        os.kill(run.pid, signal.SIGKILL)
        os.waitpid(run.pid, 0)
    results = [run.result() for position, run in enumerate(runs) if position % 3]
    assert {result["durable"] for result in results} == {"redis"}
    claim(redis_server, entries("last"))
    assert redis_server.admin().config_get("appendfsync") == {"appendfsync": "everysec"}
    assert redis_server.admin().hget(CLAIMS, SYNC) is None
    given = [int(value) for value in redis_server.record().values()]
    assert len(given) == len(set(given))


def test_a_managed_server_that_allows_neither_leaves_it_to_postgres(redis_server: RedisServer) -> None:
    forbidden = ["-config", "-acl|save", *(["-waitaof"] if has_waitaof(redis_server) else [])]
    login = managed(redis_server, *forbidden)
    result = run_module("redis_database", {**login, "databases": entries("a")})
    assert (numbers(result), result["durable"]) == ({"a": 1}, "postgres")
    assert any("does not confirm" in line and "Postgres" in line for line in result["warnings"])
    again = run_module("redis_database", {**login, "databases": entries("a")})
    assert (again["changed"], again["durable"]) == (False, "redis")


@pytest.mark.parametrize("forbidden", [[], ["-config", "-info"]])
def test_without_an_append_only_file_it_says_so(new_redis: t.Callable[..., RedisServer], forbidden: list[str]) -> None:
    server = new_redis(options=["--appendonly", "no"])
    result = run_module("redis_database", {**managed(server, *forbidden), "databases": entries("a")})
    assert (numbers(result), result["durable"]) == ({"a": 1}, "postgres")
    assert any("does not confirm" in line for line in result["warnings"])
    assert server.admin().config_get("appendonly") == {"appendonly": "no"}


def test_an_acknowledged_claim_outlives_a_crash_at_once(redis_server: RedisServer) -> None:
    for name in "abc":
        assert claim(redis_server, entries(name))["durable"] == "redis"
        redis_server.restart()
    assert sorted(redis_server.record()) == ["a", "b", "c"]


def test_the_price_at_a_thousand_names_is_one_wait(new_redis: t.Callable[..., RedisServer]) -> None:
    server = new_redis(databases=1100)
    names = [f"n{number}" for number in range(1000)]
    began = time.monotonic()
    assert claim(server, entries(*names))["durable"] == "redis"
    first = time.monotonic() - began
    began = time.monotonic()
    assert not claim(server, entries(*names))["changed"]
    # The run waits for the next fsync, which happens every second.
    assert first - (time.monotonic() - began) < 8


def test_a_disk_that_does_not_answer_is_not_waited_for_without_end(new_redis: t.Callable[..., RedisServer]) -> None:
    """With appendfsync no, WAITAOF alone would wait for the operating system."""
    server = new_redis(options=["--appendfsync", "no"])
    timer = threading.Timer(30, server.halt, [signal.SIGKILL])
    timer.start()
    login = {**server.login(), "login_timeout": 4}
    assert run_module("redis_database", {**login, "databases": entries("a")})["durable"] == "redis"
    assert timer.is_alive()
    timer.cancel()
