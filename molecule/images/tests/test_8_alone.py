# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role image without deployments, as in its README."""

from __future__ import annotations

import re

import pytest
from fleet import HOSTS, command, flat


@pytest.fixture
def wanted(fleet, tmp_path):
    """Push an image that no deployment runs; return the variables of the role, and remove the image from the hosts."""
    image = f"{fleet.pushed}:alone"
    command("docker", "build", "-q", "-t", image, "-", input="FROM demo-agent:1\nLABEL alone=1\n")
    with fleet.login(tmp_path) as environment:
        command("docker", "push", "-q", image, env=environment)
    yield {"applied_role": "image", "image_builds": [], "image_needs": [{"image": image}]}
    for host in HOSTS:
        fleet.on(host, "sh", "-c", f"docker rmi -f {image}; true")


def test_every_host_gets_the_same_image_and_no_container_changes(fleet, wanted):
    image, containers = wanted["image_needs"][0]["image"], fleet.containers()
    with fleet.unchanged():
        planned = fleet.play("--check", tasks="role", **wanted)
    assert planned.returncode == 0, planned.stdout
    done = fleet.play(tasks="role", **wanted)
    assert done.returncode == 0, done.stdout
    assert len({images[image] for images in fleet.images().values()}) == 1
    assert fleet.containers() == containers
    again = fleet.play(tasks="role", **wanted)
    assert re.findall(r"changed=(\d+)", again.stdout) == ["0", "0"], again.stdout


def test_an_image_that_no_registry_has_is_refused(fleet, wanted):
    image = f"{fleet.pushed}:none"
    with fleet.unchanged():
        done = fleet.play(tasks="role", **{**wanted, "image_needs": [{"image": image}]})
    assert done.returncode != 0
    assert f"option 'image': '{image}': the registry has no such image; check name and tag" in flat(done.stdout)
