# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An upgrade and a rollback under load lose no request, stream or run; a plain restart does."""

from __future__ import annotations

import json
import re
import time

import pytest

NAME, PORT = "support-bot", 8123

pytestmark = pytest.mark.release("trixie")
# More workers than runs and streams: none of them waits in the queue.
MANY_JOBS = {"n_jobs_per_worker": 40}
PHASE_SECONDS = 20


def report(test_host, title, load):
    """Write the load generator's report next to the results, and print its figures."""
    directory = load.file.parents[0]
    (directory / f"{title}.json").write_text(json.dumps(load.report, indent=2))
    streams, runs = load.report["streams"], load.report["runs"]
    print(title, test_host.name)
    for phase, figures in load.report["phases"].items():
        print(phase, {key: figures[key] for key in ("count", "errors", "rate", "p50_ms", "p99_ms", "max_ms")})
    print("streams", streams["opened"], "cut", streams["cut"], "runs", runs["success"], "of", runs["asked"])
    print("attempts of the last checkpoint", runs["last_attempts"])


@pytest.mark.essential
def test_upgrade_and_rollback_under_load(test_host, bot, roll, tmp_path):
    roll(bot(**MANY_JOBS))
    test_host.build("demo-agent:2", "FROM demo-agent:1\nLABEL release=2\n")
    before = test_host.settings(NAME)["serving"]
    load_options = ["--rate", "60", "--streams", "5,60,170", "--runs", "10", "--run-seconds", "60", "--run-waves", "2"]
    with test_host.load(tmp_path, PORT, *load_options) as load:
        time.sleep(PHASE_SECONDS)
        load.mark("during").touch()
        done = roll(bot(image="demo-agent:2", **MANY_JOBS))
        assert re.search(rf"{NAME}: roll to revision {before + 1} \(image \w{{12}} to \w{{12}}\)", done.stdout), (
            done.stdout
        )
        time.sleep(PHASE_SECONDS)
        load.mark("switch").touch()
        back = test_host.rollback(NAME)
        assert back.returncode == 0, back.stdout
        load.mark("after").touch()
        time.sleep(PHASE_SECONDS)
    report(test_host, "upgrade", load)
    test_host.nothing_lost(load)
    assert test_host.settings(NAME)["serving"] == before
    # The longest stream was on the previous revision, which was stopped only after it.
    test_host.drained(NAME, 240)
    (drain,) = (item["drain"] for item in test_host.status()[NAME]["revisions"] if item["number"] == before + 1)
    assert (drain["sessions_cut"], drain["runs"]["lost"]) == (0, [])


def test_stop_and_start_loses_requests(test_host, bot, roll, tmp_path):
    """Restart the unit under the same load, for comparison: this proves that the load generator detects a loss."""
    unit = f"langgraph@{test_host.instance(NAME)}"
    with test_host.load(tmp_path, PORT, "--rate", "60", "--streams", "5,60", "--once", "--runs", "0") as load:
        time.sleep(PHASE_SECONDS / 4)
        load.mark("during").touch()
        test_host.host.check_output(f"systemctl restart {unit}")
        load.mark("after").touch()
        time.sleep(PHASE_SECONDS / 4)
    report(test_host, "stop-and-start", load)
    assert load.failed > 0
    assert load.report["streams"]["cut"] > 0
    roll(bot())
