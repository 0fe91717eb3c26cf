# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Loading from parts: what counts as there, and that nothing stays behind whatever the engine says."""

from __future__ import annotations

import hashlib
import os
import typing as t
from pathlib import Path

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.image_reference import content_of
from ansible_collections.selfhost.langgraph.plugins.module_utils._host import docker_engine
from ansible_collections.selfhost.langgraph.plugins.module_utils._host import spool as _spool
from ansible_collections.selfhost.langgraph.plugins.module_utils._images import load as image_load
from ansible_collections.selfhost.langgraph.plugins.module_utils._images.load import (
    LoadError,
    layers_there,
    load,
    waiting,
)

CONTENT = content_of(["other"], None, None)
# Wanted layers, those of an image of the engine, and how many of the first are the same.
COMMON = {
    ("abc", "abc"): 3,
    ("abc", "abcd"): 3,
    ("abcd", "abc"): 3,
    ("abc", "abd"): 2,
    ("abc", "xbc"): 0,
    ("abc", "bc"): 0,
    ("abc", "cba"): 0,
    ("abc", ""): 0,
    ("", "abc"): 0,
    ("aab", "ab"): 1,
}


@pytest.mark.parametrize(("wanted", "chain"), COMMON)
def test_only_a_common_beginning_counts(wanted: str, chain: str) -> None:
    assert image_load._common(list(wanted), list(chain)) == COMMON[wanted, chain]
    assert image_load._common(list(chain), list(wanted)) == COMMON[wanted, chain]


class Client:
    """An engine with images by name, each known by its layers."""

    def __init__(self, images: dict[str, str], driver: str = "", says: t.Sequence[dict[str, str]] = ()) -> None:
        self.known, self.driver, self.says = images, driver, says
        self.loaded = b""
        self.brings: dict[str, str] = {}

    def info(self) -> dict[str, t.Any]:
        return {"DriverStatus": [["Backing Filesystem", "extfs"], ["driver-type", self.driver]]}

    def images(self, **_how: bool) -> list[dict[str, t.Any]]:
        return [{"Id": f"sha256:{layers}", "RepoTags": [name]} for name, layers in self.known.items()]

    def inspect_image(self, image_id: str) -> dict[str, t.Any]:
        layers = image_id.removeprefix("sha256:")
        if layers not in self.known.values() or layers == "gone":
            raise docker_engine.docker.errors.NotFound("no such image")
        return {"Id": image_id, "RootFS": {"Layers": list(layers)}}

    def load_image(self, data: t.Iterable[bytes]) -> t.Iterator[dict[str, str]]:
        self.loaded = b"".join(data)
        yield from self.says
        self.known = {**self.known, **self.brings}


def wanted(layers: str) -> dict[str, t.Any]:
    return {"image_id": f"sha256:{layers}", "layers": list(layers)}


def test_the_image_that_has_most_of_the_layers_counts() -> None:
    client = Client({"a:1": "abx", "b:1": "abcx", "c:1": "zabc", "d:1": "gone"})
    images = [wanted("abcd"), wanted("zz"), wanted("q")]
    assert layers_there(client, images) == {"sha256:abcd": 3, "sha256:zz": 1, "sha256:q": 0}


def test_an_engine_without_images_has_no_layers() -> None:
    assert layers_there(Client({}), [wanted("abc")]) == {"sha256:abc": 0}


def test_the_store_of_containerd_needs_every_layer() -> None:
    client = Client({"a:1": "abc"}, driver="io.containerd.snapshotter.v1")
    assert layers_there(client, [wanted("abcd")]) == {"sha256:abcd": 0}


@pytest.fixture
def spool(tmp_path: Path) -> str:
    """Parts as they were shipped, and a file of copy that is none."""
    folder = tmp_path / "spool"
    folder.mkdir()
    for number in (2, 10, 1):
        (folder / f"part-{number:04d}").write_bytes(f"<{number}>".encode())
    (folder / ".part-0003.tmp").write_bytes(b"half")
    return str(folder)


def sent(spool: str) -> dict[str, str]:
    """The checksums of the parts."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in Path(spool).glob("part-*")}


def test_parts_are_loaded_in_their_order_and_removed(spool: str) -> None:
    client = Client({"a:1": "old"}, says=[{"stream": "Loaded image: a:1"}])
    client.brings = {"a:1": "new"}
    load(client, "a:1", "sha256:new", CONTENT, spool, sent(spool))
    assert client.loaded == b"<1><2><10>"
    assert not Path(spool).exists()


def test_large_parts_are_read_in_pieces(spool: str) -> None:
    content = os.urandom(3 * 1024 * 1024 + 5)
    Path(spool, "part-0001").write_bytes(content)
    client = Client({"a:1": "new"})
    load(client, "a:1", "sha256:new", CONTENT, spool, sent(spool))
    assert client.loaded == content + b"<2><10>"


def test_another_store_may_call_it_otherwise(spool: str) -> None:
    """As that of containerd: what is in it counts then."""
    client = Client({"a:1": "new"})
    load(client, "a:1", "sha256:what-the-archive-says", content_of(["n", "e", "w"], None, None), spool, sent(spool))


FAILURES: dict[str, tuple[t.Any, str]] = {
    "full disk": (
        [{"stream": "Loading layer"}, {"error": "write /var/lib/docker/tmp/x: no space left on device"}],
        "image 'a:1': the engine's disk was full during the load and nothing was kept; free some space",
    ),
    "refused": (
        [{"error": "open /var/lib/docker/tmp/docker-import-1/abc/json: no such file or directory"}],
        "image 'a:1': the engine could not load it (open /var/lib/docker/tmp/docker-import-1/abc/json: no such file or "
        "directory)",
    ),
    "gone": (
        docker_engine.docker.errors.DockerException("Connection aborted:\nRemote end closed"),
        "image 'a:1': the engine could not load it (the Docker engine cannot load the archive: Connection aborted: Remote "
        "end closed)",
    ),
    "broken pipe": (
        BrokenPipeError(32, "Broken pipe"),
        "image 'a:1': the engine could not load it (the Docker engine cannot load the archive: [Errno 32] Broken pipe)",
    ),
    "another image": ([], "image 'a:1': the loaded image does not have the expected id sha256:new"),
}


@pytest.mark.parametrize("title", FAILURES)
def test_what_goes_wrong_is_one_line_and_leaves_no_parts(title: str, spool: str) -> None:
    says, message = FAILURES[title]
    client = Client({"a:1": "old"}, says=says if isinstance(says, list) else [])
    if not isinstance(says, list):

        def refuse(_data: t.Iterable[bytes]) -> t.NoReturn:
            raise says

        client.load_image = refuse  # type: ignore[method-assign,assignment]
    with pytest.raises(LoadError) as error:
        load(client, "a:1", "sha256:new", CONTENT, spool, sent(spool))
    assert str(error.value) == message
    assert not Path(spool).exists()


def test_parts_that_arrived_as_they_were_sent(spool: str) -> None:
    expected = {f"part-{number:04d}": hashlib.sha256(f"<{number}>".encode()).hexdigest() for number in (1, 2, 10)}
    assert waiting(str(Path(spool).parent)) == {f"{spool}/{name}": found for name, found in expected.items()}


def damage(path: Path) -> None:
    path.write_bytes(b"<3>")


def link(path: Path) -> None:
    path.rename(path.with_name("of-another"))
    path.symlink_to(path.with_name("of-another"))


def link_without_end(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def give_away(path: Path) -> None:
    os.chown(path, 65534, 65534)


PLANTED = {
    "damaged": damage,
    "gone": Path.unlink,
    "a link to the same": link,
    "a link to a device": link_without_end,
    "a pipe": pipe,
    "of another user": give_away,
}


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize("plant", PLANTED.values(), ids=PLANTED)
def test_a_part_that_is_not_what_was_sent(plant: t.Callable[[Path], None], spool: str) -> None:
    """It goes, the others wait for the next run; nothing of it reaches the engine, and nothing hangs."""
    client, checksums, path = Client({}), sent(spool), Path(spool, "part-0002")
    plant(path)
    with pytest.raises(LoadError, match="^image 'a:1': a part of it was damaged in transit; run the play again$"):
        load(client, "a:1", "sha256:new", CONTENT, spool, checksums)
    assert (client.loaded, path.is_symlink() or path.exists()) == (b"", False)
    assert Path(spool, "part-0001").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_what_is_no_part_is_not_read(spool: str) -> None:
    """Nothing hangs on it either."""
    for number, plant in enumerate((link_without_end, pipe, give_away, link), 20):
        path = Path(spool, f"part-{number:04d}")
        path.write_bytes(b"x")
        plant(path)
    assert {Path(path).name for path in waiting(str(Path(spool).parent))} == {"part-0001", "part-0002", "part-0010"}


def test_what_was_checked_is_what_is_loaded(spool: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is put in the place of a part after it was looked at."""
    client, checksum = Client({"a:1": "new"}), _spool.checksum

    def look_and_swap(file: t.Any) -> str:
        found = checksum(file)
        path = Path(file.name if isinstance(file.name, str) else os.readlink(f"/proc/self/fd/{file.fileno()}"))
        path.with_name("evil").write_bytes(b"<evil>")
        path.with_name("evil").replace(path)
        return found

    checksums = sent(spool)
    monkeypatch.setattr(_spool, "checksum", look_and_swap)
    load(client, "a:1", "sha256:new", CONTENT, spool, checksums)
    assert client.loaded == b"<1><2><10>"


def test_nothing_waits_where_nothing_was_shipped(tmp_path: Path) -> None:
    assert waiting(str(tmp_path / "none")) == {}
