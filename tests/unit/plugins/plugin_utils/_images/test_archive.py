# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Image archives in both layouts: their contents, and parts of them without the layers that a host has."""

from __future__ import annotations

import gzip
import io
import json
import random
import tarfile
import typing as t
from pathlib import Path

import pytest

from ansible_collections.selfhost.langgraph.plugins.plugin_utils._images.archive import (
    ArchivedImage,
    ArchiveError,
    archive_images,
    shipped_size,
    write_parts,
)
from ansible_collections.selfhost.langgraph.tests.unit.plugins.plugin_utils._images.image_files import (
    LAYOUTS,
    Image,
    classic,
    layer,
    oci,
    sha,
    tar_bytes,
    write,
)

BOT = Image(["bot:1", "bot:latest"], [layer("base"), layer("tools", 9000), layer("app")])
OTHER = Image(["example.org:5000/team/other:2"], [layer("base"), layer("other")], "arm64")
UNNAMED = Image(None)

Layout = t.Callable[..., "dict[str, bytes | str]"]
both = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)


@both
def test_contents_of_an_archive(layout: Layout, tmp_path: Path) -> None:
    found = archive_images(write(tmp_path / "a.tar", layout(BOT, OTHER, UNNAMED)))
    assert {name: image.image_id for name, image in found.items()} == {
        "bot:1": BOT.image_id,
        "bot:latest": BOT.image_id,
        "example.org:5000/team/other:2": OTHER.image_id,
    }
    assert found["bot:1"].architecture == "amd64"
    assert found["example.org:5000/team/other:2"].architecture == "arm64"
    layers = found["bot:1"].layers
    assert [item.diff_id for item in layers] == [f"sha256:{sha(content)}" for content in BOT.layers]
    assert [item.size for item in layers] == [len(content) for content in BOT.layers]


@both
def test_names_are_as_the_engine_lists_them(layout: Layout, tmp_path: Path) -> None:
    path = write(tmp_path / "a.tar", layout(Image(["docker.io/library/bot:1"])))
    assert list(archive_images(path)) == ["bot:1"]


def test_a_layer_that_is_a_link_has_the_size_of_its_target(tmp_path: Path) -> None:
    """The second image shares its first layer, which the classic layout writes once."""
    path = write(tmp_path / "a.tar", classic(BOT, OTHER))
    first = archive_images(path)["example.org:5000/team/other:2"].layers[0]
    with tarfile.open(path) as archive:
        assert archive.getmember(first.member).issym()
    assert first.size == len(BOT.layers[0])


def test_compressed(tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(tar_bytes(classic(BOT))))
    assert archive_images(str(tmp_path / "a.tar.gz"))["bot:1"].image_id == BOT.image_id


def test_missing_file() -> None:
    with pytest.raises(ArchiveError, match="image_archives: there is no file '/no/such.tar' on the control"):
        archive_images("/no/such.tar")


def changed(**changes: t.Any) -> bytes:
    """Return an archive with a changed entry in its manifest."""
    files = classic(BOT)
    content = files["manifest.json"]
    assert isinstance(content, bytes)
    (entry,) = json.loads(content)
    return tar_bytes({**files, "manifest.json": json.dumps([{**entry, **changes}]).encode()})


def broken() -> dict[str, bytes]:
    whole = tar_bytes({"layer": bytes(range(256)) * 400, "manifest.json": b"[]"})
    return {
        "empty": b"",
        "not a tar file": b"PK\x03\x04 something else",
        "cut short": whole[:700],
        "compressed and cut short": gzip.compress(whole)[:300],
        "compressed and damaged": gzip.compress(whole)[:200] + b"\0" * 200,
        "no manifest": tar_bytes({"readme": b"hello"}),
        "manifest is a mapping": tar_bytes({"manifest.json": b'{"a": 1}'}),
        "manifest is cut short": tar_bytes({"manifest.json": b'[{"Con'}),
        "manifest of numbers": tar_bytes({"manifest.json": b"[1]"}),
        "manifest is a directory": tar_bytes({"manifest.json": "elsewhere"}),
        "tags are numbers": changed(RepoTags=[1]),
        "no configuration": changed(Config=f"{'1' * 64}.json"),
        "configuration is another file": changed(Config="manifest.json"),
        "image without an id": tar_bytes(
            {"x.json": BOT.config, "manifest.json": b'[{"Config": "x.json", "RepoTags": ["a"], "Layers": [1, 2, 3]}]'}
        ),
        "no layers": changed(Layers=None),
        "fewer layers": changed(Layers=[name for name in classic(BOT) if name.endswith("/layer.tar")][:2]),
        "layers that are not there": changed(Layers=["a", "b", "c"]),
    }


@pytest.mark.parametrize("title", broken())
def test_broken_archives_are_refused_with_one_line(title: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.tar"
    path.write_bytes(broken()[title])
    with pytest.raises(ArchiveError) as error:
        archive_images(str(path))
    message = str(error.value)
    assert message.startswith(f"image_archives: '{path}' is not what 'docker save' writes (")
    assert "\n" not in message


@both
def test_an_archive_truncated_anywhere_is_refused(layout: Layout, tmp_path: Path) -> None:
    """At the beginning of each header, within it, and in the middle of the data after it."""
    whole = tar_bytes(layout(BOT, OTHER))
    with tarfile.open(fileobj=io.BytesIO(whole)) as archive:
        members = archive.getmembers()
    places = {place for item in members for place in (item.offset, item.offset + 300, item.offset_data)}
    places |= {item.offset_data + item.size // 2 for item in members if item.size}
    path = tmp_path / "cut.tar"
    for place in sorted(places):
        path.write_bytes(whole[:place])
        with pytest.raises(ArchiveError):
            archive_images(str(path))
    path.write_bytes(whole)
    assert len(archive_images(str(path))) == 3


def test_a_compressed_archive_truncated_anywhere_is_refused(tmp_path: Path) -> None:
    """Except in its last bytes, which are zeros after the last file and a checksum."""
    noise = random.Random(1).randbytes
    whole = gzip.compress(
        tar_bytes(oci(Image(["bot:1"], [tar_bytes({"a": noise(20000)}), tar_bytes({"b": noise(9)})])))
    )
    path = tmp_path / "cut.tar.gz"
    for place in range(0, len(whole) - 100, 401):
        path.write_bytes(whole[:place])
        with pytest.raises(ArchiveError):
            archive_images(str(path))


def test_a_directory_is_not_an_archive(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="is not what 'docker save' writes"):
        archive_images(str(tmp_path))


class Parts:
    """Collects the parts, like the host."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.parts: list[bytes] = []

    def __call__(self, path: str) -> None:
        assert Path(path).name == f"part-{len(self.parts) + 1:04d}"
        # Only the part that is being transferred uses disk space.
        assert [str(file) for file in self.directory.iterdir()] == [path]
        self.parts.append(Path(path).read_bytes())


def parts(path: str, there: int, directory: Path, reference: str = "bot:1", part_size: int = 2500) -> list[bytes]:
    directory.mkdir(exist_ok=True)
    taken = Parts(directory)
    write_parts(path, reference, there, str(directory), taken, part_size)
    assert list(directory.iterdir()) == []
    return taken.parts


@both
@pytest.mark.parametrize("there", range(4))
def test_the_parts_are_the_image_without_the_existing_layers(layout: Layout, there: int, tmp_path: Path) -> None:
    shipped = parts(write(tmp_path / "a.tar", layout(OTHER, BOT)), there, tmp_path / "parts")
    with tarfile.open(fileobj=io.BytesIO(b"".join(shipped))) as archive:
        contents = {item.name: archive.extractfile(item).read() for item in archive.getmembers()}  # type: ignore[union-attr]
    config, names = f"{sha(BOT.config)}.json", [f"{sha(content)}.tar" for content in BOT.layers]
    assert json.loads(contents.pop("manifest.json")) == [{"Config": config, "RepoTags": ["bot:1"], "Layers": names}]
    assert contents.pop(config) == BOT.config
    assert contents == dict(zip(names[there:], BOT.layers[there:]))


@pytest.mark.parametrize("part_size", [1, 512, 2500, 10240, 10**9])
def test_parts_have_the_requested_size(part_size: int, tmp_path: Path) -> None:
    path = write(tmp_path / "a.tar", classic(Image(["bot:1"], [layer("x", 10)])))
    sizes = [len(part) for part in parts(path, 0, tmp_path / "parts", part_size=part_size)]
    assert set(sizes[:-1]) <= {part_size}
    assert 0 < sizes[-1] <= part_size


@both
def test_the_same_image_results_in_the_same_parts(layout: Layout, tmp_path: Path) -> None:
    """Parts that a broken transfer has delivered are not sent again."""
    path = write(tmp_path / "a.tar", layout(BOT))
    assert parts(path, 1, tmp_path / "one") == parts(path, 1, tmp_path / "two")


def test_both_layouts_result_in_the_same_parts(tmp_path: Path) -> None:
    one, two = (write(tmp_path / name, make(BOT)) for name, make in LAYOUTS.items())
    assert parts(one, 1, tmp_path / "parts") == parts(two, 1, tmp_path / "parts")


def test_a_layer_that_is_a_link_is_shipped_in_full(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tar", classic(BOT, OTHER))
    shipped = b"".join(parts(path, 0, tmp_path / "parts", OTHER.tags[0]))  # type: ignore[index]
    with tarfile.open(fileobj=io.BytesIO(shipped)) as archive:
        member = archive.extractfile(f"{sha(OTHER.layers[0])}.tar")
        assert member
        assert member.read() == OTHER.layers[0]


def test_an_image_with_the_same_layer_twice(tmp_path: Path) -> None:
    image = Image(["bot:1"], [layer("base"), layer("app"), layer("base")])
    for layout in LAYOUTS.values():
        shipped = b"".join(parts(write(tmp_path / "a.tar", layout(image)), 1, tmp_path / "parts"))
        with tarfile.open(fileobj=io.BytesIO(shipped)) as archive:
            assert set(archive.getnames()) == {
                "manifest.json",
                f"{sha(image.config)}.json",
                *(f"{sha(content)}.tar" for content in image.layers),
            }


def test_no_part_follows_one_that_cannot_be_sent(tmp_path: Path) -> None:
    sent = []

    def ship(path: str) -> None:
        sent.append(Path(path).name)
        if len(sent) == 2:
            raise ConnectionError("lost")

    path = write(tmp_path / "a.tar", classic(Image(["bot:1"], [layer("app", 300_000)])))
    with pytest.raises(ConnectionError):
        write_parts(path, "bot:1", 0, str(tmp_path), ship, 61_440)
    assert sent == ["part-0001", "part-0002"]


def test_shipped_size(tmp_path: Path) -> None:
    image: ArchivedImage = archive_images(write(tmp_path / "a.tar", oci(BOT)))["bot:1"]
    sizes = [len(content) for content in BOT.layers]
    assert [shipped_size(image, there) for there in range(4)] == [sum(sizes), sum(sizes[1:]), sizes[2], 0]
