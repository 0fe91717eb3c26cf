# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Invalid input that only the host can detect, and other severe errors: refused with one line before anything changes."""

from __future__ import annotations

import pytest

# The tests do not depend on the release.
pytestmark = pytest.mark.release("trixie")


@pytest.fixture
def untouched(test_host):
    """Check that the host's state is the same before and after the test."""

    def state() -> str:
        return test_host.host.check_output(
            "find /etc/langgraph /etc/langgraph-redis /etc/postgresql /etc/systemd -type f -exec sha256sum {} + | sort;"
            " docker ps --no-trunc --format '{{.ID}}'"
        ) + str(test_host.numbers())

    before = state()
    yield
    assert state() == before


def refuse(test_host, line, **variables):
    """Check that the play fails in its checks, with this line and no other message of the collection."""
    done = test_host.site(**variables)
    assert done.returncode != 0, done.stdout
    assert "changed=0" in done.stdout
    assert "PLAY [Install" not in done.stdout
    assert line in " ".join((done.stdout + done.stderr).split())


@pytest.fixture
def listener(test_host):
    """Run another program on port 8130."""
    test_host.host.check_output("systemd-run --unit=test-listener python3 -m http.server --bind 127.0.0.1 8130")
    yield
    test_host.host.check_output("systemctl stop test-listener")


@pytest.mark.essential
@pytest.mark.usefixtures("untouched", "listener")
def test_port_taken_by_another_program(test_host, group_vars):
    first, second = group_vars["langgraph_deployments"]
    refuse(
        test_host,
        "deployment 'support-bot', option 'port': port 8130 of the host is taken by 'python3'; choose a free port",
        langgraph_deployments=[{**first, "port": 8130}, second],
    )


@pytest.mark.essential
@pytest.mark.usefixtures("untouched")
def test_image_missing(test_host, group_vars):
    first, second = group_vars["langgraph_deployments"]
    refuse(
        test_host,
        "deployment 'research-agent', option 'image': the host has no image 'nobody-built:1'",
        langgraph_deployments=[first, {**second, "image": "nobody-built:1"}],
    )


@pytest.mark.usefixtures("untouched")
def test_more_deployments_than_numbers(test_host, grown):
    third, *others = grown
    refuse(
        test_host,
        "deployment 'a-third-one', option 'redis_db': the list has 3 deployments, and Redis has 2 database numbers besides"
        " the reserved 0; set redis_databases to 4 or more",
        langgraph_deployments=[*others, third],
        redis_databases=3,
    )


@pytest.mark.usefixtures("untouched")
def test_pools_that_cannot_fit(test_host, group_vars):
    first, second = group_vars["langgraph_deployments"]
    refuse(
        test_host,
        "deployment 'support-bot', option 'langgraph_postgres_pool_max_size': all deployments (2) need 582 connections,"
        " and max_connections leaves 87; lower the pools (this is the largest), langgraph_max_running_revisions or"
        " langgraph_max_extra_revisions, or raise max_connections to 595",
        langgraph_deployments=[{**first, "langgraph_postgres_pool_max_size": 150}, second],
        postgres_max_connections=100,
    )


@pytest.mark.usefixtures("untouched")
def test_an_extension_that_the_distribution_lacks(test_host, group_vars):
    if "bookworm" not in test_host.name:
        pytest.skip("Debian 13 has pgvector")
    first, second = group_vars["langgraph_deployments"]
    done = test_host.play(langgraph_deployments=[{**first, "extensions": ["vector"]}, second])
    assert done.returncode != 0
    assert "deployment 'support-bot', option 'extensions'" in " ".join((done.stdout + done.stderr).split())
