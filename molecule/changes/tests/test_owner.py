# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two inventories with deployments of the same name: the second one gets no access to the claims of the first."""

from __future__ import annotations

import json
import re

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.passwords import owner_fingerprint

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


def owners(world):
    """Return the owner of each claim: in Redis, and in both comments of Postgres."""
    found = {name: [claim.partition(" ")[2]] for name, claim in world.claims().items() if not name.startswith(":")}
    for kind, table, column in (("pg_authid", "pg_authid", "rolname"), ("pg_database", "pg_database", "datname")):
        rows = world.sql(
            "postgres", f"SELECT shobj_description(oid, '{kind}') FROM {table} WHERE {column} = 'support_bot'"
        )
        found[NAME].append(json.loads(rows)[MARK].get("owner"))
    return found


def refused(done, theirs, ours):
    """Check for one line per deployment, with both owners and the remedy, and without any key."""
    text = " ".join((done.stdout + done.stderr).split())
    assert done.returncode != 0, text
    found = REFUSED.search(text)
    assert found, text
    assert found.groups() == (theirs, ours)
    assert "langgraph_previous_secret_key" in text
    assert OTHER_KEY not in text


@pytest.mark.essential("trixie")
@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    "inventory",
    [{"langgraph_secret_key": OTHER_KEY}, {"langgraph_environment": "staging"}],
    ids=["another key", "copied with its vault"],
)
def test_another_inventory_is_refused_and_nothing_changes(world, group_vars, ours, inventory):
    theirs = owner_fingerprint(
        inventory.get("langgraph_secret_key", group_vars["langgraph_secret_key"]),
        inventory.get("langgraph_environment", ""),
    )
    refused(world.play(**inventory), ours, theirs)
    refused(world.remove(NAME, **inventory), ours, theirs)
    refused(world.remove(NAME, confirm=NAME, **inventory), ours, theirs)
    assert world.client("healthy", "5", "http://127.0.0.1:8123") < 5


@pytest.fixture
def forgotten_by(world):
    """Remove the owner from one record, as in records of an earlier version or of a restored backup."""

    def forget(record):
        if record == "Redis":
            world.redis("HSET", "selfhost.langgraph:claims", NAME, str(world.numbers()[NAME]))
            return
        mark = json.dumps({MARK: {"deployment": NAME, "redis_number": world.numbers()[NAME]}})
        world.sql("postgres", f"COMMENT ON ROLE support_bot IS '{mark}'; COMMENT ON DATABASE support_bot IS '{mark}'")

    return forget


@pytest.mark.release("trixie")
@pytest.mark.parametrize("record", ["Redis", "Postgres"])
def test_one_record_that_knows_the_owner_protects_both(world, state, ours, forgotten_by, record):
    forgotten_by(record)
    before = state()
    refused(world.play(langgraph_secret_key=OTHER_KEY), ours, owner_fingerprint(OTHER_KEY, ""))
    assert state() == before
    assert world.play().returncode == 0
    assert owners(world)[NAME] == [ours] * 3


def test_records_of_an_earlier_version_are_adopted(world, ours, forgotten_by):
    forgotten_by("Redis")
    forgotten_by("Postgres")
    containers = world.containers()
    done = world.play()
    assert done.returncode == 0, done.stdout
    assert owners(world)[NAME] == [ours] * 3
    assert world.containers() == containers
    assert "changed=0 " in world.play().stdout


def test_take_over_for_an_environment_that_gets_a_name(world, group_vars, ours):
    containers, numbers = world.containers(), world.numbers()
    named = {"langgraph_environment": "production"}
    done = world.play(langgraph_take_over=True, **named)
    assert done.returncode == 0, done.stdout
    theirs = owner_fingerprint(group_vars["langgraph_secret_key"], "production")
    assert set(owners(world)[NAME]) == {theirs}
    assert "changed=0 " in world.play(**named).stdout
    refused(world.play(), theirs, ours)
    back = world.play(langgraph_take_over=True)
    assert back.returncode == 0, back.stdout
    assert (world.containers(), world.numbers()) == (containers, numbers)


@pytest.mark.release("bookworm")
def test_the_key_of_before_proves_the_owner(world, group_vars, ours):
    key, numbers = group_vars["langgraph_secret_key"], world.numbers()
    world.sql("support_bot", "CREATE TABLE IF NOT EXISTS public.kept_over_the_change (n int)")
    for now, before in ((OTHER_KEY, key), (key, OTHER_KEY)):
        refused(world.play(langgraph_secret_key=now), owner_fingerprint(before, ""), owner_fingerprint(now, ""))
        done = world.play(langgraph_secret_key=now, langgraph_previous_secret_key=before)
        assert done.returncode == 0, done.stdout
        assert set(owners(world)[NAME]) == {owner_fingerprint(now, "")}
        assert world.client("healthy", "30", "http://127.0.0.1:8123") < 30
    assert world.numbers() == numbers
    assert world.sql("support_bot", "DROP TABLE public.kept_over_the_change; SELECT 'there'") == "there"


@pytest.mark.release("trixie")
@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("previous", ["too-short", None], ids=["short", "the same"])
def test_a_previous_key_that_is_none(world, group_vars, previous):
    done = world.play(langgraph_previous_secret_key=previous or group_vars["langgraph_secret_key"])
    assert done.returncode != 0
    assert (
        "langgraph_previous_secret_key is shorter than 32 characters, or langgraph_secret_key itself"
        in done.stdout + done.stderr
    )
