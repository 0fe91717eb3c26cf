# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The data that a removal would delete, on any number of hosts, and when it is refused."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.removal import (
    FINDINGS,
    removal,
    service_name,
)

NOTHING = {"database": None, "role": None, "clients": 0, "would_lose": {"bytes": 0, "rows": None}}
FREE = {"redis_db": None, "user": None, "clients": 0, "would_lose": {"keys": 0}}
DATABASE = {"database": "bot_a", "role": "bot_a", "clients": 2, "would_lose": {"bytes": 8_500_000, "rows": 120}}
NUMBER = {"redis_db": 3, "user": "bot-a", "clients": 1, "would_lose": {"keys": 14}}
GROUPS: dict[str, list[str]] = {"langgraph_redis": ["one"], "langgraph_postgres": ["one"]}


def host(
    name: str, revisions: t.Sequence[int] = (), serving: int | None = None, **variables: t.Any
) -> dict[str, t.Any]:
    found = [{"name": "bot-a", "serving": serving, "revisions": [{"number": number} for number in revisions]}]
    findings = {
        "redis": "one",
        "postgres": "one",
        "deployments": [{"name": "other", "serving": 9, "revisions": [{"number": 9}]}, *(found if revisions else [])],
        "in_postgres": DATABASE,
        "in_redis": NUMBER,
    }
    return {"inventory_hostname": name, FINDINGS: {**findings, **variables.pop("findings", {})}, **variables}


def removal_of(*hosts: dict[str, t.Any], run: t.Sequence[str] | None = None) -> dict[str, t.Any]:
    return removal(hosts, "bot-a", [item["inventory_hostname"] for item in hosts] if run is None else run, GROUPS)


def test_all_data_to_delete_is_in_one_line() -> None:
    found = removal_of(host("one", [2, 1], serving=2), host("two", [1], serving=1))
    assert found["would"] == (
        "Nothing was changed. Removing the deployment 'bot-a' would delete about 120 rows in 8.5 MB of the Postgres database "
        "'bot_a', 14 keys of Redis database 3, revisions 1, 2 on one and revision 1 on two. It serves on one, two. 3 clients "
        "are connected to its databases. To do it, run ansible-playbook selfhost.langgraph.remove -e deployment=bot-a -e confirm=bot-a"
    )
    assert (found["unknown"], found["elsewhere"], found["leaders"]) == ("", "", ["one"])


def test_the_deleted_data_is_reported() -> None:
    found = removal_of(host("one", [1], serving=1))
    assert found["done"] == (
        "The deployment 'bot-a' was removed, and with it about 120 rows in 8.5 MB of the Postgres database 'bot_a', 14 keys of Redis "
        "database 3 and revision 1 on one"
    )


def test_a_list_that_still_has_the_deployment_is_reported() -> None:
    mine = [{"name": "bot-a"}, "no mapping"]
    gone = [{"name": "bot-a", "state": "stopped"}]
    found = removal_of(host("one", langgraph_deployments=mine), host("two", langgraph_deployments=gone), host("three"))
    assert found["done"].endswith(
        ". It is still in langgraph_deployments of one; remove it there, or the next run of site.yml creates it again, empty"
    )


@pytest.mark.parametrize(
    ("findings", "known"),
    [
        ({"in_postgres": NOTHING, "in_redis": FREE}, False),
        ({"in_postgres": {**NOTHING, "role": "bot_a"}, "in_redis": FREE}, True),
        ({"in_postgres": {**NOTHING, "database": "bot_a"}, "in_redis": FREE}, True),
        ({"in_postgres": NOTHING, "in_redis": {**FREE, "user": "bot-a"}}, True),
        ({"in_postgres": NOTHING, "in_redis": NUMBER}, True),
    ],
)
def test_leftovers_of_a_killed_run_are_known(findings: dict[str, t.Any], known: bool) -> None:
    found = removal_of(host("one", findings=findings))
    assert (found["unknown"] == "") == known
    if not known:
        assert found["unknown"] == (
            "deployment 'bot-a', option 'deployment': no host has it, and neither Redis nor Postgres has a claim for it; "
            "ansible-playbook selfhost.langgraph.status lists the existing deployments"
        )


def test_revisions_alone_are_known() -> None:
    found = removal_of(host("one", [4], findings={"in_postgres": NOTHING, "in_redis": FREE}))
    assert found["unknown"] == ""
    assert "would delete revision 4 on one." in found["would"]


ABSENT = [
    ({}, True),
    ({"langgraph_redis_server": "two", "langgraph_postgres_server": "two"}, False),
    ({"langgraph_redis_server": "two"}, True),
    ({"langgraph_postgres_server": "two", "langgraph_redis_admin_uri": "rediss://admin:secret@redis:6379"}, False),
    ({"langgraph_postgres_admin_uri": "postgresql://admin:secret@pg/postgres"}, True),
]


@pytest.mark.parametrize(("variables", "shares"), ABSENT)
def test_a_host_that_shares_a_service_must_take_part(variables: dict[str, str], shares: bool) -> None:
    two = {"inventory_hostname": "two", **variables}
    found = removal_of(host("one", [1], serving=1), two, run=["one"])
    assert bool(found["elsewhere"]) == shares
    assert ("two did not take part" in found["would"]) == shares
    assert "secret" not in str(found)
    if shares:
        assert found["elsewhere"] == (
            "deployment 'bot-a', option 'confirm': it may run on two of the group langgraph_hosts, which did not take part in "
            "this run; run it on all of them at once, without --limit, and remove hosts that no longer exist from the inventory"
        )


def test_foreign_keys_are_refused_before_the_deployment_is_stopped() -> None:
    found = removal_of(host("one", [1], serving=1, findings={"in_redis": {**NUMBER, "strange_keys": 2}}), host("two"))
    assert found["strangers"] == (
        "deployment 'bot-a', option 'confirm': its Redis database 3 holds 2 keys that match none of its key patterns; find out "
        """whose they are; delete its own with -e '{"key_patterns": ["lg:*"]}', and move the others"""
    )
    assert "2 keys that are not its own are in its Redis database and block the removal. " in found["would"]
    assert removal_of(host("one", [1], serving=1))["strangers"] == ""


def test_managed_services_are_identified_by_their_address() -> None:
    uris = {
        "langgraph_redis_admin_uri": "rediss://a:b@redis:6379",
        "langgraph_postgres_admin_uri": "postgresql://a:b@pg/x",
    }
    one = host("one", [1], findings={"redis": "redis:6379", "postgres": "pg"})
    assert removal_of(one, {"inventory_hostname": "two", **uris}, run=["one"])["elsewhere"]
    uris["langgraph_redis_admin_uri"], uris["langgraph_postgres_admin_uri"] = "redis://x:6379", "postgresql://x/x"
    assert not removal_of(one, {"inventory_hostname": "two", **uris}, run=["one"])["elsewhere"]


def test_each_pair_of_services_has_one_leader() -> None:
    own = {"redis": "two", "postgres": "two", "in_postgres": NOTHING, "in_redis": FREE}
    found = removal_of(host("one", [1]), host("two", [1], findings=own), host("three", [1]))
    assert found["leaders"] == ["one", "two"]
    assert found["would"].count("8.5 MB") == 1


def test_without_groups_each_host_has_its_own_services() -> None:
    alone = host("one", [1])
    assert not removal([alone, {"inventory_hostname": "two"}], "bot-a", ["one"], {})["elsewhere"]


@pytest.mark.parametrize(
    ("which", "ways"),
    [
        ("redis", ["r.example", "r.example:6379", "R.Example.", "admin:p@r.example:06379", ":p%40@R.EXAMPLE.:6379"]),
        ("redis", ["[2001:DB8::1]", "x:y@[2001:db8::1]:6379", "2001:db8::1"]),
        ("postgres", ["db", "db:5432", "postgres@DB", "admin:p@db.:5432"]),
        ("postgres", ["one,two:5432", "a:b@Two:5432,one:5432", "two,one,"[:-1]]),
    ],
)
def test_a_service_has_one_name_in_any_spelling(which: str, ways: t.Sequence[str]) -> None:
    (name,) = {service_name(way, which) for way in ways}
    assert "@" not in name
    assert service_name(f"{ways[0].split(',')[0]}:7000", which) != name


def test_a_host_that_spells_the_same_service_differently_must_take_part() -> None:
    one = host("one", [1], findings={"redis": "r.example:6379", "postgres": "db.example"})
    for redis, postgres in (("r.example", "pg"), ("R.Example.", "pg"), ("other", "DB.example:5432")):
        uris = {
            "langgraph_redis_admin_uri": f"rediss://a:b@{redis}/0",
            "langgraph_postgres_admin_uri": f"postgresql://a:b@{postgres}/postgres",
        }
        assert removal_of(one, {"inventory_hostname": "two", **uris}, run=["one"])["elsewhere"]
        assert removal_of(one, host("two", findings={"redis": redis, "postgres": "db.example:5432"}))["leaders"] == (
            ["one"] if redis != "other" else ["one", "two"]
        )


def test_our_server_that_another_host_uses_by_its_address() -> None:
    uri = {"langgraph_redis_admin_uri": "redis://a:b@one:6379", "langgraph_postgres_admin_uri": "postgresql://a:b@x/x"}
    assert removal_of(host("one", [1]), {"inventory_hostname": "two", **uri}, run=["one"])["elsewhere"]


def test_dumps_are_reported() -> None:
    one, two = host("one", [1, 2, 3]), host("two", [1])
    for revision, dump in zip(one[FINDINGS]["deployments"][1]["revisions"], ("/dumps/1", None, "/dumps/3")):
        revision["snapshot"] = dump
    two[FINDINGS]["deployments"][1]["revisions"][0]["snapshot"] = "/dumps/1"
    found = removal_of(one, two)
    for line in (found["would"], found["done"]):
        assert (
            "revisions 1, 2, 3 on one, 2 dumps of its database on one, revision 1 on two and 1 dump of its database on two"
            in line
        )
