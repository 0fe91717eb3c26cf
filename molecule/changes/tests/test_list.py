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
def test_a_third_deployment_affects_no_other(test_host, grown):
    numbers, containers = test_host.numbers(), test_host.containers()
    done = test_host.play(langgraph_deployments=grown)
    assert done.returncode == 0, done.stdout
    assert "a-third-one" in done.stdout
    after = test_host.containers()
    assert {name: after[name] for name in containers} == containers
    assert test_host.numbers() == {**numbers, "a-third-one": 3}
    assert test_host.client("healthy", "5", "http://127.0.0.1:8125") < 5


@pytest.mark.essential("bookworm")
def test_stopped_keeps_its_revisions_and_its_data(test_host, grown, group_vars):
    containers = test_host.containers()
    gone = [{**grown[0], "state": "stopped"}, *grown[1:]]
    predicted = test_host.play("--check", langgraph_deployments=gone)
    done = test_host.play(langgraph_deployments=gone)
    assert done.returncode == 0, done.stdout
    assert "changed=1 " in done.stdout, done.stdout
    assert "changed=1 " in predicted.stdout, predicted.stdout
    after = test_host.containers()
    assert after == {name: found for name, found in containers.items() if "a-third-one" not in name}
    assert test_host.revisions("a-third-one") == [1]
    assert test_host.status()["a-third-one"]["stopped"]["by"]
    assert (
        test_host.host.run("systemctl list-unit-files --state=enabled 'langgraph@a-third-one*'").stdout.count(
            ".service"
        )
        == 0
    )
    assert "8125" not in test_host.host.check_output("ss --listening --tcp --numeric --no-header")
    assert test_host.sql("postgres", "SELECT count(*) FROM pg_database WHERE datname = 'a_third_one'") == "1"
    assert "a-third-one" in test_host.numbers()
    again = test_host.play(langgraph_deployments=gone)
    assert "changed=0 " in again.stdout
    # The same revision starts again, and is stopped again.
    back = test_host.play(langgraph_deployments=grown)
    assert back.returncode == 0, back.stdout
    assert "a-third-one: start (was stopped)" in back.stdout
    assert test_host.revisions("a-third-one") == [1]
    assert test_host.client("healthy", "5", "http://127.0.0.1:8125") < 5
    assert test_host.play(langgraph_deployments=gone).returncode == 0
    # Its data can still be removed afterwards.
    assert test_host.remove("a-third-one", confirm="a-third-one").returncode == 0
    assert "a-third-one" not in test_host.numbers()


@pytest.fixture
def client(test_host):
    """Keep a client connected to the database of support-bot."""
    psql = ["psql", "-h", "/run/langgraph-postgres", "-d", "support_bot", "--command", "SELECT pg_sleep(300)"]
    command = ["docker", "exec", "--user", "langgraph-postgres", test_host.name, *psql]
    session = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    connected = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'support_bot' AND query LIKE '%pg_sleep%'"
    deadline = time.monotonic() + 20
    while test_host.sql("postgres", connected) != "1":
        assert time.monotonic() < deadline
        time.sleep(0.5)
    yield
    test_host.sql(
        "postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'"
    )
    session.wait(20)


@pytest.mark.essential
@pytest.mark.release("trixie")
@pytest.mark.usefixtures("client")
def test_remove_is_refused_while_a_client_is_connected(test_host):
    done = test_host.remove("support-bot", confirm="support-bot")
    assert done.returncode != 0
    assert "connected" in done.stdout + done.stderr
    assert test_host.sql("postgres", "SELECT count(*) FROM pg_database WHERE datname = 'support_bot'") == "1"
    assert "support-bot" in test_host.numbers()
    back = test_host.play()
    assert back.returncode == 0, back.stdout


def count_tasks(output: str) -> dict[str, int]:
    """Return the recap's counters: how many tasks were run and how many were skipped."""
    recap = re.search(r"ok=(\d+)\s+changed=\d+\s+unreachable=0\s+failed=0\s+skipped=(\d+)", output)
    assert recap, output
    return {"run": int(recap[1]), "skipped": int(recap[2])}


@pytest.mark.essential
@pytest.mark.release("bookworm")
def test_twenty_deployments_cost_as_many_tasks_as_two(test_host, group_vars):
    two = group_vars["langgraph_deployments"]
    twenty = two + [{**two[1], "name": f"extra-{index}", "port": 8200 + index, "memory": "256m"} for index in range(18)]
    # Sufficient for twenty in both runs: a changed max_connections would add an announcement and a restart.
    plays = (
        test_host.site("--check", langgraph_deployments=names, postgres_max_connections=1000) for names in (two, twenty)
    )
    counts = [count_tasks(done.stdout) for done in plays]
    assert counts[0] == counts[1], json.dumps(counts)
