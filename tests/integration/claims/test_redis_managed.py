# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Managed Redis servers, which forbid some commands of an administrator."""

from __future__ import annotations

import typing as t

import pytest
from servers import RedisServer, run_module
from test_redis_database import claim, entries, numbers
from test_redis_durable import managed


@pytest.mark.parametrize(
    "forbidden", [["-acl|setuser"], ["-acl", "+acl|getuser", "+acl|whoami", "+acl|list", "+acl|cat"]]
)
def test_without_the_right_to_change_users_nothing_is_claimed(redis_server: RedisServer, forbidden: list[str]) -> None:
    login = managed(redis_server, *forbidden)
    before = redis_server.snapshot()
    for check in (True, False):
        result = run_module("redis_database", {**login, "databases": entries("a")}, check)
        assert result["failed"]
        assert "does not permit managing users" in result["msg"]
        assert "manage_users to false" in result["msg"]
        assert redis_server.snapshot() == before
    assert numbers(run_module("redis_database", {**login, "databases": [{"name": "a"}], "manage_users": False})) == {
        "a": 1
    }


def test_users_that_are_right_need_no_rights(redis_server: RedisServer) -> None:
    claim(redis_server, entries("a"))
    login = managed(redis_server, "-acl|setuser")
    assert not run_module("redis_database", {**login, "databases": entries("a")})["changed"]


def test_users_are_made_where_they_cannot_be_saved(redis_server: RedisServer) -> None:
    login = managed(redis_server, "-acl|save", "-config")
    result = run_module("redis_database", {**login, "databases": entries("a")})
    assert numbers(result) == {"a": 1}
    assert redis_server.client("a", "a-password-of-the-deployment-a", 1).ping()


@pytest.mark.parametrize("allowed", [True, False])
def test_one_number_is_found_where_config_is_forbidden(new_redis: t.Callable[..., RedisServer], allowed: bool) -> None:
    server = new_redis(databases=1)
    options = {**managed(server, "-config"), "databases": entries("a", "b"), "allow_shared_number": allowed}
    result = run_module("redis_database", options)
    if allowed:
        assert numbers(result) == {"a": 0, "b": 0}
        assert any("share Redis database 0" in line for line in result["warnings"])
    else:
        assert "has database 0 only" in result["msg"]
        assert server.record() == {}
