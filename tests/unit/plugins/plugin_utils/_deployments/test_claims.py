# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The claims of checked deployments, as the claim modules take them."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments import checked
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.claims import Claims, claims
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.list_rules import CheckContext
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.passwords import aes_fingerprints
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.validate import check_deployments
from ansible_collections.selfhost.langgraph.tests.unit.plugins.modules.helper import arguments, problems
from ansible_collections.selfhost.langgraph.tests.unit.plugins.plugin_utils._deployments.checked_list import (
    CHECKED,
    LIST,
    NUMBERS,
)
from ansible_collections.selfhost.langgraph.tests.unit.plugins.plugin_utils._deployments.test_rotation import (
    CASES,
    NEW,
    OLD,
    in_use,
)

REDIS = {"databases": NUMBERS, "server": "uuid", "address": "db:6379"}


def claimed(use: dict[str, t.Any] | None = None, *results: t.Any, deployments: t.Any = None) -> Claims:
    """The claims of app1 if hosts use these credentials."""
    hosts = [{"inventory_hostname": name, "checked": {"carried": carried}} for name, carried in (use or {}).items()]
    hosts = hosts or [{"inventory_hostname": "app1"}]
    groups = {"langgraph_redis": ["db"], "langgraph_postgres": ["db"]}
    return claims(deployments or CHECKED, hosts, "checked", "app1", groups, *results)


def test_redis_databases() -> None:
    found = claimed()["redis"]
    assert [(item["name"], item["redis_db"], item["key_patterns"]) for item in found] == [
        ("support-bot", None, ["support-bot:*"]),
        ("research", None, ["research:*"]),
    ]
    assert [item["retire"] for item in found] == [False, False]


def test_postgres_records_what_redis_returned() -> None:
    found = claimed(None, REDIS)["postgres"]
    assert [(item["name"], item["redis_db"], item["connection_limit"]) for item in found] == [
        ("support-bot", 1, 96),
        ("research", 7, 96),
    ]
    assert {(item["redis_server"], item["redis_address"]) for item in found} == {("uuid", "db:6379")}
    assert found[1]["password"] == "p@ss/word"
    assert (found[0]["aes_keys"], found[0]["accept_new_aes_key"]) == ([], False)
    assert [item["redis_db"] for item in claimed()["postgres"]] == [None, None]


def test_postgres_records_the_fingerprint_of_the_aes_key() -> None:
    context = CheckContext("k" * 32, previous_secret_key="p" * 32)
    keys = {"langgraph_aes_key": "a" * 32, "accept_new_aes_key": True}
    deployments = check_deployments([{**LIST[0], **keys}], context)[0]
    (entry,) = claimed(deployments=deployments)["postgres"]
    assert entry["aes_keys"] == aes_fingerprints("support-bot", "a" * 32, ["k" * 32, "p" * 32])
    assert entry["accept_new_aes_key"]
    assert "a" * 32 not in str(entry)


@pytest.mark.parametrize("which", ["redis", "postgres"])
def test_a_claim_has_the_options_of_its_module(which: t.Literal["redis", "postgres"]) -> None:
    given = claimed(None, REDIS)[which]
    assert problems({"databases": given}, arguments(f"{which}_database")) == []
    type_: t.Any = {"redis": checked.RedisClaim, "postgres": checked.PostgresClaim}[which]
    assert {key for entry in given for key in entry} == type_.__required_keys__


BOT: t.Any = {**CHECKED[0], "name": "bot"}


@pytest.mark.parametrize(("use", "logins", "blockers"), CASES.values(), ids=CASES)
def test_passwords_in_use(use: dict[str, t.Any], logins: list[str] | None, blockers: list[str]) -> None:
    results = ({"databases": {"bot": {"retiring": ["bot"]}}}, {"databases": {"bot": {"retiring": ["bot"]}}})
    found = claimed(use, *results, deployments=[BOT])
    assert (found["redis"][0]["users_in_use"], found["redis"][0]["retire"]) == (logins, logins is not None)
    assert (found["postgres"][0]["logins_in_use"], found["postgres"][0]["retire"]) == (logins, logins is not None)
    # Without an answer of any host, app1 itself blocks the revocation.
    assert found["retirable"] == ([] if blockers or not use else ["bot"])
    assert [line.partition(":")[0] for line in found["still_open"]] == ["bot"]
    assert claimed(use, {}, {}, deployments=[BOT])["still_open"] == []


def test_a_stopped_deployment_is_claimed_if_it_has_a_claim() -> None:
    """Its records follow a change of the owner. Its users, password and AES key stay, as its entry may lack what they need."""
    context = CheckContext("k" * 32)
    stopped = check_deployments([{"name": "idle", "state": "stopped"}, LIST[0]], context)[0]
    assert [item["name"] for item in claimed(deployments=stopped)["redis"]] == [LIST[0]["name"]]
    recorded = [{"name": "idle", "redis_db": 7}, {"name": "of-another-list"}]
    found = claims(stopped, [{"inventory_hostname": "app1"}], "checked", "app1", {}, REDIS, recorded=recorded)
    (redis, running), (postgres, other) = found["redis"], found["postgres"]
    assert (redis["name"], redis["manage_user"], running["manage_user"]) == ("idle", False, True)
    assert (postgres["name"], postgres["password"], postgres["aes_keys"]) == ("idle", None, None)
    assert (postgres["manage_login"], other["manage_login"]) == (False, True)
    # Another Redis: the record of the one that has its data stays.
    assert (postgres["redis_db"], postgres["redis_server"], postgres["redis_address"]) == (None, None, None)
    given = check_deployments([{"name": "idle", "state": "stopped", "langgraph_aes_key": "a" * 32}], context)[0]
    (entry,) = claims(given, [], "checked", "app1", {}, REDIS, recorded=recorded)["postgres"]
    assert entry["aes_keys"]


def test_the_connection_limit_is_that_of_what_runs() -> None:
    found = claimed({"app1": in_use(OLD, NEW)}, deployments=[BOT])
    assert found["postgres"][0]["lower_connection_limit"] is True
