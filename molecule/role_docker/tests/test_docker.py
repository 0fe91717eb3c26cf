# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine that the role has installed, its options, and the network of the deployments."""

from __future__ import annotations

import json

import pytest

MIRROR = "https://mirror.example.org/"
# The smallest image that stays running: sleep and its libraries, from the host.
FILES = "usr/bin/sleep lib64 $(ldd /usr/bin/sleep | grep -o '/lib/[^ ]*' | sed 's|^/||')"
pytestmark = pytest.mark.essential


@pytest.fixture
def sleeper(host):
    """Run a container in the network of the deployments; return its id."""
    host.check_output(f"tar -C / -ch {FILES} | docker import - sleeper")
    yield host.check_output("docker run --detach --name sleeper --network langgraph sleeper /usr/bin/sleep infinity")
    host.check_output("docker rm --force sleeper && docker rmi sleeper")


def pid(host, container: str) -> str:
    return host.check_output(f"docker inspect --format '{{{{.State.Running}}}} {{{{.State.Pid}}}}' {container}")


def test_the_engine_runs_with_its_options(host):
    info = json.loads(host.check_output("docker info --format '{{json .}}'"))
    assert info["LiveRestoreEnabled"] is True
    assert info["RegistryConfig"]["Mirrors"] == [MIRROR]
    assert host.service("docker").is_running
    assert host.service("docker").is_enabled


def test_the_network_has_its_addresses_and_separates_containers(host):
    (network,) = json.loads(host.check_output("docker network inspect langgraph"))
    assert network["IPAM"]["Config"] == [{"Subnet": "172.29.0.0/16", "Gateway": "172.29.0.1"}]
    assert network["Options"]["com.docker.network.bridge.enable_icc"] == "false"
    assert "inet 172.29.0.1/16 " in host.check_output("ip -4 address show dev langgraph0")


def test_a_container_survives_a_restart_of_the_engine(host, sleeper):
    before = pid(host, sleeper)
    assert before.startswith("true ")
    host.check_output("systemctl restart docker")
    assert pid(host, sleeper) == before
