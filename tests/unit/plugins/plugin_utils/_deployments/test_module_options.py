# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From checked deployments to the options of each module."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.passwords import aes_fingerprints
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.model import Deployment, Revision
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.status import describe
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments import module_options
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.list_rules import CheckContext
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.module_options import targets
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.validate import check_deployments
from ansible_collections.selfhost.langgraph.tests.unit.plugins.module_utils._revisions.test_status import (
    described,
    sessions,
)

LIST: list[dict[str, t.Any]] = [
    {"name": "support-bot", "image": "bot:1", "port": 8123, "edition": "none", "env": {"MODEL": "x"}, "tls": True}
    | {"hostname": "support.example.com", "mount_prefix": "/bot"},
    {"name": "old", "state": "absent"},
    {"name": "research", "image": "r:1", "port": 8124, "edition": "none", "postgres_password": "p@ss/word"},
]
CHECKED = check_deployments(LIST, CheckContext("k" * 32))[0]
NUMBERS = {"support-bot": {"redis_db": 1}, "research": {"redis_db": 7}}
REDIS = {"host": "172.29.0.1", "port": "6379", "tls": False}
POSTGRES = {"host": "172.29.0.1", "port": 5432, "sslmode": "prefer"}


def services(**redis: t.Any) -> list[dict[str, t.Any]]:
    return module_options.rollout_deployments(CHECKED, NUMBERS, {**REDIS, **redis}, POSTGRES)


def environment(service: dict[str, t.Any]) -> dict[str, str]:
    return {**service["environment"], **service["credentials"]}


def test_redis_databases() -> None:
    found = module_options.redis_databases(CHECKED)
    assert [(item["name"], item["redis_db"], item["key_patterns"]) for item in found] == [
        ("support-bot", None, ["support-bot:*"]),
        ("research", None, ["research:*"]),
    ]


def test_postgres_databases() -> None:
    found = module_options.postgres_databases(CHECKED, NUMBERS)
    assert [(item["name"], item["redis_db"], item["connection_limit"]) for item in found] == [
        ("support-bot", 1, 96),
        ("research", 7, 96),
    ]
    assert found[1]["password"] == "p@ss/word"
    assert (found[0]["aes_keys"], found[0]["accept_new_aes_key"]) == ([], False)


def test_postgres_records_the_fingerprint_of_the_aes_key() -> None:
    context = CheckContext("k" * 32, previous_secret_key="p" * 32)
    keys = {"langgraph_aes_key": "a" * 32, "accept_new_aes_key": True}
    (entry,) = module_options.postgres_databases(check_deployments([{**LIST[0], **keys}], context)[0], NUMBERS)
    assert entry["aes_keys"] == aes_fingerprints("support-bot", "a" * 32, ["k" * 32, "p" * 32])
    assert entry["accept_new_aes_key"]
    assert "a" * 32 not in str(entry)


def test_each_service_has_its_own_database_number_and_database() -> None:
    first, gone, second = services()
    assert (gone["state"], "environment" in gone) == ("absent", False)
    one, two = environment(first), environment(second)
    assert one["REDIS_URI"].startswith("redis://support-bot:")
    assert one["REDIS_URI"].endswith("@172.29.0.1:6379/1")
    assert one["DATABASE_URI"].endswith("@172.29.0.1:5432/support_bot?sslmode=prefer")
    assert two["DATABASE_URI"] == "postgres://research:p%40ss%2Fword@172.29.0.1:5432/research?sslmode=prefer"
    assert two["REDIS_URI"].endswith("/7")
    assert (one["MODEL"], one["REDIS_KEY_PREFIX"]) == ("x", "support-bot:")


def test_credentials_are_separate_from_the_environment_of_a_revision() -> None:
    first = services()[0]
    assert list(first["credentials"]) == ["DATABASE_URI", "REDIS_URI"]
    assert not first["credentials"].keys() & first["environment"].keys()


def test_the_login_is_the_one_that_postgres_database_returned() -> None:
    logins = {"support-bot": {"login": "support_bot.b"}}
    first, _gone, second = module_options.rollout_deployments(CHECKED, NUMBERS, REDIS, POSTGRES, logins)
    assert environment(first)["DATABASE_URI"].startswith("postgres://support_bot.b:")
    assert environment(first)["DATABASE_URI"].endswith("/support_bot?sslmode=prefer")
    assert environment(second)["DATABASE_URI"].startswith("postgres://research:")


@pytest.mark.parametrize(("tls", "scheme"), [(True, "rediss"), ("yes", "rediss"), ("false", "redis"), (False, "redis")])
def test_tls_may_be_a_string_from_the_command_line(tls: t.Any, scheme: str) -> None:
    assert environment(services(tls=tls)[0])["REDIS_URI"].startswith(f"{scheme}://")


def test_health_targets_contain_no_secrets() -> None:
    assert module_options.health_targets(CHECKED) == [
        {"name": "support-bot", "url": "https://127.0.0.1:8123/bot", "host": "support.example.com"},
        {"name": "research", "url": "http://127.0.0.1:8124", "host": None},
    ]


def test_each_service_has_its_address() -> None:
    first, _gone, second = services()
    keys = ("bind_address", "port", "hostname", "prefix", "tls")
    assert [first[key] for key in keys] == ["127.0.0.1", 8123, "support.example.com", "/bot", True]
    assert [second[key] for key in keys] == ["127.0.0.1", 8124, None, None, False]
    assert environment(first)["MOUNT_PREFIX"] == "/bot"


def test_a_redis_without_users_is_used_with_the_administrators_login() -> None:
    numbers = {name: {**claim, "user": None} for name, claim in NUMBERS.items()}
    redis = {"host": "r", "port": 6379, "tls": False, "admin_uri": "redis://admin:p%40ss@r:6379"}
    postgres = {"host": "p", "port": 5432, "sslmode": "require"}
    first = module_options.rollout_deployments(CHECKED, numbers, redis, postgres)[0]
    assert environment(first)["REDIS_URI"] == "redis://admin:p%40ss@r:6379/1"
    bare = module_options.rollout_deployments(CHECKED, numbers, {**redis, "admin_uri": "redis://r:6379"}, postgres)[0]
    assert environment(bare)["REDIS_URI"] == "redis://r:6379/1"


def test_targets() -> None:
    assert targets([described()]) == [{"name": "bot", "url": "https://127.0.0.1:8123/bot", "host": "bot.example.com"}]


def test_a_server_without_a_proxy_is_checked_at_its_root() -> None:
    """It serves /ok only there, wherever its routes are mounted."""
    (target,) = targets([{**described(), "proxy": "none", "tls": False, "hostname": None}])
    assert target == {"name": "bot", "url": "http://127.0.0.1:8123", "host": None}


def test_a_deployment_that_never_served_is_no_target() -> None:
    assert targets([describe(Deployment("bot", None, (Revision(1),)), {}, sessions)]) == []
