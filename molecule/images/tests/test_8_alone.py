# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role image without deployments, as in its README."""

from __future__ import annotations

import json
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


def test_a_build_host_keeps_the_newest_builds(application):
    """Whatever their tags. One with another name, one in a container, one of the list, and one derived from a build stay."""
    done = {}
    try:
        for number in range(1, 7):
            entry = application(f"kept-bot:{number}", files={"RELEASE": str(number)})
            options = json.dumps({"builds": [entry], "keep": 2, "keep_names": ["kept-bot:4"]})
            module = ("ansible", "localhost", "-m", "selfhost.langgraph.image_build", "-a", options)
            foreseen = json.loads(command(*module, "--check").partition("=> ")[2])["pruned"]
            done[number] = json.loads(command(*module).partition("=> ")[2])["pruned"]
            # The engine refuses to remove an image that a container uses.
            assert set(foreseen) - {"kept-bot:2"} == set(done[number])
            if number == 1:
                command("docker", "tag", "kept-bot:1", "kept-bot:stable")
                command("sh", "-c", "printf 'FROM kept-bot:1\\nLABEL mine=1\\n' | docker build -t kept-bot:debug -")
            if number == 2:
                command("docker", "create", "--name", "selfhost-langgraph-kept", "kept-bot:2")
        assert done == {1: [], 2: [], 3: [], 4: [], 5: ["kept-bot:3"], 6: []}
        tags = command("docker", "images", "--format", "{{.Tag}}", "kept-bot").split()
        assert sorted(tags) == ["1", "2", "4", "5", "6", "debug", "stable"]
    finally:
        # By name: the engine refuses an id that two names have, or that a derived image needs.
        names = command("docker", "images", "--format", "{{.Repository}}:{{.Tag}}", "kept-bot").split()
        command("sh", "-c", 'docker rm -f selfhost-langgraph-kept; docker rmi -f "$@"; true', "sh", *names)
