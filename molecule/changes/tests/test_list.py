# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The list grows and shrinks: other deployments keep their numbers and containers, and the number of tasks is constant."""

from __future__ import annotations

import json
import re
import subprocess
import time

import pytest


@pytest.mark.essential("bookworm")
def test_a_third_deployment_affects_no_other(world, grown):
    numbers, containers = world.numbers(), world.containers()
    done = world.play(langgraph_deployments=grown)
    assert done.returncode == 0, done.stdout
    assert "a-third-one" in done.stdout
    after = world.containers()
    assert {name: after[name] for name in containers} == containers
    assert world.numbers() == {**numbers, "a-third-one": 3}
    assert world.client("healthy", "5", "http://127.0.0.1:8125") < 5


@pytest.mark.essential("bookworm")
def test_absent_stops_it_and_keeps_its_data(world, grown, group_vars):
    containers = world.containers()
    gone = [{**grown[0], "state": "absent"}, *grown[1:]]
    predicted = world.play("--check", langgraph_deployments=gone)
    done = world.play(langgraph_deployments=gone)
    assert done.returncode == 0, done.stdout
    assert "changed=1 " in done.stdout, done.stdout
    assert "changed=1 " in predicted.stdout, predicted.stdout
    after = world.containers()
    assert after == {name: found for name, found in containers.items() if "a-third-one" not in name}
    assert not world.host.file("/etc/langgraph/a-third-one").exists
    assert (
        world.host.run("systemctl list-unit-files --state=enabled 'langgraph@a-third-one*'").stdout.count(".service")
        == 0
    )
    assert "8125" not in world.host.check_output("ss --listening --tcp --numeric --no-header")
    assert world.sql("postgres", "SELECT count(*) FROM pg_database WHERE datname = 'a_third_one'") == "1"
    assert "a-third-one" in world.numbers()
    again = world.play(langgraph_deployments=gone)
    assert "changed=0 " in again.stdout
    # Its data can still be removed afterwards.
    assert world.remove("a-third-one", confirm="a-third-one").returncode == 0
    assert "a-third-one" not in world.numbers()


@pytest.fixture
def client(world):
    """Keep a client connected to the database of support-bot."""
    psql = ["psql", "-h", "/run/langgraph-postgres", "-d", "support_bot", "--command", "SELECT pg_sleep(300)"]
    command = ["docker", "exec", "--user", "langgraph-postgres", world.name, *psql]
    session = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    connected = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'support_bot' AND query LIKE '%pg_sleep%'"
    deadline = time.monotonic() + 20
    while world.sql("postgres", connected) != "1":
        assert time.monotonic() < deadline
        time.sleep(0.5)
    yield
    world.sql("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'")
    session.wait(20)


@pytest.mark.essential
@pytest.mark.release("trixie")
@pytest.mark.usefixtures("client")
def test_remove_is_refused_while_a_client_is_connected(world):
    done = world.remove("support-bot", confirm="support-bot")
    assert done.returncode != 0
    assert "connected" in done.stdout + done.stderr
    assert world.sql("postgres", "SELECT count(*) FROM pg_database WHERE datname = 'support_bot'") == "1"
    assert "support-bot" in world.numbers()
    back = world.play()
    assert back.returncode == 0, back.stdout


def count_tasks(output: str) -> dict[str, int]:
    """Return the recap's counters: how many tasks were run and how many were skipped."""
    recap = re.search(r"ok=(\d+)\s+changed=\d+\s+unreachable=0\s+failed=0\s+skipped=(\d+)", output)
    assert recap, output
    return {"run": int(recap[1]), "skipped": int(recap[2])}


@pytest.mark.essential
@pytest.mark.release("bookworm")
def test_twenty_deployments_cost_as_many_tasks_as_two(world, group_vars):
    two = group_vars["langgraph_deployments"]
    twenty = two + [{**two[1], "name": f"extra-{index}", "port": 8200 + index, "memory": "256m"} for index in range(18)]
    # Sufficient for twenty in both runs: a changed max_connections would add an announcement and a restart.
    plays = (
        world.site("--check", langgraph_deployments=names, postgres_max_connections=1000) for names in (two, twenty)
    )
    counts = [count_tasks(done.stdout) for done in plays]
    assert counts[0] == counts[1], json.dumps(counts)
