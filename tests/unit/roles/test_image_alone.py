# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role image without the role langgraph, as its README shows it, on hosts with fake modules."""

from __future__ import annotations

import hashlib
import re
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.selfhost.langgraph.tests.unit.roles.fake_fleet import ENGINE, ROOT, Fleet

pytestmark = pytest.mark.skipif(not (ROOT / "build/collections").exists(), reason="ansible-test has no build/")

IMAGE = "registry.example.org/support-bot:1.4.2"
DIGEST = f"registry.example.org/support-bot@sha256:{'a' * 64}"
ID, BUILT = f"sha256:{'1' * 64}", f"sha256:{'b' * 64}"
RESULT = {"name": "Check the result", "ansible.builtin.assert": {"that": "image_ids == expected_ids"}}


def documented() -> str:
    """Return the play of the README."""
    blocks = re.findall(r"```yaml\n(- hosts: .*?)```", (ROOT / "roles/image/README.md").read_text(), re.DOTALL)
    (text,) = blocks
    return text


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    """Return two hosts; the registry has the image."""
    found = Fleet(tmp_path, ["one", "two"])
    found.answers["registry_image_info"] = {
        "images": {IMAGE: {"digest": DIGEST, "size": 1, "architectures": ["amd64"]}}
    }
    return found


def play(fleet: Fleet, expected: dict[str, str], *arguments: str, need: t.Any = None, **variables: t.Any) -> str:
    """Run the documented play, perhaps with more about its image, and compare its result; return the output."""
    (shown,) = yaml.safe_load(documented())
    shown["roles"][0]["vars"]["image_needs"][0] |= need or {}
    variables = {"expected_ids": expected, **variables}
    # No engine of this machine has the images.
    done = fleet.play([{**shown, "vars": variables, "post_tasks": [RESULT]}], *arguments, DOCKER_HOST="unix:///nowhere")
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_the_play_has_five_lines() -> None:
    assert len(documented().splitlines()) == 5


def test_hosts_that_lack_the_image_pull_it_by_digest(fleet: Fleet) -> None:
    play(fleet, {IMAGE: DIGEST})
    assert len(fleet.asked("registry_image_info")) == 1
    assert [call["name"] for call in fleet.asked("docker_image_pull")] == [DIGEST, DIGEST]
    assert [call["repository"] for call in fleet.asked("docker_image_tag")] == [[IMAGE], [IMAGE]]
    # Read before the pull, and again for the ids.
    assert len(fleet.asked("image_info")) == 4
    assert fleet.asked("deployment_info") == []


def test_hosts_that_have_the_image_are_read_once(fleet: Fleet) -> None:
    fleet.answers["image_info"] = {"engine": {**ENGINE, "images": {IMAGE: ID, DIGEST: ID, ID: ID}}}
    play(fleet, {IMAGE: ID})
    assert len(fleet.asked("image_info")) == 2
    assert fleet.asked("docker_image_pull") + fleet.asked("docker_image_tag") == []


def test_a_name_that_stands_for_another_image_on_the_hosts(fleet: Fleet) -> None:
    """The fact has the image of the registry, and the name follows."""
    engine = {**ENGINE, "images": {IMAGE: BUILT, DIGEST: ID, ID: ID, BUILT: BUILT}}
    fleet.answers["image_info"] = {"engine": engine}
    play(fleet, {IMAGE: ID})
    assert [call["name"] for call in fleet.asked("docker_image_tag")] == [DIGEST, DIGEST]


def builds(fleet: Fleet, **options: t.Any) -> list[dict[str, t.Any]]:
    """Return a list of builds, of which the hosts need the first."""
    (fleet.directory / "app").mkdir()
    (fleet.directory / "app/langgraph.json").write_text("{}")
    made = {"image_id": BUILT, "action": "build", "digests": [], "architecture": "amd64", "content": "content:1"}
    fleet.answers["image_build"] = {"images": {IMAGE: {**made, "image": IMAGE}}}
    directory = {"directory": str(fleet.directory / "app")}
    return [{"image": IMAGE, **directory, **options}, {"image": "other:1", **directory}]


def test_the_image_is_built_once_if_it_has_a_build(fleet: Fleet) -> None:
    listed = builds(fleet, push=False, build_args={"A": "planted-argument"})
    output = play(fleet, {IMAGE: BUILT}, "--check", "-vv", image_builds=listed)
    (call,) = fleet.asked("image_build")
    assert [build["image"] for build in call["builds"]] == [IMAGE]
    assert "planted" not in output
    assert fleet.asked("registry_image_info") == []


def test_the_image_is_built_once_from_the_directory_that_its_entry_has(fleet: Fleet) -> None:
    """As the role langgraph passes the option `build` of a deployment."""
    entry = builds(fleet)[0]
    play(
        fleet,
        {IMAGE: BUILT},
        "--check",
        need={"build": entry["directory"]},
        image_builds=[{**entry, "image": "other:1"}],
    )
    (call,) = fleet.asked("image_build")
    assert [(build["image"], build["directory"]) for build in call["builds"]] == [(IMAGE, entry["directory"])]


def test_an_image_that_no_registry_has_is_not_looked_up(fleet: Fleet) -> None:
    """As the role langgraph passes an image that serves and was built or copied."""
    fleet.answers["image_info"] = {"engine": {**ENGINE, "images": {IMAGE: ID, ID: ID}}}
    play(fleet, {IMAGE: ID}, need={"pull": False})
    assert fleet.asked("registry_image_info") == []


def test_a_build_host_outside_of_the_play_gets_what_a_push_needs(tmp_path: Path, fleet: Fleet) -> None:
    """The credential helper, its configuration and the push are on that host, once."""
    fleet.hosts = ["one", "two", "builder"]
    text = (ROOT / "roles/packages/files/needrestart.conf").read_bytes()
    files = {"/etc/needrestart/conf.d/langgraph.conf": hashlib.sha256(text).hexdigest()}
    fleet.answers["packages_info"] = {"files": files, "missing": [], "hold": [], "held": [], "refusal": ""}
    (tmp_path / "logins").mkdir()
    variables = {
        "image_builds": builds(fleet),
        "image_build_host": "builder",
        "image_login_dir": str(tmp_path / "logins"),
        "image_registries": [{"registry": "registry.example.org", "credential_helper": "ecr-login"}],
    }
    output = play(fleet, {IMAGE: DIGEST}, "--limit", "one,two", **variables)
    delegated = dict(re.findall(r"TASK \[(?:\S+ : )?([^]]+)\] \*+\n(?:ok|changed): \[(one -> builder)", output))
    assert delegated.keys() >= {
        "Build the images",
        "Check for missing packages",
        "Log in to the registries on the build host",
        "Push the images",
        "Log out of the registries",
    }
    assert [call["name"] for call in fleet.asked("docker_image_push")] == [IMAGE]
    assert [call["names"] for call in fleet.asked("packages_info")] == [["amazon-ecr-credential-helper"]] * 3
    assert list((tmp_path / "logins").iterdir()) == []
