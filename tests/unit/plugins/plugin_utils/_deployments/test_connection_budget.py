# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The number of Postgres connections, and the resulting max_connections."""

from __future__ import annotations

import itertools
import typing as t

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.deployment_options import (
    DEFAULT_EXTRA_REVISIONS,
    DEFAULT_RUNNING_REVISIONS,
    OPTIONS,
)
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.checked import present
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.connection_budget import (
    RESERVED_CONNECTIONS,
    connections_by_name,
    connections_needed,
    host_connections,
    max_connections,
    pool_connections,
    role_connections,
)
from ansible_collections.selfhost.langgraph.tests.unit.plugins.plugin_utils._deployments.checked_list import (
    CHECKED,
    LIST,
)

SMALLEST = int(OPTIONS["langgraph_postgres_pool_max_size"].minimum or 0)
DEFAULTS = (DEFAULT_RUNNING_REVISIONS, DEFAULT_EXTRA_REVISIONS)


def test_a_pool_and_its_additional_connections() -> None:
    assert [pool_connections(pool) for pool in (None, 5, 100)] == [32, 17, 112]


# Connections of one revision per deployment, running revisions per deployment, additional revisions per host -> the sum.
HOSTS = {
    "none": ([], 3, 8, 0),
    "one alone is bounded by its own revisions": ([32], 3, 8, 3 * 32),
    "two": ([32, 20], 3, 8, 3 * (32 + 20)),
    "as many additional ones as allowed": ([32] * 4, 3, 8, (4 + 8) * 32),
    "not more additional ones than allowed": ([32] * 30, 3, 8, (30 + 8) * 32),
    "the additional ones are the largest": ([112, 17, 17, 17], 3, 3, 112 + 3 * 17 + 2 * 112 + 17),
    "never two of one": ([112, 17], 1, 8, 112 + 17),
    "one additional": ([32, 17], 3, 1, 32 + 17 + 32),
}


@pytest.mark.parametrize(("sizes", "running", "extra", "expected"), HOSTS.values(), ids=HOSTS)
def test_a_host(sizes: list[int], running: int, extra: int, expected: int) -> None:
    assert host_connections(sizes, running, extra) == expected


@pytest.mark.parametrize(("running", "extra", "expected"), [(3, 8, 96), (3, 1, 64), (1, 8, 32), (9, 8, 288)])
def test_a_role(running: int, extra: int, expected: int) -> None:
    assert role_connections(32, running, extra) == expected


def test_thirty_deployments_with_the_smallest_pool_need_less_than_a_thousand() -> None:
    needed = host_connections([pool_connections(SMALLEST)] * 30, *DEFAULTS)
    assert max_connections(needed) < 1000


# Needed connections, observed max_connections -> wanted max_connections.
SIZES = {
    "nothing yet": (0, 0, 100),
    "the first": (72, 0, 100),
    "reserve": (73, 0, 200),
    "enough": (87, 100, 100),
    "one too few": (88, 100, 200),
    "it is never lowered": (0, 800, 800),
    "a value set by an administrator": (300, 1000, 1000),
    "a value that is not a doubling": (600, 600, 800),
    "more than one step": (2000, 100, 3200),
}


@pytest.mark.parametrize(("needed", "observed", "expected"), SIZES.values(), ids=SIZES)
def test_max_connections(needed: int, observed: int, expected: int) -> None:
    assert max_connections(needed, observed) == expected


def test_it_converges_and_is_always_enough() -> None:
    for needed, observed in itertools.product(range(0, 3000, 7), (0, 100, 150, 400, 1000)):
        size = max_connections(needed, observed)
        assert size >= max(needed + RESERVED_CONNECTIONS, observed)
        assert max_connections(needed, size) == size


@pytest.mark.parametrize("change", [4, 6])
def test_adding_or_removing_a_fifth_deployment_changes_nothing(change: int) -> None:
    """From four to five deployments, and from five to four, as the playbook computes it."""

    def needed(count: int) -> int:
        return host_connections([pool_connections(None)] * count, *DEFAULTS)

    first = max_connections(needed(4))
    assert [max_connections(needed(count), first) for count in (5, 4, change)] == [first] * 3


SUMS: dict[str, tuple[list[t.Any], int]] = {
    "no host": ([], 0),
    "no list": ([{}, {"langgraph_deployments": None}], 0),
    "defaults": ([{"langgraph_deployments": LIST}], 2 * 3 * 32),
    "pools": ([{"langgraph_deployments": [{"langgraph_postgres_pool_max_size": "8"}]}], 3 * 20),
    "revisions": ([{"langgraph_deployments": LIST, "langgraph_max_running_revisions": "2"}], 2 * 2 * 32),
    "revisions of each host": (
        [{"langgraph_deployments": [{}], "langgraph_max_running_revisions": 4}, {"langgraph_deployments": [{}]}],
        (4 + 3) * 32,
    ),
    "additional revisions": (
        [{"langgraph_deployments": LIST, "langgraph_max_extra_revisions": "1"}],
        (2 + 1) * 32,
    ),
    "not more additional revisions than allowed": ([{"langgraph_deployments": [{}] * 30}], (30 + 8) * 32),
    "hosts": ([{"langgraph_deployments": LIST}, {"langgraph_deployments": [{}]}], 3 * 3 * 32),
    "invalid values, which the check refuses later": (
        [{"langgraph_deployments": ["x", None, {"langgraph_postgres_pool_max_size": "many"}]}],
        3 * 32,
    ),
    "not a list": ([{"langgraph_deployments": 5}, {"langgraph_deployments": {"name": "x"}}], 0),
}


@pytest.mark.parametrize(("hosts", "expected"), SUMS.values(), ids=SUMS)
def test_connections_needed(hosts: list[t.Any], expected: int) -> None:
    assert connections_needed(hosts) == expected


def test_each_postgres_is_sized_for_the_hosts_that_use_it() -> None:
    """Several single hosts in one inventory each have their own Postgres."""
    hosts: list[dict[str, t.Any]] = [
        {"inventory_hostname": "one", "langgraph_deployments": LIST, "langgraph_postgres_server": "one"},
        {"inventory_hostname": "two", "langgraph_deployments": [{}], "langgraph_postgres_server": "two"},
        {"inventory_hostname": "by-group", "langgraph_deployments": [{}]},
        {
            "inventory_hostname": "by-uri",
            "langgraph_deployments": [{}],
            "langgraph_postgres_admin_uri": "postgresql://a:b@two",
        },
    ]
    groups = {"langgraph_postgres": ["data", "one", "two"]}
    found = [connections_needed(hosts, server, groups) for server in ("one", "data", "other", None)]
    assert found == [2 * 3 * 32, 3 * 32, 0, 5 * 3 * 32]


def test_the_limits_of_all_roles_add_up_to_the_needed_connections() -> None:
    limits = sum(item["postgres"]["connection_limit"] for item in present(CHECKED))
    assert limits == connections_needed([{"langgraph_deployments": LIST}])
    more = [{"langgraph_deployments": LIST, "langgraph_max_extra_revisions": 1}]
    assert limits > connections_needed(more)


def test_replicas_on_several_hosts_share_the_connections_of_one_role() -> None:
    one = {"langgraph_deployments": [{"name": "a"}, {"name": "b", "state": "stopped"}]}
    two = {"langgraph_deployments": [{"name": "a", "langgraph_postgres_pool_max_size": 8}, {"name": "c"}, None]}
    assert connections_by_name([one, two, {}]) == {"a": 3 * (32 + 20), "c": 3 * 32}
