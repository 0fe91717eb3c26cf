# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The deployments' Redis: killed runs, manual changes, and refused settings."""

from __future__ import annotations

import functools
import re
import subprocess

import pytest
from killing import killed_after_each_change

UNIT = "redis-server@langgraph.service"
SETTINGS = "/etc/langgraph-redis/langgraph.conf"


@pytest.fixture
def redis(role):
    """Return a function that applies only this role to this host."""
    return functools.partial(role, "redis")


@pytest.fixture(autouse=True)
def as_it_was(redis):
    """Apply the role after each test, to restore its defaults."""
    yield
    done = redis({})
    assert done.returncode == 0, done.stdout + done.stderr


def setting(test_host, name: str) -> str:
    """Return a directive of the running server."""
    return test_host.redis("CONFIG", "GET", name).split()[1]


def refused(done: subprocess.CompletedProcess[str], line: str) -> None:
    """Check that the role is refused in one line, before anything changes."""
    assert done.returncode != 0, done.stdout
    assert "changed=0 " in done.stdout, done.stdout
    assert line in " ".join((done.stdout + done.stderr).split())


@pytest.mark.essential("bookworm")
def test_a_run_that_died_is_finished_by_the_next(test_host, redis):
    """After a kill between the settings and the restart, the next run detects that the restart is pending."""
    claims = test_host.claims()
    deaths = killed_after_each_change(lambda **settings: redis({"redis_databases": 300}, **settings))
    assert [re.sub(r"^.*? : ", "", task) for task in deaths.tasks] == ["Write the settings", "Start or restart Redis"]
    assert "changed=0 " in deaths.last.stdout, deaths.last.stdout
    assert setting(test_host, "databases") == "300"
    assert test_host.claims() == claims


def test_what_somebody_set_by_hand_is_put_right(test_host, redis):
    test_host.redis("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    assert "Start or restart Redis" in redis({}, "--check").stdout
    assert setting(test_host, "maxmemory-policy") == "allkeys-lru"
    assert redis({}).returncode == 0
    assert setting(test_host, "maxmemory-policy") == "noeviction"
    assert "changed=0 " in redis({}).stdout


@pytest.mark.essential("bookworm")
def test_no_database_number_in_use_is_removed(test_host, redis):
    before = test_host.host.check_output(f"sha256sum {SETTINGS}; systemctl show {UNIT} -p MainPID")
    highest = max(test_host.numbers().values())
    for arguments in ((), ("--check",)):
        refused(redis({"redis_databases": highest}, *arguments), f"redis_databases: {highest} is too low")
    test_host.redis("-n", "200", "SET", "somebodys", "1")
    try:
        refused(redis({"redis_databases": 200}), "because database 200 has keys: set it to 201 or more")
    finally:
        test_host.redis("-n", "200", "DEL", "somebodys")
    assert test_host.host.check_output(f"sha256sum {SETTINGS}; systemctl show {UNIT} -p MainPID") == before


def test_another_implementation_is_refused_by_name(redis):
    refused(redis({"redis_implementation": "valkey"}), "set redis_implementation to redis")


def test_unknown_redis_settings_are_reported_and_discarded(test_host, redis):
    before = test_host.host.check_output(f"sha256sum {SETTINGS}; systemctl show {UNIT} -p MainPID")
    done = redis({"redis_settings": {"no-such-directive": 1}})
    said = " ".join((done.stdout + done.stderr).split())
    assert "Bad directive or wrong number of arguments" in said
    assert "no-such-directive" in said
    assert test_host.host.check_output(f"sha256sum {SETTINGS}; systemctl show {UNIT} -p MainPID") == before
    assert test_host.host.service(UNIT).is_running
    assert redis({}).returncode == 0


@pytest.mark.essential("bookworm")
def test_the_distributions_own_service_stays_off(test_host):
    """This holds also after an upgrade of its package, which would treat it as a new service."""
    command = "DEBIAN_FRONTEND=noninteractive apt-get install -q -y --reinstall redis-server"
    before = test_host.host.check_output(f"systemctl show {UNIT} -p MainPID")
    assert test_host.host.run(command).rc == 0
    assert not test_host.host.service("redis-server").is_running
    assert not test_host.host.service("redis-server").is_enabled
    assert test_host.host.check_output(f"systemctl show {UNIT} -p MainPID") == before
