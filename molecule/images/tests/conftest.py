# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of images share: the fleet, and applications that differ a little."""

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
    """The hosts. Images that the tests have built here go, those of the scenario with it."""
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
    """Make an application like the example, with some files and settings changed; give the entry that builds it."""

    def make(
        image: str, files: t.Mapping[str, str] | None = None, config: t.Any = None, **options: t.Any
    ) -> dict[str, t.Any]:
        folder = tmp_path / re.sub(r"\W+", "-", image)
        shutil.copytree(APPLICATION, folder)
        for name, text in (files or {}).items():
            (folder / name).write_text(text)
        if config is not None:
            known = json.loads((folder / "langgraph.json").read_text())
            text = config if isinstance(config, str) else json.dumps({**known, **config})
            (folder / "langgraph.json").write_text(text)
        entry = {"image": image, "folder": str(folder), "base_image": BASE, "pull": False, "network": "none"}
        return {**entry, **options}

    return make


@pytest.fixture
def bot(fleet: Fleet) -> t.Callable[..., list[dict[str, t.Any]]]:
    """The list with another image for one deployment."""

    def changed(name: str, image: str) -> list[dict[str, t.Any]]:
        return [{**item, "image": image} if item["name"] == name else item for item in fleet.deployments]

    return changed
