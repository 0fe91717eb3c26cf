# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The deployments' cluster, on its own port: what the running server reports, and who may log in."""

from __future__ import annotations

import pytest

SOCKET, PORT, USER = "/run/langgraph-postgres", 5433, "langgraph-postgres"
pytestmark = pytest.mark.essential


@pytest.fixture(scope="module")
def server(test_host):
    """Return the test host, with its superuser's access at the port of this scenario."""
    server = type(test_host)(test_host.host)
    server.postgres = (USER, ("-h", SOCKET, "-p", str(PORT)))
    return server


@pytest.fixture
def login(server):
    """Create a role with a password; return a function that logs in with a password."""
    server.sql("postgres", "CREATE ROLE tester LOGIN PASSWORD 'right'")
    yield lambda password: server.host.run(
        f"PGPASSWORD={password} psql -qAtX -h {SOCKET} -p {PORT} -U tester -d postgres -c 'SELECT current_user'"
    )
    server.sql("postgres", "DROP ROLE tester")


def unit(server) -> str:
    version = server.sql("postgres", "SHOW server_version").partition(".")[0]
    return f"postgresql@{version}-langgraph"


def test_the_server_runs_with_its_settings(server):
    names = ("port", "work_mem", "listen_addresses", "password_encryption", "data_checksums", "ssl")
    values = {name: server.sql("postgres", f"SHOW {name}") for name in names}
    assert values == {
        "port": str(PORT),
        "work_mem": "6MB",
        "listen_addresses": "",
        "password_encryption": "scram-sha-256",
        "data_checksums": "on",
        "ssl": "off",
    }
    # The 150 connections that the deployments need, and a reserve.
    assert int(server.sql("postgres", "SHOW max_connections")) > 150
    assert server.sql("postgres", "SELECT count(*) FROM pg_settings WHERE pending_restart") == "0"


def test_a_login_needs_its_password(login):
    assert login("right").stdout.strip() == "tester"
    refused = login("wrong")
    assert refused.rc != 0
    assert "password authentication failed" in refused.stderr


def test_it_is_the_only_cluster_and_its_user_owns_it(server):
    (cluster,) = server.host.check_output("pg_lsclusters --no-header").splitlines()
    _version, name, port, status, owner, *_rest = cluster.split()
    assert (name, port, status, owner) == ("langgraph", str(PORT), "online", USER)
    # The administrator of the distribution's clusters is a stranger here.
    assert server.host.run(f"runuser -u postgres -- psql -X --no-password -h {SOCKET} -p {PORT} -c 'SELECT 1'").rc != 0


def test_data_survives_a_crash(server):
    """All its processes are killed; systemd starts it again."""
    service = unit(server)
    server.sql("postgres", "CREATE TABLE kept AS SELECT 7 AS answer")
    server.host.check_output(f"systemctl kill --signal=KILL {service}")
    assert server.wait_until(lambda: server.host.run(f"pg_isready -h {SOCKET} -p {PORT}").rc == 0)
    assert server.sql("postgres", "SELECT answer FROM kept") == "7"
    server.sql("postgres", "DROP TABLE kept")
    assert server.host.service(service).is_enabled


def test_pgvector_is_there_if_the_distribution_has_it(server):
    found = server.sql("postgres", "SELECT count(*) FROM pg_available_extensions WHERE name = 'vector'")
    assert found == ("1" if "trixie" in server.name else "0")
