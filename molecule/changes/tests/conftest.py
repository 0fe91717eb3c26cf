# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shared fixtures for the tests of owners and removals: the state that a refused run must not change."""

from __future__ import annotations

import re
import typing as t

import pytest

ROLES = (
    "SELECT rolname, rolcanlogin, rolconnlimit, md5(rolpassword), shobj_description(oid, 'pg_authid') FROM pg_authid"
    " WHERE rolname !~ '^pg_' ORDER BY 1"
)
DATABASES = "SELECT datname, datallowconn, datacl, pg_get_userbyid(datdba), shobj_description(oid, 'pg_database') FROM pg_database ORDER BY 1"
FILES = "find /etc/langgraph /etc/langgraph-proxy /etc/systemd/system -printf '%p %M %u %T@ %l\\n' | sort"


@pytest.fixture
def state(test_host) -> t.Callable[[], dict[str, t.Any]]:
    """Return a function that reads both records, the users, the databases, the files and the containers."""
    # Drains of a previous test end by themselves, and would look like a change.
    test_host.drained()

    def read() -> dict[str, t.Any]:
        return {
            "claims": test_host.claims(),
            "users": sorted(test_host.redis("ACL", "LIST").splitlines()),
            # Without the average TTL of the keys, which decreases by itself.
            "keys": re.findall(r"db\d+:keys=\d+", test_host.redis("INFO", "keyspace")),
            "roles": test_host.sql("postgres", ROLES),
            "databases": test_host.sql("postgres", DATABASES),
            "files": test_host.host.check_output(FILES),
            "containers": test_host.containers(),
        }

    return read


@pytest.fixture
def untouched(state) -> t.Iterator[None]:
    """Check that the test changes nothing."""
    before = state()
    yield
    assert state() == before


@pytest.fixture
def grown(group_vars: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    """Return the list with a third deployment in front."""
    third = {**group_vars["langgraph_deployments"][0], "name": "a-third-one", "port": 8125, "env": {}}
    del third["postgres_password"]
    return [third, *group_vars["langgraph_deployments"]]
