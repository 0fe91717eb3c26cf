# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A deployment with external Valkey and Postgres works with them, and its data is there."""

from __future__ import annotations

import json

import pytest
import testinfra

from playbooks import PROJECT, run_playbook

NAME = "far-from-its-data"
VALKEY = "valkey-cli -p 6380 --no-auth-warning --user provider-admin -a PLANTED-provider-valkey"
pytestmark = pytest.mark.essential


@pytest.fixture
def service(test_host):
    """Return the host that acts as the managed service."""
    name = test_host.name.replace("bookworm", "trixie")
    managed = type(test_host)(testinfra.get_host(f"docker://{name}"), VALKEY)
    managed.postgres = ("postgres", ("-p", "5433"))
    return managed


def test_a_run_leaves_its_data_at_the_service(test_host, service):
    (answer,) = test_host.client("run", "http://127.0.0.1:8140").values()
    assert answer["text"] == "HELLO"
    rows = service.sql(service.database(NAME), f"SELECT count(*) FROM runs WHERE run_id = '{answer['run']}'")
    assert rows == "1"
    number = str(service.numbers()[NAME])
    assert answer["run"] in service.redis("-n", number, "--scan", "--pattern", f"'*{answer['run']}*'")


def test_it_uses_its_own_users(service):
    assert f"user={NAME} " in service.redis("CLIENT", "LIST")
    assert service.sql(
        "postgres", f"SELECT DISTINCT usename FROM pg_stat_activity WHERE datname = '{service.database(NAME)}'"
    ) == service.database(NAME)


def test_its_number_is_remembered_at_the_service(service):
    comment = service.sql("postgres", f"SELECT shobj_description(to_regrole('{service.database(NAME)}'), 'pg_authid')")
    assert f'"redis_number": {service.numbers()[NAME]}' in comment


def test_the_engine_has_the_options_of_the_inventory(test_host):
    """The engine existed before the role was applied, and was not restarted for them."""
    info = json.loads(test_host.host.check_output("docker info --format '{{json .}}'"))
    assert (info["LiveRestoreEnabled"], info["RegistryConfig"]["Mirrors"]) == (False, ["https://mirror.example.org/"])
    written = json.loads(test_host.host.check_output("cat /etc/docker/daemon.json"))
    assert written == {"live-restore": False, "registry-mirrors": ["https://mirror.example.org"]}


def test_without_users_it_has_the_administrators_login_and_its_own_number(test_host, service):
    """This is for a Redis without ACL. The deployment is removed afterwards."""
    number = service.numbers()[NAME]
    done = run_playbook(
        PROJECT / "molecule/inventory",
        str(PROJECT / "molecule/external/converge.yml"),
        (),
        {"langgraph_redis_manage_users": False},
    )
    assert done.returncode == 0, done.stdout
    assert "manage_users is false: every deployment that knows the Redis password" in done.stdout + done.stderr
    assert service.numbers()[NAME] == number
    test_host.drained(NAME)
    clients = [line for line in service.redis("CLIENT", "LIST").splitlines() if f" db={number} " in line]
    assert clients
    assert all(" user=provider-admin " in line for line in clients), clients
    (answer,) = test_host.client("run", "http://127.0.0.1:8140").values()
    assert answer["text"] == "HELLO"
