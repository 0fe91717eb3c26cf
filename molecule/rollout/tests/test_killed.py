# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kills of the module at each stage, and reboots in between: one revision serves, and the next run continues."""

from __future__ import annotations

import json
import subprocess
import threading
import time

import pytest
from killing import killed_at

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.failpoints import FAILPOINTS

NAME, PORT = "support-bot", 8123

HOST_TOOL = "tests/tools/hosts.py"


def one_serves(test_host):
    """Check that the proxy's file, its loaded state and the record have the same revision, and all others drain."""
    number = test_host.settings(NAME)["serving"]
    config = test_host.host.check_output("cat /etc/langgraph-proxy/10-deployments.cfg")
    backend = config.split(f"\nbackend {NAME} ")[1].split("\nbackend ")[0]
    slot = json.loads(test_host.host.check_output(f"cat /etc/langgraph/{NAME}/revisions/{number}/slot.json"))
    assert f"server revision-{number} {slot['address']}:{slot['port']}" in backend
    assert test_host.client("healthy", "20", f"http://127.0.0.1:{PORT}") < 20
    states = {item["number"]: item["state"] for item in test_host.status()[NAME]["revisions"]}
    assert states.pop(number) == "serving"
    assert set(states.values()) <= {"draining", "stopped", "failed"}, states
    return number


@pytest.mark.release("bookworm")
@pytest.mark.parametrize(
    "stage", [pytest.param(stage, marks=pytest.mark.essential if stage == "routed" else ()) for stage in FAILPOINTS]
)
def test_killed_at_a_stage(test_host, bot, play, roll, tmp_path, stage):
    wanted = bot(env={"KILLED_AT": stage})
    newest = test_host.revisions(NAME)[-1]
    with test_host.load(tmp_path, PORT, "--rate", "50", "--streams", "5", "--runs", "0") as load:
        with killed_at(stage):
            killed = play(wanted)
        assert killed.returncode != 0, killed.stdout
        roll(wanted)
    assert (load.failed, load.report["streams"]["cut"]) == (0, 0), load.errors
    assert one_serves(test_host) == newest + 1
    assert f"KILLED_AT={stage}" in test_host.host.check_output(f"docker exec langgraph-{test_host.instance(NAME)} env")
    if stage == FAILPOINTS[-1]:
        assert "changed=0 " in roll(wanted).stdout


@pytest.mark.release("trixie")
@pytest.mark.parametrize("stage", FAILPOINTS[1:])
def test_a_rollback_that_was_killed_is_finished_by_the_next(test_host, bot, roll, tmp_path, stage):
    """After a killed rollback, the same command completes it, and the next play rolls forward."""
    roll(bot(env={"GO_BACK_TO": stage}))
    first = test_host.settings(NAME)["serving"]
    roll(bot(env={"GO_BACK_FROM": stage}))
    test_host.drained(NAME)
    with test_host.load(tmp_path, PORT, "--rate", "50", "--streams", "5", "--runs", "0") as load:
        with killed_at(stage):
            killed = test_host.rollback(NAME, revision=first)
        assert killed.returncode != 0, killed.stdout
        back = test_host.rollback(NAME, revision=first)
        assert back.returncode == 0, back.stdout
    assert (load.failed, load.report["streams"]["cut"]) == (0, 0), load.errors
    assert one_serves(test_host) == first
    assert f"GO_BACK_TO={stage}" in test_host.host.check_output(f"docker exec langgraph-{test_host.instance(NAME)} env")


@pytest.mark.release("trixie")
def test_reboot_in_the_middle_of_a_drain(test_host, bot, roll, tmp_path):
    with test_host.load(tmp_path, PORT, "--rate", "5", "--streams", "60", "--once", "--runs", "0"):
        roll(bot(env={"REBOOT": "drain"}))
        assert "draining" in {item["state"] for item in test_host.status()[NAME]["revisions"]}
        reboot(test_host)
    assert one_serves(test_host) == test_host.revisions(NAME)[-1]
    running = test_host.host.check_output(f"docker ps --format '{{{{.Names}}}}' --filter name=langgraph-{NAME}").split()
    assert running == [f"langgraph-{test_host.instance(NAME)}"]
    assert "changed=0 " in roll(bot(env={"REBOOT": "drain"})).stdout


@pytest.mark.essential
@pytest.mark.release("trixie")
def test_reboot_in_the_middle_of_a_rollout(test_host, bot, play, roll):
    before, newest = test_host.settings(NAME)["serving"], test_host.revisions(NAME)[-1]
    wanted = bot(env={"REBOOT": "rollout"})
    thread = threading.Thread(target=play, args=[wanted])
    thread.start()
    starting = f"systemctl is-active langgraph@{NAME}.{newest + 1}"
    assert test_host.wait_until(lambda: test_host.host.run(starting).stdout.strip() == "activating", 60)
    begin = time.monotonic()
    reboot(test_host)
    # A starting revision has nothing to drain, and does not delay the shutdown.
    assert time.monotonic() - begin < 60
    thread.join(120)
    assert one_serves(test_host) == before
    roll(wanted)
    assert one_serves(test_host) == newest + 1


@pytest.mark.release("bookworm")
@pytest.mark.parametrize("stage", ["enabled", "routed", "switched"])
def test_reboot_after_a_kill_between_the_writes(test_host, bot, play, roll, stage):
    """Both revisions start at boot then; the proxy routes to one of them, which is healthy."""
    wanted = bot(env={"REBOOT_AFTER": stage})
    with killed_at(stage):
        killed = play(wanted)
    assert killed.returncode != 0
    reboot(test_host)
    assert test_host.client("healthy", "60", f"http://127.0.0.1:{PORT}") < 60
    roll(wanted)
    assert one_serves(test_host) == test_host.revisions(NAME)[-1]


def reboot(test_host):
    """Restart the host and wait until its servers answer."""
    subprocess.run([HOST_TOOL, "reboot", test_host.name], check=True, capture_output=True)
    assert test_host.client("healthy", "90", f"http://127.0.0.1:{PORT}") < 90
