# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""All hosts run exactly the same image, regardless of its source and of changes of its tag."""

from __future__ import annotations

import re

import pytest
from fleet import HOSTS, REGISTRY_HOST, command, flat

from playbooks import PROJECT


@pytest.mark.essential
def test_both_hosts_run_the_same_image_by_digest(fleet):
    for name, came_from in (("pushed-bot", fleet.pushed), ("shipped-bot", None)):
        records = list(fleet.serving(name).values())
        assert records[0]["image_id"] == records[1]["image_id"]
        assert records[0]["image_digest"] == records[1]["image_digest"]
        assert (records[0]["image_digest"] or "").partition("@")[0] == (came_from or "")


@pytest.mark.essential
def test_they_serve(fleet):
    for host in HOSTS:
        for port in (8131, 8132):
            answer = fleet.on(host, "curl", "-sf", f"http://127.0.0.1:{port}/ok?check_db=1")
            assert '"ok":true' in answer


@pytest.mark.essential
def test_nobody_is_left_logged_in(fleet):
    for host in HOSTS:
        places = "find /run/langgraph-registries -mindepth 1 2>/dev/null; ls -d /root/.docker 2>/dev/null; true"
        found = fleet.on(host, "sh", "-c", places)
        assert found == ""
    places = f"/run {PROJECT}/build/ansible/tmp ${{XDG_RUNTIME_DIR:-/run}}"
    assert command("sh", "-c", f"find {places} -maxdepth 1 -name 'langgraph-registr*'") == ""


@pytest.mark.essential
def test_files_of_the_registry_are_for_its_own_user(fleet):
    shown = fleet.on(
        REGISTRY_HOST, "sh", "-c", "cd /etc/docker/registry && stat -c '%n %U:%G %a' users own own/* tls.pem"
    )
    modes = dict(line.split(" ", 1) for line in shown.splitlines())
    assert {modes.pop(name) for name in ("users", "tls.pem")} == {"root:docker-registry 640"}
    assert modes.pop("own") == "root:root 700"
    assert "own/key.pem" in modes
    assert set(modes.values()) == {"root:root 600"}
    assert fleet.on(REGISTRY_HOST, "cat", "/etc/docker/registry/users").partition(":")[2].startswith("$2y$")


@pytest.mark.essential
def test_a_moved_tag_is_one_change_that_the_plan_shows(fleet, tmp_path):
    """Another image is pushed under the same tag: both hosts get that one, and the plan has both digests."""
    old = fleet.serving("pushed-bot")[HOSTS[0]]
    tag = f"{fleet.pushed}:1"
    command(
        "docker", "build", "-q", "-t", tag, "-", input=f"FROM {tag}\nLABEL moved=1\n", env=_environment(fleet, tmp_path)
    )
    with fleet.login(tmp_path) as environment:
        command("docker", "push", "-q", tag, env=environment)
    new = _digest(tag)
    expected = f"image {_short(old['image_digest'])} to {_short(new)}"

    with fleet.unchanged():
        planned = fleet.play("--check", "--diff", image_builds=_without(fleet, "pushed-bot"))
    assert planned.returncode == 0, planned.stdout
    assert f"pushed-bot: roll to revision {old['number'] + 1} ({expected})" in flat(planned.stdout)
    assert re.search(rf'^-.*"image_digest": "{old["image_digest"]}"', planned.stdout, re.MULTILINE)
    assert re.search(rf'^\+.*"image_digest": "{new}"', planned.stdout, re.MULTILINE)

    done = fleet.play(image_builds=_without(fleet, "pushed-bot"))
    assert done.returncode == 0, done.stdout
    assert flat(done.stdout).count(expected) == len(HOSTS)
    assert {record["image_digest"] for record in fleet.serving("pushed-bot").values()} == {new}
    again = fleet.play(image_builds=_without(fleet, "pushed-bot"))
    assert re.findall(r"changed=(\d+)", again.stdout) == ["0", "0"]


def test_a_host_that_lags_behind_is_brought_to_the_others(fleet):
    """With `missing`, the tag is resolved if hosts have different images under it, and not if they have the same."""
    late, tag = HOSTS[1], f"{fleet.pushed}:1"
    fleet.on(late, "docker", "tag", "shipped-bot:1", tag)
    done = fleet.play(image_builds=_without(fleet, "pushed-bot"), image_pull="missing")
    assert done.returncode == 0, done.stdout
    assert len({images[tag] for images in fleet.images().values()}) == 1
    fleet.on(REGISTRY_HOST, "systemctl", "stop", "docker-registry")
    try:
        agreed = fleet.play(image_builds=_without(fleet, "pushed-bot"), image_pull="missing")
    finally:
        fleet.on(REGISTRY_HOST, "systemctl", "start", "docker-registry")
    assert agreed.returncode == 0, agreed.stdout


def test_an_unchanged_directory_is_not_built_again(fleet, application):
    """A changed directory is built, the layers that the hosts lack are copied, and the deployments roll."""
    before = {image: command("docker", "inspect", "-f", "{{.Id}}", image) for image in ("shipped-bot:1",)}
    done = fleet.play(image_builds=[_entry(fleet, "shipped-bot")], langgraph_deployments=fleet.deployments[1:])
    assert done.returncode == 0, done.stdout
    assert re.findall(r"changed=(\d+)", done.stdout) == ["0", "0"]
    assert {image: command("docker", "inspect", "-f", "{{.Id}}", image) for image in before} == before

    changed = application("shipped-bot:1", files={"NOTES": "a second release"})
    done = fleet.play("-v", image_builds=[changed], langgraph_deployments=fleet.deployments[1:])
    assert done.returncode == 0, done.stdout
    shipped = [int(size) for size in re.findall(r"shipped: (\d+)", done.stdout)]
    # The layers of the base image, 450 MB, already exist.
    assert len(shipped) == len(HOSTS), done.stdout
    assert max(shipped) < 10_000_000
    assert len({record["image_id"] for record in fleet.serving("shipped-bot").values()}) == 1


def _entry(fleet, name):
    return next(build for build in fleet.variables["image_builds"] if name in build["image"])


def _without(fleet, name):
    return [build for build in fleet.variables["image_builds"] if name not in build["image"]]


def _environment(fleet, directory):
    with fleet.login(directory) as environment:
        return {**environment, "DOCKER_BUILDKIT": "0"}


def _digest(tag):
    digests = command("docker", "inspect", "-f", '{{join .RepoDigests " "}}', tag).split()
    return next(digest for digest in digests if digest.startswith(tag.rpartition(":")[0] + "@"))


def _short(digest):
    return digest.partition("sha256:")[2][:12]
