# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role redis reads from a real server, and how that server behaves when a database is missing."""

from __future__ import annotations

import typing as t

import pytest
import yaml
from servers import ADMIN_PASSWORD, COLLECTION, RedisServer
from test_redis_database import claim, entries

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis import instance as redis_instance
from ansible_collections.selfhost.langgraph.plugins.modules import redis_instance_info


def own_settings() -> dict[str, str]:
    """Return the directives of the role that need no path of a host."""
    variables = yaml.safe_load((COLLECTION / "roles/redis/vars/main.yml").read_text())
    settings: dict[str, str] = variables["_redis_own_settings"]
    return {name: value.strip('"') for name, value in settings.items() if "{{" not in value}


@pytest.fixture
def instance() -> t.Iterator[RedisServer]:
    """Start a server with the settings of the role, except for the port of the tests, and with a socket."""
    options = [word for name, value in own_settings().items() if name != "port" for word in (f"--{name}", value)]
    server = RedisServer(32, options)
    # Its crash report would test the memory first.
    server.options = [*options, "--unixsocket", f"{server.inside}/socket", "--crash-memcheck-enabled", "no"]
    server.restart()
    (server.directory / "password").write_text(ADMIN_PASSWORD + "\n")
    yield server
    server.stop()


def ask(server: RedisServer, **wanted: str) -> redis_instance_info.Response:
    """Read the server as the module does."""
    return redis_instance_info.query(str(server.directory / "socket"), str(server.directory / "password"), wanted)


def test_what_it_runs_with_is_what_the_role_wrote(instance: RedisServer) -> None:
    wanted = {**own_settings(), "dir": instance.inside, "databases": "32", "port": str(instance.port)}
    asked = ask(instance, **wanted)
    assert asked.reading
    # A directive that a server does not report would not be compared.
    assert set(asked.reading.settings) == set(wanted)
    assert redis_instance.differences({**wanted, "dir": asked.reading.settings["dir"]}, asked.reading.settings) == {}
    instance.admin().config_set("maxmemory-policy", "allkeys-lru")
    again = ask(instance, **wanted).reading
    assert again
    assert list(redis_instance.differences({"maxmemory-policy": "noeviction"}, again.settings)) == ["maxmemory-policy"]


def test_numbers_in_use_are_found(instance: RedisServer) -> None:
    claim(instance, [{**entries("a")[0], "redis_db": 20}])
    instance.admin(25).set("somebody's", "1")
    reading = ask(instance).reading
    assert reading
    assert (reading.claims, max(reading.dbs)) == ({"a": 20}, 25)
    assert "database 25 has keys" in redis_instance.too_few_databases(25, reading)
    assert redis_instance.too_few_databases(26, reading) == ""


def test_with_fewer_numbers_it_does_not_start_and_nothing_is_lost(instance: RedisServer) -> None:
    """By itself Redis would load the keys of database 20 into the previous database in the file."""
    instance.admin(1).set("bot-a:x", "1")
    instance.admin(20).set("bot-b:secret", "2")
    instance.databases = 16
    with pytest.raises(RuntimeError):
        instance.restart()
    instance.databases = 32
    instance.restart()
    assert [instance.admin(number).keys() for number in (1, 20)] == [["bot-a:x"], ["bot-b:secret"]]


def test_a_password_that_does_not_fit_is_distinguished(instance: RedisServer) -> None:
    (instance.directory / "password").write_text("another\n")
    assert ask(instance).login_refused
    instance.halt()
    silent = ask(instance)
    assert not silent.login_refused
    assert silent.reading is None
