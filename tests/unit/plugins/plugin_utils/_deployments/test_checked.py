# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each part of a checked deployment has the options of the module that takes it."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments import checked
from ansible_collections.selfhost.langgraph.tests.unit.plugins.modules.helper import arguments, problems
from ansible_collections.selfhost.langgraph.tests.unit.plugins.plugin_utils._deployments.checked_list import CHECKED

PARTS: dict[str, tuple[t.Any, str, str]] = {
    "redis": (checked.RedisDatabase, "redis_database", "databases"),
    "postgres": (checked.PostgresDatabase, "postgres_database", "databases"),
    "rollout": (checked.Rollout, "deployment_rollout", "deployments"),
    "health": (checked.Target, "health", "deployments"),
}


@pytest.mark.parametrize("part", PARTS)
def test_the_module_takes_it_as_it_is(part: str) -> None:
    _type, module, option = PARTS[part]
    given = [deployment[part] for deployment in CHECKED if deployment["state"] == "present"]  # type: ignore[literal-required]
    assert problems({option: given}, arguments(module)) == []


@pytest.mark.parametrize("part", PARTS)
def test_it_has_the_keys_of_its_type(part: str) -> None:
    type_, module, option = PARTS[part]
    assert type_.__required_keys__ <= set(arguments(module)[option]["options"])
    for deployment in checked.present(CHECKED):
        assert deployment.keys() == checked.CheckedDeployment.__required_keys__
        assert deployment[part].keys() == type_.__required_keys__  # type: ignore[literal-required]


def test_an_absent_deployment_has_no_health() -> None:
    assert [item["health"] is None for item in CHECKED] == [False, True, False]
    assert [item["name"] for item in checked.present(CHECKED)] == ["support-bot", "research"]


def test_health_targets_contain_no_secrets() -> None:
    assert [item["health"] for item in checked.present(CHECKED)] == [
        {"name": "support-bot", "url": "https://127.0.0.1:8123/bot", "host": "support.example.com"},
        {"name": "research", "url": "http://127.0.0.1:8124", "host": None},
    ]


def test_each_rollout_has_its_address_and_its_environment() -> None:
    first, second = (item["rollout"] for item in checked.present(CHECKED))
    keys: t.Any = ("bind_address", "port", "hostname", "prefix", "tls")
    assert [first[key] for key in keys] == ["127.0.0.1", 8123, "support.example.com", "/bot", True]
    assert [second[key] for key in keys] == ["127.0.0.1", 8124, None, None, False]
    assert (
        first["environment"] | {"MOUNT_PREFIX": "/bot", "MODEL": "x", "REDIS_KEY_PREFIX": "support-bot:"}
        == first["environment"]
    )
    assert not {"DATABASE_URI", "REDIS_URI"} & first["environment"].keys()
