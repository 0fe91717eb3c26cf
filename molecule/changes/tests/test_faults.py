# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults that systemd and the engine handle without Ansible: crashes and the engine's restart; and exchanged ports."""

from __future__ import annotations

import time

import pytest

DATA_PROXY = "langgraph-data-proxy"
URLS = ("http://127.0.0.1:8123", "http://127.0.0.1:8124")


def test_a_killed_server_comes_back(test_host):
    before = test_host.container("support-bot")
    test_host.host.check_output(f"docker kill langgraph-{test_host.instance('support-bot')}")
    assert test_host.wait_until(lambda: test_host.container("support-bot")["started"] != before["started"])
    assert test_host.client("healthy", "60", "http://127.0.0.1:8123") < 60
    assert test_host.container("support-bot")["id"] == before["id"]


def test_restarts_wait_longer_each_time(test_host):
    unit, container = test_host.unit("research-agent"), f"langgraph-{test_host.instance('research-agent')}"
    for _crash in range(3):
        assert test_host.wait_until(lambda: unit.is_running)
        test_host.host.check_output(f"docker kill {container}")
        assert test_host.wait_until(lambda: not unit.is_running)
    assert test_host.wait_until(lambda: unit.is_running)
    log = test_host.host.check_output(f"journalctl --no-pager --output cat --unit {unit.name} --lines 200")
    waits = [line for line in log.splitlines() if line.startswith("restart ")]
    assert waits[-2:] == ["restart 2: waiting 1 s first", "restart 3: waiting 2 s first"]


def test_containers_outlive_the_engines_restart(test_host):
    assert test_host.client("healthy", "60", "http://127.0.0.1:8123", "http://127.0.0.1:8124") < 60
    before = test_host.containers()
    test_host.host.check_output("systemctl restart docker")
    assert test_host.wait_until(
        lambda: all(test_host.unit(name).is_running for name in ("support-bot", "research-agent"))
    )
    assert test_host.containers() == before
    assert test_host.client("healthy", "10", "http://127.0.0.1:8123", "http://127.0.0.1:8124") < 10


def test_two_deployments_exchange_their_ports(test_host, group_vars):
    first, second = group_vars["langgraph_deployments"]
    exchanged = [{**first, "port": second["port"]}, {**second, "port": first["port"]}]
    before = test_host.containers()
    done = test_host.play(langgraph_deployments=exchanged)
    assert done.returncode == 0, done.stdout
    assert test_host.settings("support-bot")["port"] == second["port"]
    back = test_host.play()
    assert back.returncode == 0, back.stdout
    assert test_host.containers() == before
    assert test_host.client("healthy", "10", "http://127.0.0.1:8123", "http://127.0.0.1:8124") < 10


@pytest.mark.essential("trixie")
def test_a_killed_data_proxy_is_back_and_deployments_recover(test_host, tmp_path):
    """Send requests continuously: some fail while it is down, and none once the deployments are healthy again."""
    before = test_host.containers()
    with test_host.load(tmp_path, 8123, "--rate", "20", "--streams", "", "--runs", "0") as load:
        test_host.host.check_output(f"kill -9 $(systemctl show -P MainPID {DATA_PROXY})")
        killed = time.monotonic()
        assert test_host.wait_until(lambda: "NOAUTH" in test_host.host.run("redis-cli -h 172.29.0.1 PING").stdout, 5)
        assert time.monotonic() - killed < 2
        assert test_host.client("healthy", "30", *URLS) < 30
        load.mark("after").touch()
        time.sleep(8)
    after = load.report["phases"]["after"]
    assert after["count"] > 100, load.report
    assert after["errors"] == 0, load.report
    assert test_host.containers() == before

    def runs_succeed():
        answers = test_host.client("run", *URLS).values()
        return all((answer["text"], answer["background"]) == ("HELLO", "success") for answer in answers)

    # The open runtime's Redis client detects each of its broken connections only by a failed run.
    assert test_host.wait_until(runs_succeed, 60)
