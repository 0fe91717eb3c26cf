# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images that cannot be built, pulled or loaded are refused with one line with the reason, and nothing changes."""

from __future__ import annotations

import contextlib
import io
import json
import tarfile
import typing as t

import pytest
from fleet import HOSTS, REGISTRY_HOST, flat

# Title: the error in the application, and the message of the play.
BROKEN: dict[str, tuple[dict[str, t.Any], str]] = {
    "no-langgraph-json": (
        {"config": "other.json"},
        r"image_builds entry 1, option 'config': '\S+' has no file 'other.json'; set its path in the directory",
    ),
    "not-json": (
        {"text": '{"graphs": '},
        r"image_builds entry 1, option 'config': langgraph.json is not JSON .*; correct the file",
    ),
    "no-graphs": (
        {"text": '{"dependencies": ["."], "graphs": {}}'},
        r"image 'broken:1', option 'config': langgraph.json: Error: No graphs found in config",
    ),
    "graph-path-that-does-not-exist": (
        {"changes": {"graphs": {"agent": "./agent/nowhere.py:graph"}}},
        r"image 'broken:1', option 'config': langgraph.json: FileNotFoundError: Could not find local module: \S+nowhere.py",
    ),
    "dependency-that-does-not-exist": (
        {"changes": {"dependencies": [".", "./missing"]}},
        r"image 'broken:1', option 'config': langgraph.json: FileNotFoundError: Could not find local dependency: \S+missing",
    ),
    "no-such-base": (
        {"base_image": "selfhost-langgraph/no-such-base"},
        r"image 'broken:1', option 'base_image': the build host has no image 'selfhost-langgraph/no-such-base:3.11'; set pull",
    ),
}


@pytest.mark.parametrize("title", BROKEN)
def test_an_application_that_cannot_be_built(fleet, application, bot, title):
    broken, says = BROKEN[title]
    options = {key: value for key, value in broken.items() if key in ("config", "base_image")}
    entry = application("broken:1", config=broken.get("text") or broken.get("changes"))
    fleet.refused(says=says, image_builds=[{**entry, **options}], langgraph_deployments=bot("shipped-bot", "broken:1"))


def test_a_dependency_that_does_not_install_shows_its_last_lines(fleet, application, bot):
    entry = application("broken:1", config={"dependencies": [".", "no-such-package==7.7.7"]})
    output = fleet.refused(
        says="image 'broken:1': 'langgraph build' failed: .*no-such-package",
        image_builds=[entry],
        langgraph_deployments=bot("shipped-bot", "broken:1"),
    )
    log = flat(output.partition("log:")[2])
    assert "no-such-package" in log
    assert "uv pip install" in log


def test_a_tag_that_does_not_exist(fleet, bot):
    image = f"{fleet.pushed}:77"
    fleet.refused(
        says=f"deployment 'pushed-bot', option 'image': '{image}': the registry has no such image; check name and tag",
        image_builds=[],
        langgraph_deployments=bot("pushed-bot", image)[:1],
    )


def test_wrong_credentials(fleet):
    wrong = {"registry": fleet.registry, "username": "langgraph", "password": "PLANTED-wrong-password"}
    output = fleet.refused(
        "-vvv",
        says="deployment 'pushed-bot', option 'image': '[^']+': the registry refuses the login; set username and password",
        image_builds=[],
        image_registries=[wrong],
        langgraph_deployments=fleet.deployments[:1],
    )
    assert "PLANTED" not in output


def test_a_registry_that_cannot_be_reached(fleet):
    with stopped_registry(fleet):
        fleet.refused(
            says="option 'image': '[^']+': the registry cannot be reached from the host; check its name and port",
            image_builds=[],
            langgraph_deployments=fleet.deployments[:1],
        )


def test_a_certificate_that_is_not_trusted(fleet):
    path = f"/etc/docker/certs.d/{fleet.registry}"
    for host in HOSTS:
        fleet.on(host, "mv", path, f"{path}.away")
    try:
        fleet.refused(
            says="option 'image': '[^']+': the certificate of the registry is not trusted; set its CA as ca_certificate",
            image_builds=[],
            langgraph_deployments=fleet.deployments[:1],
        )
    finally:
        for host in HOSTS:
            fleet.on(host, "mv", f"{path}.away", path)


def test_an_archive_that_is_cut_short(fleet, bot, tmp_path):
    cut = tmp_path / "cut.tar"
    whole = fleet.archive.read_bytes()[:100_000_000]
    cut.write_bytes(whole)
    fleet.refused(
        says=r"image_archives: '\S+cut.tar' is not what 'docker save' writes \(unexpected end of data\)",
        image_archives=[str(cut)],
        image_builds=[],
        langgraph_deployments=bot("shipped-bot", "demo-agent:1")[1:],
    )


def test_an_archive_of_another_architecture(fleet, bot, tmp_path):
    path = tmp_path / "other.tar"
    machine = fleet.on(HOSTS[0], "uname", "-m")
    other, own = ("arm64", "amd64") if machine == "x86_64" else ("amd64", "arm64")
    write_archive(path, "other:1", other)
    fleet.refused(
        says=f"deployment 'shipped-bot', option 'image': 'other:1' is built for {other}, but the host is {own}; build it for",
        image_archives=[str(path)],
        image_builds=[],
        langgraph_deployments=bot("shipped-bot", "other:1")[1:],
    )


@contextlib.contextmanager
def stopped_registry(fleet):
    fleet.on(REGISTRY_HOST, "systemctl", "stop", "docker-registry")
    try:
        yield
    finally:
        fleet.on(REGISTRY_HOST, "systemctl", "start", "docker-registry")


def write_archive(path, image, architecture):
    """Write an archive that contains only its metadata with the architecture."""
    name = f"{'7' * 64}.json"
    config = json.dumps({"architecture": architecture, "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}})
    manifest = json.dumps([{"Config": name, "RepoTags": [image], "Layers": []}])
    with tarfile.open(path, "w") as archive:
        for member, text in ((name, config), ("manifest.json", manifest)):
            info = tarfile.TarInfo(member)
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
