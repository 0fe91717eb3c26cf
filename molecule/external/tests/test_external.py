# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A deployment whose Redis and Postgres are managed elsewhere works with them, and its data is there."""

from __future__ import annotations

import pytest
import testinfra

NAME = "far-from-its-data"


@pytest.fixture
def service(world):
    """The host that plays the managed service."""
    return type(world)(testinfra.get_host("docker://selfhost-langgraph-trixie"))


def test_a_run_leaves_its_data_at_the_service(world, service):
    (answer,) = world.client("run", "http://127.0.0.1:8140").values()
    assert answer["text"] == "HELLO"
    rows = service.sql(service.database(NAME), f"SELECT count(*) FROM runs WHERE run_id = '{answer['run']}'")
    assert rows == "1"
    number = str(service.numbers()[NAME])
    assert answer["run"] in service.redis("-n", number, "--scan", "--pattern", f"'*{answer['run']}*'")


def test_it_uses_its_own_users(service):
    assert f"user={NAME} " in service.redis("CLIENT", "LIST")
    assert service.sql(
        "postgres", f"SELECT DISTINCT usename FROM pg_stat_activity WHERE datname = '{service.database(NAME)}'"
    ) == service.database(NAME)


def test_its_number_is_remembered_at_the_service(service):
    comment = service.sql("postgres", f"SELECT shobj_description(to_regrole('{service.database(NAME)}'), 'pg_authid')")
    assert f'"redis_number": {service.numbers()[NAME]}' in comment
