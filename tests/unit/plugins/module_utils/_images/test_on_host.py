# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The images of a host, with or without an engine."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._host import disk, docker_engine
from ansible_collections.selfhost.langgraph.plugins.module_utils._images import on_host
from ansible_collections.selfhost.langgraph.plugins.module_utils._images.on_host import certificates, read_engine

IDS = {"bot:1": "sha256:1", "sha256:1": "sha256:1", "two:1": "sha256:2", "gone:1": "sha256:3"}
# An image may be removed between the two requests.
CONTENTS = {"sha256:1": "content:1", "sha256:2": "content:2", "sha256:3": None}


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the host have an engine with images."""
    monkeypatch.setattr(docker_engine, "DOCKER_IMPORT_ERROR", None)
    monkeypatch.setattr(docker_engine, "connect", lambda: None)
    monkeypatch.setattr(docker_engine, "engine", lambda _client: {"architecture": "arm64", "root": "/srv/docker"})
    monkeypatch.setattr(docker_engine, "image_ids", lambda _client: dict(IDS))
    monkeypatch.setattr(docker_engine, "published_ports", lambda _client: [{"port": 80}])
    monkeypatch.setattr(docker_engine, "content", lambda _client, image: CONTENTS[image])
    monkeypatch.setattr(disk, "free_bytes", len)


def test_references_and_contents(engine: None) -> None:
    assert read_engine() == {
        "images": IDS,
        "architecture": "arm64",
        "root": "/srv/docker",
        "free": len("/srv/docker"),
        "certificates": certificates(),
        "published": [{"port": 80}],
    }
    # Only of the named images: each one costs a request.
    assert read_engine(["bot:1", "gone:1", "none:1"])["images"] == {**IDS, "content:1": "sha256:1"}


def test_a_host_without_an_engine(engine: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> t.NoReturn:
        raise docker_engine.EngineError("does not answer")

    monkeypatch.setattr(docker_engine, "connect", refuse)
    found = read_engine(["bot:1"])
    assert (found["images"], found["root"], found["free"], found["published"]) == ({}, None, None, [])
    assert found["architecture"] == docker_engine.architecture(os.uname().machine)
    monkeypatch.setattr(docker_engine, "DOCKER_IMPORT_ERROR", "no module")
    assert read_engine(["bot:1"]) == found


def test_an_engine_that_cannot_list_its_containers_has_its_images(
    engine: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_client: t.Any) -> t.NoReturn:
        raise docker_engine.EngineError("one hangs")

    monkeypatch.setattr(docker_engine, "published_ports", refuse)
    assert (read_engine()["images"], read_engine()["published"]) == (IDS, [])


def test_certificates_of_registries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "registry.example:5000/ca.crt"
    path.parent.mkdir()
    path.touch()
    monkeypatch.setattr(on_host, "fingerprint", lambda found: f"hash of {Path(found).name}")
    assert certificates(str(tmp_path)) == {"registry.example:5000": "hash of ca.crt"}
    assert certificates(str(tmp_path / "none")) == {}
