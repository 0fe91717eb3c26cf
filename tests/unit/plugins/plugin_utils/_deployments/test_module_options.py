# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From checked deployments to what each next station takes."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.passwords import aes_fingerprints
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments import module_options
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.list_rules import Surroundings
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.validate import check_deployments

LIST: list[dict[str, t.Any]] = [
    {"name": "support-bot", "image": "bot:1", "port": 8123, "edition": "none", "env": {"MODEL": "x"}, "tls": True}
    | {"hostname": "support.example.com", "mount_prefix": "/bot"},
    {"name": "old", "state": "absent"},
    {"name": "research", "image": "r:1", "port": 8124, "edition": "none", "postgres_password": "p@ss/word"},
]
CHECKED = check_deployments(LIST, Surroundings("k" * 32))[0]
NUMBERS = {"support-bot": {"number": 1}, "research": {"number": 7}}
REDIS = {"host": "172.29.0.1", "port": "6379", "tls": False}
POSTGRES = {"host": "172.29.0.1", "port": 5432, "sslmode": "prefer"}


def services(**redis: t.Any) -> list[dict[str, t.Any]]:
    return module_options.container_services(CHECKED, NUMBERS, {**REDIS, **redis}, POSTGRES)


def environment(service: dict[str, t.Any]) -> dict[str, str]:
    text = service["environment"] + service["credentials"]
    return dict(line.split("=", 1) for line in text.splitlines())


def test_redis_databases() -> None:
    found = module_options.redis_databases(CHECKED)
    assert [(item["name"], item["number"], item["key_patterns"]) for item in found] == [
        ("support-bot", None, ["support-bot:*"]),
        ("research", None, ["research:*"]),
    ]


def test_postgres_databases() -> None:
    found = module_options.postgres_databases(CHECKED, NUMBERS)
    assert [(item["name"], item["redis_number"], item["connection_limit"]) for item in found] == [
        ("support-bot", 1, 96),
        ("research", 7, 96),
    ]
    assert found[1]["password"] == "p@ss/word"
    assert (found[0]["aes_keys"], found[0]["accept_new_aes_key"]) == ([], False)


def test_postgres_remembers_the_aes_key_by_a_fingerprint() -> None:
    surroundings = Surroundings("k" * 32, previous_secret_key="p" * 32)
    keys = {"langgraph_aes_key": "a" * 32, "accept_new_aes_key": True}
    (entry,) = module_options.postgres_databases(check_deployments([{**LIST[0], **keys}], surroundings)[0], NUMBERS)
    assert entry["aes_keys"] == aes_fingerprints("support-bot", "a" * 32, ["k" * 32, "p" * 32])
    assert entry["accept_new_aes_key"]
    assert "a" * 32 not in str(entry)


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


def test_credentials_are_apart_from_what_makes_a_revision() -> None:
    first = services()[0]
    assert [line.partition("=")[0] for line in first["credentials"].splitlines()] == ["DATABASE_URI", "REDIS_URI"]
    assert not {"DATABASE_URI", "REDIS_URI"} & {line.partition("=")[0] for line in first["environment"].splitlines()}


def test_the_login_is_the_one_that_postgres_says() -> None:
    logins = {"support-bot": {"login": "support_bot.b"}}
    first, _gone, second = module_options.container_services(CHECKED, NUMBERS, REDIS, POSTGRES, logins)
    assert environment(first)["DATABASE_URI"].startswith("postgres://support_bot.b:")
    assert environment(first)["DATABASE_URI"].endswith("/support_bot?sslmode=prefer")
    assert environment(second)["DATABASE_URI"].startswith("postgres://research:")


@pytest.mark.parametrize(("tls", "scheme"), [(True, "rediss"), ("yes", "rediss"), ("false", "redis"), (False, "redis")])
def test_tls_may_come_as_text_from_the_command_line(tls: t.Any, scheme: str) -> None:
    assert environment(services(tls=tls)[0])["REDIS_URI"].startswith(f"{scheme}://")


def test_health_targets_hold_nothing_secret() -> None:
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


def done(name: str, action: str, *reasons: str, revision: int | None = 1) -> dict[str, t.Any]:
    """What container_service tells of a deployment."""
    changed = action not in ("keep", "wait")
    common = {"changed": changed, "interrupts": False, "runs": {}}
    return {"name": name, "action": action, "reasons": reasons, "revision": revision, **common}


def test_table() -> None:
    health = {"support-bot": {"ok": True, "status": 200}, "research": {"ok": False, "status": None}}
    told = [
        done("support-bot", "roll", "image_id", "variable MODEL", revision=4),
        done("old", "remove", revision=None),
        done("research", "keep", revision=2),
    ]
    assert module_options.table(CHECKED, NUMBERS, health, told) == [
        "DEPLOYMENT   URL                                               REDIS DB  POSTGRES DATABASE  IMAGE  REVISION  HEALTH",
        "support-bot  https://127.0.0.1:8123/bot (support.example.com)  1         support_bot        bot:1  4         healthy",
        "old          -                                                 -         old                -      -         stopped",
        "research     http://127.0.0.1:8124                             7         research           r:1    2         UNHEALTHY",
        "support-bot: roll to revision 4 (image_id, variable MODEL)",
        "old: remove",
    ]


CHANGES: dict[str, tuple[dict[str, t.Any], str]] = {
    "create": (done("research", "create", "new"), "research: create revision 1 (new)"),
    "route": (done("research", "route", "port"), "research: route (port)"),
    "start": (done("research", "start", "unit is failed"), "research: start (unit is failed)"),
    "settings": ({**done("research", "keep", "drain_limit"), "changed": True}, "research: keep (drain_limit)"),
    "interrupting": (
        {**done("research", "roll", "image_id", revision=3), "interrupts": True},
        "research: roll to revision 3 (image_id), which interrupts it",
    ),
    "runs": (
        {
            **done("research", "roll", revision=3),
            "runs": {"before": {"running": 2}, "after": {"pending": 1, "running": 1}},
        },
        "research: roll to revision 3; runs in flight before: 2 running, after: 1 pending, 1 running",
    ),
    "no runs": (
        {**done("research", "roll", revision=3), "runs": {"before": {}, "after": {}}},
        "research: roll to revision 3; runs in flight before: none, after: none",
    ),
    "runs unknown": (
        {**done("research", "roll"), "runs": {"before": {}, "after": None}},
        "research: roll to revision 1",
    ),
    "without a reason": ({**done("research", "keep"), "changed": True}, "research: keep"),
}


def test_an_image_that_changes_is_told_by_what_it_was_and_is() -> None:
    service = done("research", "roll", "image_id", "variable MODEL", revision=4)
    told = module_options.table(CHECKED, NUMBERS, {}, [{**service, "image_change": "48b0ab8bb9a1 to 9c217d3f6a02"}])
    assert told[4:] == ["research: roll to revision 4 (image 48b0ab8bb9a1 to 9c217d3f6a02, variable MODEL)"]
    told = module_options.table(CHECKED, NUMBERS, {}, [{**service, "image_change": None}])
    assert told[4:] == ["research: roll to revision 4 (image_id, variable MODEL)"]


@pytest.mark.parametrize(("service", "line"), CHANGES.values(), ids=CHANGES)
def test_what_changes_stands_below_the_table(service: dict[str, t.Any], line: str) -> None:
    assert module_options.table(CHECKED, NUMBERS, {}, [service])[4:] == [line]


@pytest.mark.parametrize("action", ["keep", "wait"])
def test_what_goes_on_does_not(action: str) -> None:
    assert len(module_options.table(CHECKED, NUMBERS, {}, [done("research", action)])) == 4


def test_table_in_check_mode() -> None:
    rows = module_options.table(CHECKED, {"research": {"number": None}}, {})
    assert rows[3].split() == ["research", "http://127.0.0.1:8124", "-", "research", "r:1", "-", "-"]


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
    "revisions beside those that serve": (
        [{"langgraph_deployments": LIST, "langgraph_max_extra_revisions": "1"}],
        (2 + 1) * 32,
    ),
    "no more of them than that": ([{"langgraph_deployments": [{}] * 30}], (30 + 8) * 32),
    "hosts": ([{"langgraph_deployments": LIST}, {"langgraph_deployments": [{}]}], 3 * 3 * 32),
    "what the check refuses later": (
        [{"langgraph_deployments": ["x", None, {"langgraph_postgres_pool_max_size": "many"}]}],
        3 * 32,
    ),
    "not a list": ([{"langgraph_deployments": 5}, {"langgraph_deployments": {"name": "x"}}], 0),
}


@pytest.mark.parametrize(("hosts", "expected"), SUMS.values(), ids=SUMS)
def test_connections_needed(hosts: list[t.Any], expected: int) -> None:
    assert module_options.connections_needed(hosts) == expected


def test_each_postgres_is_sized_for_the_hosts_that_use_it() -> None:
    """Several single hosts of one inventory have one each."""
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
    found = [module_options.connections_needed(hosts, server, groups) for server in ("one", "data", "other", None)]
    assert found == [2 * 3 * 32, 3 * 32, 0, 5 * 3 * 32]


def test_the_limit_of_each_role_is_what_is_summed_up_where_all_may_roll_at_once() -> None:
    limits = sum(item["connection_limit"] for item in module_options.postgres_databases(CHECKED, NUMBERS))
    assert limits == module_options.connections_needed([{"langgraph_deployments": LIST}])
    more = [{"langgraph_deployments": LIST, "langgraph_max_extra_revisions": 1}]
    assert limits > module_options.connections_needed(more)


def test_a_redis_without_users_is_used_with_its_administrators_login() -> None:
    numbers = {name: {**claim, "user": None} for name, claim in NUMBERS.items()}
    redis = {"host": "r", "port": 6379, "tls": False, "admin_uri": "redis://admin:p%40ss@r:6379"}
    postgres = {"host": "p", "port": 5432, "sslmode": "require"}
    first = module_options.container_services(CHECKED, numbers, redis, postgres)[0]
    assert environment(first)["REDIS_URI"] == "redis://admin:p%40ss@r:6379/1"
    bare = module_options.container_services(CHECKED, numbers, {**redis, "admin_uri": "redis://r:6379"}, postgres)[0]
    assert environment(bare)["REDIS_URI"] == "redis://r:6379/1"


def test_replicas_on_several_hosts_share_the_connections_of_one_role() -> None:
    one = {"langgraph_deployments": [{"name": "a"}, {"name": "b", "state": "absent"}]}
    two = {"langgraph_deployments": [{"name": "a", "langgraph_postgres_pool_max_size": 8}, {"name": "c"}, None]}
    assert module_options.connections_by_name([one, two, {}]) == {"a": 3 * (32 + 20), "c": 3 * 32}
