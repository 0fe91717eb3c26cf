# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays that are killed after each changed task: the next run converges, and the services run with the requested options."""

from __future__ import annotations

import json
import re
import subprocess
import typing as t

import pytest
from killing import killed_after_each_change

MIRROR = "https://mirror.example.org"
HELPER = "/usr/local/lib/langgraph/langgraph-firewall.py"
URLS = ("http://127.0.0.1:8123", "http://127.0.0.1:8124")
REGISTRY = {"registry_password": "PLANTED-registry-password", "registry_port": 5001}


@pytest.fixture
def killed(role):
    """Apply a role, killed after each change until nothing is left to change; return the tasks after which it was killed."""

    def run(name: str, variables: dict[str, t.Any]) -> list[str]:
        deaths = killed_after_each_change(lambda **settings: role(name, variables, **settings))
        assert "changed=0 " in deaths.last.stdout, deaths.last.stdout
        assert "failed=0 " in deaths.last.stdout, deaths.last.stdout
        return [re.sub(r"^.*? : ", "", task) for task in deaths.tasks]

    return run


def converged(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def undisturbed(test_host):
    """Check that the test does not change the deployments' containers."""
    before = test_host.containers()
    yield
    assert test_host.containers() == before


def engine(test_host) -> dict[str, t.Any]:
    return json.loads(test_host.host.check_output("docker info --format '{{json .}}'"))


@pytest.mark.essential("trixie")
def test_docker(test_host, role, killed, undisturbed):
    """On one host the role has installed the engine, on the other it existed before and is never restarted."""
    ours = "installed" in test_host.host.check_output("cat /var/lib/langgraph/docker-engine.json")
    started = test_host.host.check_output("systemctl show docker -p ExecMainStartTimestamp")
    variables: dict[str, t.Any] = {"docker_registry_mirrors": [MIRROR]}
    if ours:
        variables["docker_daemon_options"] = {"log-level": "warn"}
    try:
        assert killed("docker", variables) == ["Configure the engine"]
        assert f"{MIRROR}/" in engine(test_host)["RegistryConfig"]["Mirrors"]
        assert engine(test_host)["LiveRestoreEnabled"] is True
        restarted = test_host.host.check_output("systemctl show docker -p ExecMainStartTimestamp") != started
        assert restarted == ours
    finally:
        converged(role("docker", {}))
    assert f"{MIRROR}/" not in (engine(test_host)["RegistryConfig"]["Mirrors"] or [])


@pytest.mark.essential("trixie")
def test_proxy(test_host, role, killed, undisturbed):
    """The proxy is reloaded if needed, and never restarted, which would cut every stream."""
    maxconn = "echo show info | python3 -c \"import socket, sys; s = socket.socket(socket.AF_UNIX); \
s.connect('/run/langgraph-proxy/admin.sock'); s.send(sys.stdin.buffer.read()); print(s.makefile().read())\" | grep ^Maxconn:"
    master = test_host.host.check_output("systemctl show langgraph-proxy -p MainPID")
    test_host.host.check_output("echo '# somebody' >> /etc/systemd/system/langgraph-proxy.service")
    try:
        deaths = killed("proxy", {"proxy_maxconn": 7000})
        assert deaths == [
            "Write the settings",
            "Install the unit",
            "Reload systemd if the unit changed",
            "Reload the proxy if its settings changed",
        ]
        assert test_host.host.check_output(maxconn) == "Maxconn: 7000"
    finally:
        converged(role("proxy", {}))
    assert test_host.host.check_output("systemctl show langgraph-proxy -p MainPID") == master
    assert test_host.host.check_output(maxconn) == "Maxconn: 8000"


@pytest.mark.essential("bookworm")
def test_data_proxy(test_host, role, killed, undisturbed):
    """Changed settings are reloaded, which cuts no connection; only a changed unit causes a restart."""
    shown = "systemctl show langgraph-data-proxy -p MainPID"
    master = test_host.host.check_output(shown)
    maxconn = "grep maxconn /etc/langgraph-data-proxy/haproxy.cfg"
    try:
        deaths = killed("data_proxy", {"data_proxy_maxconn": 7000})
        assert deaths == ["Write the settings", "Reload the data proxy if its settings changed"]
        assert test_host.host.check_output(maxconn).split() == ["maxconn", "7000"]
        assert test_host.host.check_output(shown) == master
        test_host.host.check_output("echo '# somebody' >> /etc/systemd/system/langgraph-data-proxy.service")
        assert killed("data_proxy", {}) == [
            "Write the settings",
            "Install the unit",
            "Restart the data proxy if its unit changed",
        ]
        assert test_host.host.check_output(shown) != master
    finally:
        converged(role("data_proxy", {}))
    assert test_host.host.check_output(maxconn).split() == ["maxconn", "8000"]
    assert test_host.client("healthy", "60", *URLS) < 60


def test_firewall(test_host, role, killed, undisturbed):
    """The table matches the settings, and its service runs the current helper."""
    opened = {"firewall_services": [{"host": "192.0.2.77", "port": 7777}]}
    opened["firewall_own_services"] = json.loads(
        test_host.host.check_output("cat /etc/langgraph-firewall/settings.json")
    )["services"]
    watcher = test_host.host.check_output("systemctl show langgraph-firewall -p MainPID")
    test_host.host.check_output(f"echo '# somebody' >> {HELPER}")
    try:
        deaths = killed("firewall", opened)
        assert deaths[:2] == ["Install the helper", "Write the settings"]
        assert "192.0.2.77" in test_host.host.check_output("nft list table inet langgraph")
        assert test_host.host.check_output("systemctl show langgraph-firewall -p MainPID") != watcher
    finally:
        converged(role("firewall", {**opened, "firewall_services": []}))
    assert "192.0.2.77" not in test_host.host.check_output("nft list table inet langgraph")


@pytest.mark.release("trixie")
def test_registry_from_a_bare_host_on(test_host, role, killed):
    """It is also killed during the installation: the distribution's unit stays down until it has its settings."""
    try:
        deaths = killed("registry", REGISTRY)
        assert deaths[-1] == "Enable and start the registry"
        assert {
            "Mask the units",
            "Install the packages",
            "Write the settings",
            "Write the combined PEM file",
        } <= set(deaths)
        assert test_host.host.run("ls /var/lib/langgraph/held-units/*").rc != 0
        assert killed("registry", {**REGISTRY, "registry_port": 5002})[0] == "Write the settings"
        assert "127.0.0.1:5002" in test_host.host.check_output("ss -Hltn 'sport = :5002'")
    finally:
        test_host.host.run(
            "apt-get purge -y docker-registry && rm -rf /etc/docker/registry /etc/systemd/system/docker-registry.service.d"
        )
        test_host.host.run("systemctl daemon-reload")
