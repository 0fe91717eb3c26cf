# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many upgrades leave no remains, and a rollback is refused when it must not run."""

from __future__ import annotations

import functools
import re

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.redis_rights import users_of

NAME, PORT = "support-bot", 8123

KEPT = 2
UPGRADES = 10


def inventory(test_host):
    """Return everything that could leak, except files and connections: containers, units, listening ports, images."""
    run = test_host.host.check_output
    return {
        "containers": len(run("docker ps -aq").split()),
        "units": len(run("systemctl list-units --all --plain --no-legend 'langgraph*'").splitlines()),
        "enabled": len(run("systemctl list-unit-files --plain --no-legend --state=enabled 'langgraph*'").splitlines()),
        "ports": len(run("ss --listening --tcp --numeric --no-header").splitlines()),
        "images": len(run("docker images -q").split()),
    }


@pytest.mark.release("bookworm")
def test_ten_upgrades_leak_nothing(test_host, bot, roll):
    roll = functools.partial(roll, langgraph_keep_revisions=KEPT)
    test_host.drained(NAME)
    for number in range(KEPT):
        roll(bot(env={"UPGRADE": f"first {number}"}))
    test_host.drained(NAME)
    test_host.build("demo-agent:old", "FROM demo-agent:1\nLABEL release=old\n")
    old_image = test_host.host.check_output("docker inspect -f '{{.Id}}' demo-agent:old")
    roll(bot(image="demo-agent:old"))
    test_host.drained(NAME)
    before = inventory(test_host)
    for number in range(UPGRADES):
        # With the default, each rollout waits for the drain before the last one.
        roll(bot(env={"UPGRADE": str(number)}), langgraph_max_running_revisions=3)
    test_host.drained(NAME)
    roll(bot(env={"UPGRADE": str(UPGRADES - 1)}))
    after = inventory(test_host)
    # The image of pruned revisions was removed with them.
    assert after.pop("images") == before.pop("images") - 1
    assert old_image not in test_host.host.check_output("docker images --no-trunc -q")
    assert after == before
    assert len(test_host.revisions(NAME)) == KEPT
    files = test_host.host.check_output(f"find /etc/langgraph/{NAME} -type f").splitlines()
    # Five files per revision, without drain.json of the serving one; and the files of the deployment.
    assert len(files) == 2 + KEPT * 5 - 1
    listed = test_host.redis("CLIENT", "LIST")
    sessions = sum(listed.count(f"user={user} ") for user in users_of(NAME))
    assert 0 < sessions < 30
    rows = test_host.sql(
        "postgres", f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{test_host.database(NAME)}'"
    )
    assert 0 < int(rows) <= 32


@pytest.mark.release("bookworm")
def test_rollback_and_forward_again(test_host, bot, roll):
    roll(bot(env={"STEP": "one"}))
    first = test_host.settings(NAME)["serving"]
    roll(bot(env={"STEP": "two"}))
    back = test_host.rollback(NAME)
    assert back.returncode == 0, back.stdout
    assert test_host.settings(NAME)["serving"] == first
    assert re.search(rf"{NAME} +{first} +serving", back.stdout), back.stdout
    # Revisions are immutable: the inventory has the other content, which creates the next revision.
    roll(bot(env={"STEP": "two"}))
    assert test_host.settings(NAME)["serving"] == first + 2
    by_number = test_host.rollback(NAME, revision=first)
    assert by_number.returncode == 0, by_number.stdout
    again = test_host.rollback(NAME, revision=first)
    assert "changed=0 " in again.stdout
    test_host.drained(NAME)


@pytest.mark.release("trixie")
def test_a_rollback_is_remembered(test_host, bot, roll, play):
    """Check mode names the target, the status has who and from where, and the next run warns, or holds it."""
    roll(bot(env={"STEP": "three"}))
    first = test_host.settings(NAME)["serving"]
    roll(bot(env={"STEP": "four"}))
    newer = test_host.settings(NAME)["serving"]
    predicted = test_host._playbook("selfhost.langgraph.rollback", ("--check",), {"deployment": NAME})
    assert f"would be rolled back to revision {first}, image demo-agent:1" in " ".join(predicted.stdout.split())
    assert test_host.settings(NAME)["serving"] == newer
    assert test_host.rollback(NAME, langgraph_requested_by="alice").returncode == 0
    assert test_host.status()[NAME]["rolled_back"]["by"] == "alice"
    shown = test_host._playbook("selfhost.langgraph.status", (), {"deployment": NAME})
    assert re.search(rf"{NAME} +{first} +serving .*rolled back from {newer} by alice", shown.stdout), shown.stdout

    warning = f"deployment '{NAME}' was rolled back from revision {newer} to {first} by alice at "
    listed = bot(env={"STEP": "four"})
    held = play(listed, langgraph_hold_rollbacks=True)
    output = " ".join((held.stdout + held.stderr).split())
    assert held.returncode == 0, output
    assert warning in output
    assert "and is held there" in output
    assert test_host.settings(NAME)["serving"] == first
    forward = play(listed)
    output = " ".join((forward.stdout + forward.stderr).split())
    assert warning in output
    assert "this run rolls it forward to the list" in output
    assert test_host.settings(NAME)["serving"] == newer + 1
    assert "rolled_back" not in test_host.settings(NAME)
    test_host.drained(NAME)


@pytest.mark.parametrize(
    ("revision", "line"),
    [
        (99, "there is no revision 99; choose a kept revision that has served:"),
        ("x", "argument 'revision' is of type"),
    ],
)
def test_rollback_to_nowhere(test_host, revision, line):
    before = test_host.containers()
    done = test_host.rollback(NAME, revision=revision)
    assert done.returncode != 0
    assert line in " ".join((done.stdout + done.stderr).split())
    assert test_host.containers() == before


@pytest.mark.essential
@pytest.mark.release("bookworm")
def test_rollback_over_a_migration_is_refused_and_can_be_insisted_on(test_host, bot, roll):
    """Change the older revision's recorded schema by hand, as there is no second migration of the server."""
    test_host.build("demo-agent:3", "FROM demo-agent:1\nLABEL release=3\n")
    snapshots = {"langgraph_snapshot_dir": "/var/backups/langgraph"}
    roll(bot())
    old = test_host.settings(NAME)["serving"]
    roll(bot(image="demo-agent:3"), **snapshots)
    new = test_host.settings(NAME)["serving"]
    snapshot = test_host.host.check_output(f"ls /var/backups/langgraph/{NAME}/before-revision-{new}-*.dump")
    assert test_host.host.file(snapshot).mode == 0o600
    assert "threads" in test_host.host.check_output(f"pg_restore --list {snapshot}")
    test_host.host.check_output(
        f'sed -i \'s/"schema": "001/"schema": "000/\' /etc/langgraph/{NAME}/revisions/{old}/outcome.json'
    )
    refused = test_host.rollback(NAME, **snapshots)
    said = " ".join((refused.stdout + refused.stderr).split())
    assert refused.returncode != 0
    assert f"since revision {old}, from 000" in said, said
    assert f"the snapshot taken before it is {snapshot}" in said
    assert test_host.settings(NAME)["serving"] == new
    insisted = test_host.rollback(NAME, allow_schema_mismatch=True, **snapshots)
    assert insisted.returncode == 0, insisted.stdout
    assert test_host.settings(NAME)["serving"] == old
    test_host.drained(NAME)


@pytest.mark.release("bookworm")
def test_without_a_proxy_an_upgrade_interrupts_and_a_failure_brings_the_old_one_back(test_host, bot, roll):
    roll(bot(), langgraph_proxy="none")
    assert "8123" in test_host.host.check_output(f"docker port langgraph-{test_host.instance(NAME)}")
    serving = test_host.settings(NAME)["serving"]
    bad = test_host.play(
        langgraph_deployments=bot(env={"LANGSERVE_GRAPHS": "nonsense"}),
        langgraph_proxy="none",
        langgraph_healthy_deadline=12,
    )
    assert bad.returncode != 0
    assert test_host.settings(NAME)["serving"] == serving
    assert test_host.client("healthy", "30", f"http://127.0.0.1:{PORT}") < 30
    roll(bot(env={"DIRECT": "yes"}), langgraph_proxy="none")
    assert test_host.client("healthy", "5", f"http://127.0.0.1:{PORT}") < 5
    roll(bot())
    assert test_host.host.check_output(f"docker port langgraph-{test_host.instance(NAME)}") == ""
