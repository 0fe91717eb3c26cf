# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two inventories with deployments of the same name: the second one gets no access to the claims of the first."""

from __future__ import annotations

import json
import re

import pytest

from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.passwords import owner_fingerprint

NAME = "support-bot"
OTHER_KEY = "PLANTED-another-inventory-has-this-secret-key"
REFUSED = re.compile(
    rf"deployment '{NAME}', option 'name': its [A-Za-z ']+[\w' ]* belongs to another inventory: its owner is (\S+), ours is (\S+?);"
)
MARK = "selfhost.langgraph"


@pytest.fixture
def ours(group_vars):
    """Return the owner of the inventory's claims."""
    return owner_fingerprint(group_vars["langgraph_secret_key"], "")


def owners(test_host):
    """Return the owner of each claim: in Redis, and in both comments of Postgres."""
    found = {name: [claim.partition(" ")[2]] for name, claim in test_host.claims().items() if not name.startswith(":")}
    for kind, table, column in (("pg_authid", "pg_authid", "rolname"), ("pg_database", "pg_database", "datname")):
        rows = test_host.sql(
            "postgres", f"SELECT shobj_description(oid, '{kind}') FROM {table} WHERE {column} = 'support_bot'"
        )
        found[NAME].append(json.loads(rows)[MARK].get("owner"))
    return found


def refused(done, recorded, own):
    """Check for one line per deployment, with both owners and the remedy, and without any key."""
    text = " ".join((done.stdout + done.stderr).split())
    assert done.returncode != 0, text
    found = REFUSED.search(text)
    assert found, text
    assert found.groups() == (recorded, own)
    assert "langgraph_previous_secret_key" in text
    assert OTHER_KEY not in text


@pytest.mark.essential("trixie")
@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    "inventory",
    [{"langgraph_secret_key": OTHER_KEY}, {"langgraph_environment": "staging"}],
    ids=["another key", "copied with its vault"],
)
def test_another_inventory_is_refused_and_nothing_changes(test_host, group_vars, ours, inventory):
    theirs = owner_fingerprint(
        inventory.get("langgraph_secret_key", group_vars["langgraph_secret_key"]),
        inventory.get("langgraph_environment", ""),
    )
    refused(test_host.play(**inventory), ours, theirs)
    redis = test_host.host.check_output("cat /etc/langgraph-redis/langgraph.conf")
    done = test_host.site(redis_settings={"maxclients": 4999}, **inventory)
    refused(done, ours, theirs)
    assert "changed=0 " in done.stdout
    assert test_host.host.check_output("cat /etc/langgraph-redis/langgraph.conf") == redis
    refused(test_host.remove(NAME, **inventory), ours, theirs)
    refused(test_host.remove(NAME, confirm=NAME, **inventory), ours, theirs)
    stopped = [{**item, "state": "stopped"} for item in group_vars["langgraph_deployments"] if item["name"] == NAME]
    refused(test_host.play(langgraph_deployments=stopped, **inventory), ours, theirs)
    refused(test_host.rollback(NAME, **inventory), ours, theirs)
    assert test_host.client("healthy", "5", "http://127.0.0.1:8123") < 5


@pytest.fixture
def forgotten_by(test_host):
    """Remove the owner from one record, as in records of an earlier version or of a restored backup."""

    def forget(record):
        if record == "Redis":
            test_host.redis("HSET", "selfhost.langgraph:claims", NAME, str(test_host.numbers()[NAME]))
            return
        mark = json.dumps({MARK: {"deployment": NAME, "redis_number": test_host.numbers()[NAME]}})
        test_host.sql(
            "postgres", f"COMMENT ON ROLE support_bot IS '{mark}'; COMMENT ON DATABASE support_bot IS '{mark}'"
        )

    return forget


@pytest.mark.release("trixie")
@pytest.mark.parametrize("record", ["Redis", "Postgres"])
def test_one_record_that_knows_the_owner_protects_both(test_host, state, ours, forgotten_by, record):
    forgotten_by(record)
    before = state()
    refused(test_host.play(langgraph_secret_key=OTHER_KEY), ours, owner_fingerprint(OTHER_KEY, ""))
    assert state() == before
    assert test_host.play().returncode == 0
    assert owners(test_host)[NAME] == [ours] * 3


def test_records_of_an_earlier_version_are_adopted(test_host, ours, forgotten_by):
    forgotten_by("Redis")
    forgotten_by("Postgres")
    containers = test_host.containers()
    done = test_host.play()
    assert done.returncode == 0, done.stdout
    assert owners(test_host)[NAME] == [ours] * 3
    assert test_host.containers() == containers
    assert "changed=0 " in test_host.play().stdout


def test_take_over_for_an_environment_that_gets_a_name(test_host, group_vars, ours):
    containers, numbers = test_host.containers(), test_host.numbers()
    named = {"langgraph_environment": "production"}
    done = test_host.play(langgraph_take_over=True, **named)
    assert done.returncode == 0, done.stdout
    theirs = owner_fingerprint(group_vars["langgraph_secret_key"], "production")
    assert set(owners(test_host)[NAME]) == {theirs}
    assert "changed=0 " in test_host.play(**named).stdout
    refused(test_host.play(), theirs, ours)
    back = test_host.play(langgraph_take_over=True)
    assert back.returncode == 0, back.stdout
    assert (test_host.containers(), test_host.numbers()) == (containers, numbers)


@pytest.mark.release("bookworm")
def test_the_key_of_before_proves_the_owner(test_host, group_vars, ours):
    key, numbers = group_vars["langgraph_secret_key"], test_host.numbers()
    test_host.sql("support_bot", "CREATE TABLE IF NOT EXISTS public.kept_over_the_change (n int)")
    for now, before in ((OTHER_KEY, key), (key, OTHER_KEY)):
        refused(test_host.play(langgraph_secret_key=now), owner_fingerprint(before, ""), owner_fingerprint(now, ""))
        done = test_host.play(langgraph_secret_key=now, langgraph_previous_secret_key=before)
        assert done.returncode == 0, done.stdout
        assert set(owners(test_host)[NAME]) == {owner_fingerprint(now, "")}
        assert test_host.client("healthy", "30", "http://127.0.0.1:8123") < 30
    assert test_host.numbers() == numbers
    assert test_host.sql("support_bot", "DROP TABLE public.kept_over_the_change; SELECT 'there'") == "there"


@pytest.mark.release("trixie")
@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("previous", ["too-short", None], ids=["short", "the same"])
def test_a_previous_key_that_is_none(test_host, group_vars, previous):
    done = test_host.play(langgraph_previous_secret_key=previous or group_vars["langgraph_secret_key"])
    assert done.returncode != 0
    assert (
        "langgraph_previous_secret_key is shorter than 32 characters, or the same as langgraph_secret_key"
        in done.stdout + done.stderr
    )
