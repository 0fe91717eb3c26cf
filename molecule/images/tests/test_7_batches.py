# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays with serial, and hosts that run ahead."""

from __future__ import annotations

import re

from fleet import HOSTS, flat


def test_one_host_after_the_other_ends_on_the_same_images(fleet, application):
    """The first host builds, pushes and pins for both; the second one uses the result."""
    images = {"pushed-bot": f"{fleet.pushed}:batches", "shipped-bot": "shipped-bot:batches"}
    builds = [application(image, {"RELEASE": "in batches"}) for image in images.values()]
    wanted = [{**item, "image": images[item["name"]]} for item in fleet.deployments]
    variables = {"image_builds": builds, "langgraph_deployments": wanted}
    done = fleet.play(tasks="in_batches", **variables)
    assert done.returncode == 0, done.stdout
    for name in images:
        records = list(fleet.serving(name).values())
        assert {record["image"] for record in records} == {images[name]}
        assert len({(record["image_id"], record["image_digest"]) for record in records}) == 1
    again = fleet.play(tasks="in_batches", **variables)
    assert re.findall(r"changed=(\d+)", again.stdout) == ["0", "0"], again.stdout


def test_a_batch_that_fails_is_the_last(fleet, application):
    image = "shipped-bot:broken"
    broken = application(image, {"agent/graph.py": "raise RuntimeError('never healthy')"})
    listed = [{**item, "image": image} for item in fleet.deployments if item["name"] == "shipped-bot"]
    before = fleet.serving("shipped-bot")
    done = fleet.play(
        tasks="in_batches",
        image_builds=[broken],
        langgraph_deployments=listed,
        langgraph_healthy_deadline=30,
    )
    assert done.returncode != 0
    assert fleet.serving("shipped-bot") == before
    assert image in fleet.images()[HOSTS[0]]
    assert image not in fleet.images()[HOSTS[1]]


def test_hosts_out_of_step_are_refused(fleet):
    with fleet.unchanged():
        done = fleet.play(tasks="out_of_step")
    assert done.returncode != 0
    assert "the play has the strategy 'free', in which hosts do not wait for each other" in flat(done.stdout)
