# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redis on Debian 12 and Valkey on Debian 13, behind the data proxy: what the running servers answer."""

from __future__ import annotations

import json

import pytest
from conftest import ADMIN

SOCKET, GATEWAY, PORT = "/run/langgraph-redis/redis.sock", "172.29.0.1", 6390
pytestmark = pytest.mark.essential


@pytest.fixture(scope="module")
def implementation(test_host) -> str:
    """Return what the inventory of the scenario has for this release."""
    return "valkey" if "trixie" in test_host.name else "redis"


@pytest.fixture(scope="module")
def administrator(implementation) -> str:
    """Return the command of the administrator."""
    return ADMIN.replace("redis-cli", f"{implementation}-cli")


@pytest.fixture(scope="module")
def server(test_host, administrator):
    """Return the test host, with the administrator's access."""
    return type(test_host)(test_host.host, administrator)


def test_it_is_the_requested_implementation(server, implementation):
    assert ("valkey_version:" in server.redis("INFO", "server")) == (implementation == "valkey")
    assert server.host.service(f"{implementation}-server@langgraph").is_enabled


def test_the_server_runs_with_its_settings(server):
    names = ("databases", "appendonly", "save", "maxmemory-policy", "maxmemory", "port")
    assert json.loads(server.redis("--json", "CONFIG", "GET", *names)) == {
        "databases": "64",
        "appendonly": "yes",
        "save": "",
        "maxmemory-policy": "noeviction",
        "maxmemory": str(64 * 1024 * 1024),
        "port": "0",
    }


def test_the_last_database_number_can_be_used_and_no_more(server, administrator):
    assert server.redis("-n", "63", "DBSIZE") == "0"
    refused = server.host.run(f"{administrator} SELECT 64")
    assert "DB index is out of range" in refused.stdout + refused.stderr


def test_a_key_survives_a_crash(server, implementation, administrator):
    server.redis("-n", "5", "SET", "kept", "7")
    server.host.check_output(f"systemctl kill --signal=KILL {implementation}-server@langgraph")
    assert server.wait_until(lambda: server.host.run(f"{administrator} PING").stdout.strip() == "PONG")
    assert server.redis("-n", "5", "GET", "kept") == "7"
    server.redis("-n", "5", "DEL", "kept")


def test_nobody_without_a_login_may_use_it(server, implementation):
    assert "NOAUTH" in server.host.run(f"{implementation}-cli -s {SOCKET} PING").stdout


def test_the_data_proxy_offers_it_at_its_port(server, implementation):
    """The proxy listens on the gateway's address before it exists; here it is added without an engine."""
    server.host.run(f"ip address add {GATEWAY}/32 dev lo")
    try:
        assert "NOAUTH" in server.host.run(f"{implementation}-cli -h {GATEWAY} -p {PORT} PING").stdout
        lines = server.host.check_output("ss --listening --tcp --numeric --no-header --processes").splitlines()
        ours = [line for line in lines if '"haproxy"' in line or '"redis' in line or '"valkey' in line]
        assert [line.split()[3] for line in ours] == [f"{GATEWAY}:{PORT}"]
    finally:
        server.host.run(f"ip address del {GATEWAY}/32 dev lo")


def test_the_distributions_own_service_stays_off(server, implementation):
    assert not server.host.service(f"{implementation}-server").is_running
    assert not server.host.service(f"{implementation}-server").is_enabled
