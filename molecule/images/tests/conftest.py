# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shared fixtures of the image tests: the fleet, and variants of the example application."""

from __future__ import annotations

import json
import re
import shutil
import typing as t
from pathlib import Path

import pytest
from fleet import APPLICATION, BASE, Fleet, command


@pytest.fixture(scope="session")
def fleet() -> t.Iterator[Fleet]:
    """Return the hosts; afterwards remove the images that the tests have built on this machine, except the scenario's."""
    found = Fleet()
    yield found
    filters = [f"--filter=reference={name}" for name in ("shipped-bot", "*/team/*", "langgraph-build")]
    names = command("docker", "images", *filters, "--format", "{{.Repository}}:{{.Tag}}").split()
    kept = {build["image"] for build in found.variables["image_builds"]}
    left = [name for name in names if name not in kept and "<none>" not in name]
    if left:
        command("docker", "rmi", "-f", *left)


@pytest.fixture
def application(tmp_path: Path) -> t.Callable[..., dict[str, t.Any]]:
    """Create a copy of the example application with changed files and settings; return the entry that builds it."""

    def make(
        image: str, files: t.Mapping[str, str] | None = None, config: t.Any = None, **options: t.Any
    ) -> dict[str, t.Any]:
        directory = tmp_path / re.sub(r"\W+", "-", image)
        shutil.copytree(APPLICATION, directory)
        for name, text in (files or {}).items():
            (directory / name).write_text(text)
        if config is not None:
            known = json.loads((directory / "langgraph.json").read_text())
            text = config if isinstance(config, str) else json.dumps({**known, **config})
            (directory / "langgraph.json").write_text(text)
        entry = {"image": image, "directory": str(directory), "base_image": BASE, "pull": False, "network": "none"}
        return {**entry, **options}

    return make


@pytest.fixture
def bot(fleet: Fleet) -> t.Callable[..., list[dict[str, t.Any]]]:
    """Return the list with another image for one deployment."""

    def changed(name: str, image: str) -> list[dict[str, t.Any]]:
        return [{**item, "image": image} if item["name"] == name else item for item in fleet.deployments]

    return changed
