# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the claims and the addresses of services to the credentials of deployments."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.service_credentials import credentials
from ansible_collections.selfhost.langgraph.tests.unit.plugins.plugin_utils._deployments.checked_list import (
    CHECKED,
    DATABASES,
    NUMBERS,
)

REDIS = {"databases": NUMBERS, "host": "172.29.0.1", "port": "6379", "tls": False}
POSTGRES = {"databases": DATABASES, "host": "172.29.0.1", "port": 5432, "sslmode": "prefer"}
BOT, _OLD, RESEARCH = (item["rollout"] for item in CHECKED)


def test_each_deployment_has_its_own_database_number_and_database() -> None:
    one, two = credentials(BOT, REDIS, POSTGRES), credentials(RESEARCH, REDIS, POSTGRES)
    assert list(one) == list(two) == ["DATABASE_URI", "REDIS_URI"]
    assert one["REDIS_URI"] == f"redis://support-bot:{BOT['redis_password']}@172.29.0.1:6379/1"
    assert one["DATABASE_URI"].endswith("@172.29.0.1:5432/support_bot?sslmode=prefer")
    assert two["DATABASE_URI"] == "postgres://research:p%40ss%2Fword@172.29.0.1:5432/research?sslmode=prefer"
    assert two["REDIS_URI"].endswith("/7")


def test_the_user_is_the_one_that_redis_database_returned() -> None:
    redis = {**REDIS, "databases": {"support-bot": {**NUMBERS["support-bot"], "user": "support-bot.b"}}}
    assert credentials(BOT, redis, POSTGRES)["REDIS_URI"].startswith("redis://support-bot.b:")


def test_the_login_is_the_one_that_postgres_database_returned() -> None:
    made = {"database": "support_bot", "login": "support_bot.b"}
    postgres = {**POSTGRES, "databases": {**DATABASES, "support-bot": made}}
    uri = credentials(BOT, REDIS, postgres)["DATABASE_URI"]
    assert uri.startswith("postgres://support_bot.b:")
    assert uri.endswith("/support_bot?sslmode=prefer")
    assert credentials(RESEARCH, REDIS, postgres)["DATABASE_URI"].startswith("postgres://research:")


@pytest.mark.parametrize(("tls", "scheme"), [(True, "rediss"), ("yes", "rediss"), ("false", "redis"), (False, "redis")])
def test_tls_may_be_a_string_from_the_command_line(tls: t.Any, scheme: str) -> None:
    assert credentials(BOT, {**REDIS, "tls": tls}, POSTGRES)["REDIS_URI"].startswith(f"{scheme}://")


def test_a_redis_without_users_is_used_with_the_administrators_login() -> None:
    databases = {name: {**claim, "user": None} for name, claim in NUMBERS.items()}
    redis = {"databases": databases, "host": "r", "admin_uri": "redis://admin:p%40ss@r:6379"}
    assert credentials(BOT, redis, POSTGRES)["REDIS_URI"] == "redis://admin:p%40ss@r:6379/1"
    bare = {**redis, "admin_uri": "redis://r:6379"}
    assert credentials(BOT, bare, POSTGRES)["REDIS_URI"] == "redis://r:6379/1"


def test_options_have_the_defaults_of_the_module() -> None:
    found = credentials(BOT, {"databases": NUMBERS, "host": "r"}, {"databases": DATABASES, "host": "p"})
    assert found["REDIS_URI"].endswith("@r:6379/1")
    assert found["DATABASE_URI"].endswith("@p:5432/support_bot?sslmode=prefer")


def test_a_deployment_without_a_claim_has_none() -> None:
    with pytest.raises(KeyError):
        credentials(BOT, {**REDIS, "databases": {}}, POSTGRES)
    with pytest.raises(KeyError):
        credentials(BOT, REDIS, {**POSTGRES, "databases": {}})
