# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host after site.yml: running services, listening addresses and permissions of files."""

from __future__ import annotations

import json
import re

import pytest

pytestmark = pytest.mark.essential


def test_units_run_and_start_at_boot(test_host, deployments):
    for name in deployments:
        unit = test_host.unit(name)
        assert unit.is_running
        assert unit.is_enabled


def test_redis_is_durable_and_has_room(test_host):
    settings = {key: test_host.redis("CONFIG", "GET", key).splitlines()[1] for key in ("databases", "appendonly")}
    assert settings == {"databases": "256", "appendonly": "yes"}
    assert test_host.redis("CONFIG", "GET", "maxmemory-policy").splitlines()[1] == "noeviction"


def test_redis_refuses_who_has_no_user(test_host):
    assert "NOAUTH" in test_host.host.run("redis-cli -h 172.29.0.1 PING").stdout


def test_postgres_accepts_only_scram(test_host):
    assert test_host.sql("postgres", "SHOW password_encryption") == "scram-sha-256"
    rules = test_host.sql("postgres", "SELECT type, user_name, auth_method FROM pg_hba_file_rules ORDER BY line_number")
    assert rules.splitlines() == ["local|{langgraph-postgres}|peer", "local|{all}|scram-sha-256"]
    assert test_host.sql("postgres", "SHOW listen_addresses") == ""
    assert test_host.sql("postgres", "SELECT DISTINCT pg_encoding_to_char(encoding) FROM pg_database") == "UTF8"


def test_postgres_is_a_cluster_of_our_own(test_host):
    """The package has created no other cluster, and the setting that prevented this is removed again."""
    (cluster,) = test_host.host.check_output("pg_lsclusters --no-header").splitlines()
    version, name, port, status, owner, *_rest = cluster.split()
    assert (name, port, status, owner) == ("langgraph", "5432", "online", "langgraph-postgres")
    assert test_host.host.service(f"postgresql@{version}-langgraph").is_enabled
    assert not test_host.host.file("/etc/postgresql-common/createcluster.d/langgraph.conf").exists
    assert not test_host.host.file(f"/etc/postgresql/{version}/langgraph/being-made.conf").exists


def test_nothing_listens_on_a_public_address(test_host):
    lines = test_host.host.check_output("ss --listening --tcp --numeric --no-header").splitlines()
    addresses = {re.sub(r":\d+$", "", line.split()[3]) for line in lines}
    # 127.0.0.11 is the name server that the engine provides for the test host.
    assert addresses <= {"127.0.0.1", "[::1]", "172.29.0.1", "127.0.0.11"}


def test_servers_listen_only_on_sockets(test_host):
    lines = test_host.host.check_output("ss --listening --tcp --numeric --no-header --processes").splitlines()
    programs = {name for line in lines for name in re.findall(r'\(\("([^"]+)"', line)}
    assert not programs & {"redis-server", "valkey-server", "postgres"}, lines
    behind = [line for line in lines if re.search(r"172\.29\.0\.1:(6379|5432) ", line)]
    assert len(behind) == 2, lines
    assert all('"haproxy"' in line for line in behind), lines


def test_the_data_proxy_has_no_rights(test_host):
    """No process of it has a capability or runs as root, and its only other group is that of Redis's socket."""
    assert test_host.host.service("langgraph-data-proxy").is_enabled
    found = test_host.host.check_output("ps -C haproxy -o pid=,user:30=,supgrp:80=").splitlines()
    ours = [line.split() for line in found if line.split()[1] == "langgraph-data-proxy"]
    assert len(ours) == 2, found
    main = test_host.host.check_output("systemctl show -P MainPID langgraph-data-proxy")
    assert main in [pid for pid, *_more in ours]
    for pid, _user, groups in ours:
        assert set(groups.split(",")) == {"langgraph-data-proxy", "langgraph-redis"}
        status = test_host.host.check_output(f"cat /proc/{pid}/status")
        assert set(re.findall(r"^Cap\w+:\s+(\w+)", status, re.MULTILINE)) == {"0" * 16}
    shown = test_host.host.check_output("stat -c '%U %a' /run/langgraph-data-proxy/status.sock")
    assert shown == "langgraph-data-proxy 600"


def test_files_are_only_for_root(test_host, deployments):
    for name in deployments:
        directory = test_host.host.file(f"/etc/langgraph/{name}")
        assert (directory.user, directory.mode) == ("root", 0o700)
        modes = test_host.host.check_output(
            f"find /etc/langgraph/{name} -type f -exec stat -c '%U %a' {{}} +"
        ).splitlines()
        assert set(modes) == {"root 600"}
        assert len(modes) >= 5


def test_the_proxy_runs_as_its_own_user_and_the_distributions_is_off(test_host):
    assert test_host.host.service("langgraph-proxy").is_running
    assert test_host.host.service("langgraph-proxy").is_enabled
    assert not test_host.host.service("haproxy").is_running
    assert "haproxy" in test_host.host.check_output("ps -C haproxy -o user=").split()


def test_no_container_port_is_published(test_host, deployments):
    for name in deployments:
        assert test_host.host.check_output(f"docker port langgraph-{test_host.instance(name)}") == ""
        addresses = test_host.host.check_output(
            f"docker inspect --format '{{{{.NetworkSettings.Networks.langgraph.IPAddress}}}}' langgraph-{test_host.instance(name)}"
        )
        assert re.fullmatch(r"172\.29\.128\.\d+", addresses)


def test_revisions_record_the_schema_of_their_database(test_host, deployments):
    status = test_host.status()
    for name in deployments:
        revision = next(item for item in status[name]["revisions"] if item["state"] == "serving")
        version = test_host.sql(test_host.database(name), "SELECT version_num FROM alembic_version")
        assert (revision["schema"], revision["result"]) == (version, "served")
        assert revision["created_by"]


def test_containers_have_few_rights(test_host, deployments):
    for name in deployments:
        shown = test_host.host.check_output(
            f"docker inspect --format '{{{{.HostConfig.CapDrop}}}} {{{{.HostConfig.SecurityOpt}}}}' langgraph-{test_host.instance(name)}"
        )
        assert shown == "[ALL] [no-new-privileges]"


def test_a_container_reaches_no_other_one(test_host, deployments):
    first, second = (f"langgraph-{test_host.instance(name)}" for name in deployments)
    found = json.loads(test_host.host.check_output(f"docker inspect {second}"))[0]
    (network,) = found["NetworkSettings"]["Networks"].values()
    asked = f"http://{network['IPAddress']}:8000/ok"
    # The address is correct: the host itself gets an answer.
    assert test_host.host.run(f"curl --silent --max-time 10 {asked}").stdout == '{"ok":true}'
    program = f"import urllib.request; urllib.request.urlopen('{asked}', timeout=3)"
    refused = test_host.host.run(f'docker exec {first} python3 -c "{program}"')
    assert refused.rc != 0
    assert "timed out" in refused.stderr or "refused" in refused.stderr or "unreachable" in refused.stderr, (
        refused.stderr
    )


def test_secrets_of_the_services_are_for_their_own_users(test_host):
    settings, data = "/etc/langgraph-redis", "/var/lib/langgraph-redis"
    shown = test_host.host.check_output(
        f"stat -c '%n %U:%G %a' {settings} {settings}/* {data} {data}/users.acl /run/langgraph-redis /run/langgraph-redis/*"
    )
    assert shown.splitlines() == [
        f"{settings} root:langgraph-redis 750",
        f"{settings}/admin.password root:root 600",
        f"{settings}/langgraph.conf root:langgraph-redis 640",
        f"{data} langgraph-redis:langgraph-redis 700",
        f"{data}/users.acl langgraph-redis:langgraph-redis 640",
        "/run/langgraph-redis langgraph-redis:langgraph-redis 750",
        "/run/langgraph-redis/redis.sock langgraph-redis:langgraph-redis 770",
    ]


def test_postgres_has_no_password_of_an_administrator(test_host):
    """According to the server's catalog no superuser has a password."""
    assert test_host.sql("postgres", "SELECT rolname FROM pg_authid WHERE rolsuper") == "langgraph-postgres"
    assert test_host.sql("postgres", "SELECT count(*) FROM pg_authid WHERE rolsuper AND rolpassword IS NOT NULL") == "0"
