# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""max_connections of Postgres: adding or removing a deployment interrupts nothing; if it must grow, the plan reports it."""

from __future__ import annotations

import pytest


def size(test_host) -> str:
    """Return max_connections and the start time of Postgres."""
    return test_host.sql("postgres", "SELECT current_setting('max_connections'), pg_postmaster_start_time()")


def listed(group_vars, *states: str) -> list[dict]:
    """Return the deployments of the inventory, and one further deployment per state in ``states``."""
    two = group_vars["langgraph_deployments"]
    further = enumerate(states)
    return two + [
        {**two[1], "name": f"further-{n}", "port": 8300 + n, "memory": "256m", "state": s} for n, s in further
    ]


@pytest.mark.essential
@pytest.mark.release("trixie")
def test_a_fifth_deployment_and_one_of_five_leave_postgres_and_the_others_alone(test_host, group_vars, tmp_path):
    # The limit for two deployments is too low for five: the growth is announced.
    five = test_host.site(langgraph_deployments=listed(group_vars, *["present"] * 3))
    assert five.returncode == 0, five.stdout
    assert "which interrupts all deployments" in five.stdout
    before, containers = size(test_host), test_host.containers()
    try:
        with test_host.load(tmp_path, 8123) as load:
            for fifth in ("stopped", "present"):
                done = test_host.site(langgraph_deployments=listed(group_vars, "present", "present", fifth))
                assert done.returncode == 0, done.stdout
                assert "which interrupts all deployments" not in done.stdout
                assert size(test_host) == before
                after = test_host.containers()
                others = [name for name in containers if "further-2" not in name]
                assert {name: after[name] for name in others} == {name: containers[name] for name in others}
        assert load.failed == 0, load.errors
    finally:
        for number in range(3):
            test_host.remove(f"further-{number}", confirm=f"further-{number}")


@pytest.mark.release("trixie")
def test_a_restart_that_is_due_is_in_the_plan(test_host, group_vars):
    before = size(test_host)
    plan = test_host.site("--check", langgraph_deployments=listed(group_vars, *["present"] * 58))
    assert plan.returncode == 0, plan.stdout
    assert "Postgres would restart, which interrupts all deployments" in plan.stdout
    assert " to 3200 (postgres_connections_needed is 2176)" in plan.stdout
    assert size(test_host) == before
