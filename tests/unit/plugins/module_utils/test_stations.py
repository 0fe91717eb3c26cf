# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From checked deployments to what each next station takes."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils import _stations
from ansible_collections.selfhost.langgraph.plugins.module_utils._deployments import check_deployments
from ansible_collections.selfhost.langgraph.plugins.module_utils._list_rules import Surroundings

LIST: list[dict[str, t.Any]] = [
    {"name": "support-bot", "image": "bot:1", "port": 8123, "edition": "none", "env": {"MODEL": "x"}},
    {"name": "old", "state": "absent"},
    {"name": "research", "image": "r:1", "port": 8124, "edition": "none", "postgres_password": "p@ss/word"},
]
CHECKED = check_deployments(LIST, Surroundings("k" * 32))[0]
NUMBERS = {"support-bot": {"number": 1}, "research": {"number": 7}}
REDIS = {"host": "172.29.0.1", "port": "6379", "tls": False}
POSTGRES = {"host": "172.29.0.1", "port": 5432, "sslmode": "prefer"}


def services(**redis: t.Any) -> list[dict[str, t.Any]]:
    return _stations.container_services(CHECKED, NUMBERS, {**REDIS, **redis}, POSTGRES)


def environment(service: dict[str, t.Any]) -> dict[str, str]:
    return dict(line.split("=", 1) for line in service["environment"].splitlines())


def test_redis_databases() -> None:
    found = _stations.redis_databases(CHECKED)
    assert [(item["name"], item["number"], item["key_patterns"]) for item in found] == [
        ("support-bot", None, ["support-bot:*"]),
        ("research", None, ["research:*"]),
    ]


def test_postgres_databases() -> None:
    found = _stations.postgres_databases(CHECKED, NUMBERS)
    assert [(item["name"], item["redis_number"], item["connection_limit"]) for item in found] == [
        ("support-bot", 1, 32),
        ("research", 7, 32),
    ]
    assert found[1]["password"] == "p@ss/word"


def test_each_service_has_its_own_number_and_database() -> None:
    first, gone, second = services()
    assert (gone["state"], "environment" in gone) == ("absent", False)
    one, two = environment(first), environment(second)
    assert one["REDIS_URI"].startswith("redis://support-bot:")
    assert one["REDIS_URI"].endswith("@172.29.0.1:6379/1")
    assert one["DATABASE_URI"].endswith("@172.29.0.1:5432/support_bot?sslmode=prefer")
    assert two["DATABASE_URI"] == "postgres://research:p%40ss%2Fword@172.29.0.1:5432/research?sslmode=prefer"
    assert two["REDIS_URI"].endswith("/7")
    assert (one["MODEL"], one["REDIS_KEY_PREFIX"]) == ("x", "support-bot:")


@pytest.mark.parametrize(("tls", "scheme"), [(True, "rediss"), ("yes", "rediss"), ("false", "redis"), (False, "redis")])
def test_tls_may_come_as_text_from_the_command_line(tls: t.Any, scheme: str) -> None:
    assert environment(services(tls=tls)[0])["REDIS_URI"].startswith(f"{scheme}://")


def test_health_targets_hold_nothing_secret() -> None:
    assert _stations.health_targets(CHECKED) == [
        {"name": "support-bot", "url": "http://127.0.0.1:8123"},
        {"name": "research", "url": "http://127.0.0.1:8124"},
    ]


def test_table() -> None:
    health = {"support-bot": {"ok": True, "status": 200}, "research": {"ok": False, "status": None}}
    assert _stations.table(CHECKED, NUMBERS, health) == [
        "DEPLOYMENT   URL                    REDIS DB  POSTGRES DATABASE  IMAGE  HEALTH",
        "support-bot  http://127.0.0.1:8123  1         support_bot        bot:1  healthy",
        "old          -                      -         old                -      stopped",
        "research     http://127.0.0.1:8124  7         research           r:1    NOT HEALTHY",
    ]


def test_table_in_check_mode() -> None:
    rows = _stations.table(CHECKED, {"support-bot": {"number": None}}, {})
    assert rows[1].split() == ["support-bot", "http://127.0.0.1:8123", "-", "support_bot", "bot:1", "not", "asked"]


SUMS: dict[str, tuple[list[t.Any], int]] = {
    "no host": ([], 0),
    "no list": ([{}, {"langgraph_deployments": None}], 0),
    "defaults": ([{"langgraph_deployments": LIST}], 64),
    "pools": ([{"langgraph_deployments": [{"langgraph_postgres_pool_max_size": "8"}]}], 20),
    "hosts": ([{"langgraph_deployments": LIST}, {"langgraph_deployments": [{}]}], 96),
    "what the check refuses later": (
        [{"langgraph_deployments": ["x", None, {"langgraph_postgres_pool_max_size": "many"}]}],
        32,
    ),
    "not a list": ([{"langgraph_deployments": 5}, {"langgraph_deployments": {"name": "x"}}], 0),
}


@pytest.mark.parametrize(("hosts", "expected"), SUMS.values(), ids=SUMS)
def test_connections_needed(hosts: list[t.Any], expected: int) -> None:
    assert _stations.connections_needed(hosts) == expected


def test_the_limit_of_each_role_is_what_is_summed_up() -> None:
    limits = sum(item["connection_limit"] for item in _stations.postgres_databases(CHECKED, NUMBERS))
    assert limits == _stations.connections_needed([{"langgraph_deployments": LIST}])


def test_a_redis_without_users_is_used_with_its_administrators_login() -> None:
    numbers = {name: {**claim, "user": None} for name, claim in NUMBERS.items()}
    redis = {"host": "r", "port": 6379, "tls": False, "admin_uri": "redis://admin:p%40ss@r:6379"}
    postgres = {"host": "p", "port": 5432, "sslmode": "require"}
    first = _stations.container_services(CHECKED, numbers, redis, postgres)[0]
    assert environment(first)["REDIS_URI"] == "redis://admin:p%40ss@r:6379/1"
    bare = _stations.container_services(CHECKED, numbers, {**redis, "admin_uri": "redis://r:6379"}, postgres)[0]
    assert environment(bare)["REDIS_URI"] == "redis://r:6379/1"


def test_replicas_on_several_hosts_share_the_connections_of_one_role() -> None:
    one = {"langgraph_deployments": [{"name": "a"}, {"name": "b", "state": "absent"}]}
    two = {"langgraph_deployments": [{"name": "a", "langgraph_postgres_pool_max_size": 8}, {"name": "c"}, None]}
    assert _stations.connections_by_name([one, two, {}]) == {"a": 32 + 20, "c": 32}
