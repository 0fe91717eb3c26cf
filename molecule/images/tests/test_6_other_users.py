# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The user on the control node need not be root: builds, copies and pushes work, and no login is left."""

from __future__ import annotations

import re
import tempfile
import time
from pathlib import Path

import pytest
from fleet import HOSTS, PASSWORD, flat


@pytest.fixture
def tmp_path():
    """Create a directory that is not only for root, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="langgraph-user-") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@pytest.fixture
def home(tmp_path):
    """Create the home directory of a user who has none."""
    path = tmp_path / "home"
    path.mkdir()
    return path


def test_they_build_push_and_copy(fleet, application, home):
    images = {"pushed-bot": f"{fleet.pushed}:user", "shipped-bot": "shipped-bot:user"}
    builds = [application(image, {"RELEASE": f"{image} {time.time()}"}) for image in images.values()]
    wanted = [{**item, "image": images[item["name"]]} for item in fleet.deployments]
    done = fleet.play_as_user(home, image_builds=builds, langgraph_deployments=wanted)
    assert done.returncode == 0, done.stdout
    assert "Push the images" in done.stdout
    assert fleet.serving("pushed-bot")[HOSTS[0]]["image_digest"].startswith(f"{fleet.pushed}@sha256:")
    again = fleet.play_as_user(home, image_builds=builds, langgraph_deployments=wanted)
    assert re.findall(r"changed=(\d+)", again.stdout) == ["0"], again.stdout
    assert list(home.rglob("langgraph-registries*")) == []


def test_a_certificate_that_is_roots_to_trust_ends_in_one_line(fleet, application, home):
    trusted = Path("/etc/docker/certs.d", fleet.registry, "ca.crt")
    known = trusted.read_text()
    trusted.unlink()
    try:
        image = f"{fleet.pushed}:user-2"
        registry = {"registry": fleet.registry, "username": "langgraph", "password": PASSWORD, "ca_certificate": known}
        done = fleet.play_as_user(
            home,
            image_builds=[application(image, {"RELEASE": str(time.time())})],
            image_registries=[registry],
            langgraph_deployments=[{**fleet.deployments[0], "image": image}],
        )
    finally:
        trusted.write_text(known)
    assert done.returncode != 0
    says = (
        f"the certificate of the registry {fleet.registry} cannot be installed on localhost: run the play as root there, "
        f"or put it into {trusted} yourself"
    )
    assert says in flat(done.stdout), done.stdout
