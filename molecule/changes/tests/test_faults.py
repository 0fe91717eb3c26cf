# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults that systemd and the engine handle without Ansible: crashes and the engine's restart; and exchanged ports."""

from __future__ import annotations

import time

import pytest

DATA_PROXY = "langgraph-data-proxy"
URLS = ("http://127.0.0.1:8123", "http://127.0.0.1:8124")


def test_a_killed_server_comes_back(world):
    before = world.container("support-bot")
    world.host.check_output(f"docker kill langgraph-{world.instance('support-bot')}")
    assert world.wait_until(lambda: world.container("support-bot")["started"] != before["started"])
    assert world.client("healthy", "60", "http://127.0.0.1:8123") < 60
    assert world.container("support-bot")["id"] == before["id"]


def test_restarts_wait_longer_each_time(world):
    unit, container = world.unit("research-agent"), f"langgraph-{world.instance('research-agent')}"
    for _crash in range(3):
        assert world.wait_until(lambda: unit.is_running)
        world.host.check_output(f"docker kill {container}")
        assert world.wait_until(lambda: not unit.is_running)
    assert world.wait_until(lambda: unit.is_running)
    log = world.host.check_output(f"journalctl --no-pager --output cat --unit {unit.name} --lines 200")
    waits = [line for line in log.splitlines() if line.startswith("restart ")]
    assert waits[-2:] == ["restart 2: waiting 1 s first", "restart 3: waiting 2 s first"]


def test_containers_outlive_the_engines_restart(world):
    assert world.client("healthy", "60", "http://127.0.0.1:8123", "http://127.0.0.1:8124") < 60
    before = world.containers()
    world.host.check_output("systemctl restart docker")
    assert world.wait_until(lambda: all(world.unit(name).is_running for name in ("support-bot", "research-agent")))
    assert world.containers() == before
    assert world.client("healthy", "10", "http://127.0.0.1:8123", "http://127.0.0.1:8124") < 10


def test_two_deployments_exchange_their_ports(world, group_vars):
    first, second = group_vars["langgraph_deployments"]
    exchanged = [{**first, "port": second["port"]}, {**second, "port": first["port"]}]
    before = world.containers()
    done = world.play(langgraph_deployments=exchanged)
    assert done.returncode == 0, done.stdout
    assert world.settings("support-bot")["port"] == second["port"]
    back = world.play()
    assert back.returncode == 0, back.stdout
    assert world.containers() == before
    assert world.client("healthy", "10", "http://127.0.0.1:8123", "http://127.0.0.1:8124") < 10


@pytest.mark.essential("trixie")
def test_a_killed_data_proxy_is_back_and_deployments_recover(world, tmp_path):
    """Send requests continuously: some fail while it is down, and none once the deployments are healthy again."""
    before = world.containers()
    with world.load(tmp_path, 8123, "--rate", "20", "--streams", "", "--runs", "0") as load:
        world.host.check_output(f"kill -9 $(systemctl show -P MainPID {DATA_PROXY})")
        killed = time.monotonic()
        assert world.wait_until(lambda: "NOAUTH" in world.host.run("redis-cli -h 172.29.0.1 PING").stdout, 5)
        assert time.monotonic() - killed < 2
        assert world.client("healthy", "30", *URLS) < 30
        load.mark("after").touch()
        time.sleep(8)
    after = load.report["phases"]["after"]
    assert after["count"] > 100, load.report
    assert after["errors"] == 0, load.report
    assert world.containers() == before

    def runs_succeed():
        answers = world.client("run", *URLS).values()
        return all((answer["text"], answer["background"]) == ("HELLO", "success") for answer in answers)

    # The open runtime's Redis client detects each of its broken connections only by a failed run.
    assert world.wait_until(runs_succeed, 60)
