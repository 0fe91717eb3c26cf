# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Transfer the missing layers in parts, into one directory per image, or nothing if the host has no space."""

from __future__ import annotations

import functools
import io
import json
import shutil
import tarfile
import typing as t
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible.errors import AnsibleActionFail

from ansible_collections.selfhost.langgraph.plugins.action import image_load as action
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.image_reference import normal_reference
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._images.archive import write_parts
from ansible_collections.selfhost.langgraph.tests.unit.plugins.plugin_utils._images.image_files import (
    Image,
    classic,
    layer,
    oci,
    sha,
    write,
)

BOT = Image(["bot:1", "bot:latest"], [layer("base"), layer("tools", 50_000), layer("app")])
OTHER = Image(["other:1"], [layer("base"), layer("other")])


SPOOL = "/var/lib/langgraph/spool"


class Host:
    """The modules of a host: their calls, and the transferred parts."""

    def __init__(self, directory: Path, images: dict[str, str], layers: t.Sequence[str] = (), **facts: t.Any) -> None:
        self.directory, self.images, self.layers = directory, images, list(layers)
        self.facts = {"root": "/var/lib/docker", "free": 10**9, "spool": SPOOL, "spool_free": None, **facts}
        self.calls: list[str] = []
        self.fails_at_part: int | None = None
        self.shipped: list[str] = []
        self.arrived = directory / "arrived"
        self.arrived.mkdir(parents=True)

    def module(self, name: str, arguments: dict[str, t.Any], _vars: t.Any) -> dict[str, t.Any]:
        self.calls.append(name)
        if name == "image_layers_info":
            there = {}
            for image in arguments["images"]:
                pairs = list(zip(image["layers"], self.layers))
                there[image["image_id"]] = next((n for n, (a, b) in enumerate(pairs) if a != b), len(pairs))
            present = [
                image["image"] for image in arguments["images"] if self.images.get(image["image"]) == image["image_id"]
            ]
            return {"present": present, "there": there, "spooled": self.waiting(), **self.facts}
        for item in arguments["images"]:
            waiting = {
                Path(path).name: found for path, found in self.waiting().items() if path.startswith(item["spool"])
            }
            assert waiting == item["checksums"]
            self._load(item)
        return {}

    def waiting(self) -> dict[str, str]:
        """Return the parts on the host, with their checksums."""
        parts = sorted(self.directory.glob("var/**/part-*"))
        return {f"/{part.relative_to(self.directory)}": sha(part.read_bytes()) for part in parts}

    def _path(self, path: str) -> Path:
        return self.directory / path.removeprefix("/")

    def _load(self, item: dict[str, t.Any]) -> None:
        """Load an archive like the engine, which needs no files for layers that it has."""
        parts = sorted(self._path(item["spool"]).iterdir())
        with tarfile.open(fileobj=io.BytesIO(b"".join(part.read_bytes() for part in parts))) as archive:
            (entry,) = json.loads(archive.extractfile("manifest.json").read())  # type: ignore[union-attr]
            names = archive.getnames()
        assert entry["RepoTags"] == [item["image"]]
        missing = [name for name in entry["Layers"] if name not in names]
        assert all(f"sha256:{name.removesuffix('.tar')}" in self.layers for name in missing)
        self.images[item["image"]] = f"sha256:{entry['Config'].removesuffix('.json')}"
        shutil.rmtree(self._path(item["spool"]))

    def move_to_spool(self, part: str, spool: str) -> None:
        """Move a part like a shell on the host."""
        self._path(spool).mkdir(exist_ok=True, parents=True)
        Path(part).rename(self._path(spool) / Path(part).name)

    def upload(self, source: str, name: str) -> str:
        """Copy a file like the connection."""
        if len(self.shipped) + 1 == self.fails_at_part:
            raise AnsibleActionFail("lost")
        self.shipped.append(name)
        return shutil.copy(source, self.arrived / name)


class Plugin(action.ActionModule):
    """The action without Ansible."""

    def __init__(self, host: Host, check_mode: bool) -> None:
        self._task: t.Any = SimpleNamespace(check_mode=check_mode)
        self.host = host

    def _module(self, name: str, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        return self.host.module(name, arguments, task_vars)

    def _upload(self, source: str, name: str) -> str:
        return self.host.upload(source, name)

    def _move_to_spool(self, image: str, part: str, spool: str) -> None:
        self.host.move_to_spool(part, spool)


@pytest.fixture
def archive(tmp_path: Path) -> str:
    return write(tmp_path / "images.tar", classic(BOT, OTHER))


def transfer(host: Host, path: str, *images: str, check_mode: bool = False) -> dict[str, t.Any]:
    wanted = [{"archive": path, "image": image, "deployments": [f"d-{image}"]} for image in images]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(action, "find_file", lambda _action, name, _vars: name if Path(name).exists() else None)
        return Plugin(host, check_mode)._transfer(wanted, {"inventory_hostname": "h"})


def ids(*contents: bytes) -> list[str]:
    return [f"sha256:{sha(content)}" for content in contents]


def test_missing_layers_are_shipped_and_loaded(tmp_path: Path, archive: str) -> None:
    host = Host(tmp_path / "host", {}, ids(BOT.layers[0]))
    result = transfer(host, archive, "bot:1", "docker.io/library/other:1")
    assert host.images == {"bot:1": BOT.image_id, "other:1": OTHER.image_id}
    assert result["changed"] is True
    assert result["images"][0] == {
        "image": "bot:1",
        "image_id": BOT.image_id,
        "layers": 3,
        "layers_there": 1,
        "shipped": len(BOT.layers[1]) + len(BOT.layers[2]),
    }
    assert transfer(host, archive, "bot:1", "other:1") == {"changed": False, "images": []}


@pytest.mark.parametrize("images", [("bot:1", "bot:latest"), ("bot", "bot:1", "other:1")])
def test_two_names_of_one_image(images: tuple[str, ...], tmp_path: Path, archive: str) -> None:
    """Each has its own archive; their parts must not be mixed."""
    host = Host(tmp_path / "host", {})
    transfer(host, archive, *images)
    assert {host.images[normal_reference(image)] for image in images[:2]} == {BOT.image_id}


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Split archives into several parts."""
    monkeypatch.setattr(action, "write_parts", functools.partial(write_parts, part_size=20_480))


@pytest.mark.usefixtures("small_parts")
def test_parts_of_a_broken_transfer_are_not_sent_again(tmp_path: Path, archive: str) -> None:
    whole = Host(tmp_path / "whole", {})
    transfer(whole, archive, "bot:1")
    assert len(whole.shipped) > 3
    host = Host(tmp_path / "host", {})
    host.fails_at_part = 4
    with pytest.raises(AnsibleActionFail, match="lost"):
        transfer(host, archive, "bot:1")
    assert [Path(path).name for path in host.waiting()] == whole.shipped[:3]
    damaged = host.directory / next(iter(host.waiting())).removeprefix("/")
    damaged.write_bytes(b"damaged")
    host.fails_at_part, host.shipped = None, []
    transfer(host, archive, "bot:1")
    assert host.shipped == [whole.shipped[0], *whole.shipped[3:]]
    assert host.images == {"bot:1": BOT.image_id}


@pytest.mark.usefixtures("small_parts")
def test_all_parts_are_on_the_host_already(tmp_path: Path, archive: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The previous run was killed before it loaded the image."""
    host = Host(tmp_path / "host", {})
    with monkeypatch.context() as patch:
        patch.setattr(host, "_load", lambda _item: None)
        transfer(host, archive, "bot:1")
    assert (host.images, len(host.waiting())) == ({}, len(host.shipped))
    host.shipped = []
    transfer(host, archive, "bot:1")
    assert (host.images, host.shipped) == ({"bot:1": BOT.image_id}, [])


@pytest.mark.usefixtures("small_parts")
def test_with_other_existing_layers_the_parts_differ(tmp_path: Path, archive: str) -> None:
    host = Host(tmp_path / "host", {})
    host.fails_at_part = 4
    with pytest.raises(AnsibleActionFail):
        transfer(host, archive, "bot:1")
    host.fails_at_part, host.shipped, host.layers = None, [], ids(BOT.layers[0])
    transfer(host, archive, "bot:1")
    assert host.images == {"bot:1": BOT.image_id}
    assert len(host.waiting()) == 3


def test_one_part_takes_one_call(tmp_path: Path, archive: str) -> None:
    """A release has a few MB, and each module call takes as long as sending them."""
    host = Host(tmp_path / "host", {}, ids(*BOT.layers[:2]))
    transfer(host, archive, "bot:1")
    assert host.calls == ["image_layers_info", "image_load"]


def test_check_mode_reports_and_ships_nothing(tmp_path: Path, archive: str) -> None:
    host = Host(tmp_path / "host", {"bot:1": "sha256:older"})
    result = transfer(host, archive, "bot:1", check_mode=True)
    assert (result["changed"], [item["image_id"] for item in result["images"]]) == (True, [BOT.image_id])
    assert (host.shipped, host.images) == ([], {"bot:1": "sha256:older"})
    assert set(host.calls) == {"image_layers_info"}


def test_an_image_that_is_not_in_the_archive(tmp_path: Path, archive: str) -> None:
    with pytest.raises(AnsibleActionFail) as error:
        transfer(Host(tmp_path, {}), archive, "bot:2")
    assert f"image_archives: '{archive}' has no image 'bot:2'; it has bot:1, bot:latest, other:1" in str(error.value)


SHIPPED = sum(len(content) for content in BOT.layers)
# Free space of the engine and of the spool (None: the same disk), and which of them is too small.
SPACES: dict[str, tuple[int, int | None, str | None]] = {
    "enough on one disk": (3 * SHIPPED, None, None),
    "one byte too little": (3 * SHIPPED - 1, None, "/var/lib/docker"),
    "enough on two": (2 * SHIPPED, SHIPPED, None),
    "the engine's is too small": (2 * SHIPPED - 1, SHIPPED, "/var/lib/docker"),
    "that of the parts is too small": (2 * SHIPPED, SHIPPED - 1, SPOOL),
    "none at all": (0, None, "/var/lib/docker"),
}


@pytest.mark.parametrize("title", SPACES)
@pytest.mark.parametrize("check_mode", [False, True])
def test_space(title: str, check_mode: bool, tmp_path: Path) -> None:
    free, spool_free, directory = SPACES[title]
    path = write(tmp_path / "images.tar", oci(BOT))
    host = Host(tmp_path / "host", {}, free=free, spool_free=spool_free)
    if directory is None:
        assert transfer(host, path, "bot:1", check_mode=check_mode)["changed"] is True
        return
    with pytest.raises(AnsibleActionFail) as error:
        transfer(host, path, "bot:1", check_mode=check_mode)
    assert "deployment 'd-bot:1', option 'image': loading it requires " in str(error.value)
    assert f" in {directory}, but the host has " in str(error.value)
    assert host.shipped == []


def test_nothing_is_left_on_the_control_node(tmp_path: Path, archive: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    host = Host(tmp_path / "host", {})
    transfer(host, archive, "bot:1")
    host.images, host.fails_at_part = {}, len(host.shipped) + 1
    with pytest.raises(AnsibleActionFail):
        transfer(host, archive, "bot:1")
    assert list((tmp_path / "tmp").iterdir()) == []
