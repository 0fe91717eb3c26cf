# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Image archives on the control node, as ``docker save`` writes them: what they hold, and parts of them to ship."""

from __future__ import annotations

import io
import json
import os
import re
import tarfile
import typing as t
import zlib
from dataclasses import dataclass

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.image_reference import (
    content_of,
    normal_reference,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import printable

# Bytes of one part on its way: what a broken transfer has to send again, at most.
PART_SIZE = 128 * 1024 * 1024
# Bytes that are copied at once; tarfile's own 10 kB take seconds for an image.
_BUFFER = 1024 * 1024
# What a file that is cut short, compressed in another way or of another make raises.
_UNREADABLE = (OSError, EOFError, LookupError, TypeError, ValueError, AttributeError, zlib.error, tarfile.TarError)


class ArchiveError(ValueError):
    """The file is not an image archive; the text names the file."""


@dataclass(frozen=True)
class Layer:
    """One layer of an image: the digest of its tar file, the member that holds it, and its size in bytes."""

    diff_id: str
    member: str
    size: int


@dataclass(frozen=True)
class ArchivedImage:
    """One image of an archive."""

    image_id: str
    architecture: str
    config: str
    layers: tuple[Layer, ...]
    content: str


def archive_images(path: str) -> dict[str, ArchivedImage]:
    """References in the archive -> image, in both layouts of ``docker save`` (docker image spec v1.2, OCI).

    Reads every header, so that a file that is cut short is found here. Raises ArchiveError.
    """
    try:
        with tarfile.open(path) as archive:
            sizes = {member.name: member.size for member in archive.getmembers()}
            manifest = _json(archive, "manifest.json")
            return {
                normal_reference(tag): image
                for entry in manifest
                for image in [_image(archive, entry, sizes)]
                for tag in entry["RepoTags"] or ()
            }
    except FileNotFoundError:
        raise ArchiveError(f"image_archives: there is no file '{path}' on the control node") from None
    except _UNREADABLE as error:
        # tarfile tells every format that it tried, each on a line of its own.
        why = printable(str(error).partition("\n")[0].rstrip(":") or type(error).__name__)
        raise ArchiveError(f"image_archives: '{path}' is not what 'docker save' writes ({why})") from error


def _json(archive: tarfile.TarFile, name: str) -> t.Any:
    member = archive.extractfile(name)
    return json.loads(member.read()) if member else None


def _image(archive: tarfile.TarFile, entry: t.Mapping[str, t.Any], sizes: t.Mapping[str, int]) -> ArchivedImage:
    config = _json(archive, entry["Config"])
    diff_ids, members = config["rootfs"]["diff_ids"], entry["Layers"]
    if len(diff_ids) != len(members):
        raise ValueError("an image with other layers than its configuration says")
    layers = [Layer(diff_id, name, _size(archive, name, sizes)) for diff_id, name in zip(diff_ids, members)]
    architecture = config.get("architecture", "")
    content = content_of(diff_ids, config.get("config"), architecture)
    return ArchivedImage(_image_id(entry["Config"]), architecture, entry["Config"], tuple(layers), content)


def _size(archive: tarfile.TarFile, name: str, sizes: t.Mapping[str, int]) -> int:
    # The same layer twice is a link in the classic layout.
    return sizes[name] or archive._find_link_target(archive.getmember(name)).size  # type: ignore[attr-defined]


def _image_id(config: str) -> str:
    """``<hex>.json`` (classic layout) or ``blobs/sha256/<hex>`` (OCI layout)."""
    match = re.search(r"[0-9a-f]{64}", config)
    if match is None:
        raise ValueError("an image without an id")
    return f"sha256:{match[0]}"


def shipped_size(image: ArchivedImage, there: int) -> int:
    """Bytes of the layers that a host lacks, which has the first ``there`` of them."""
    return sum(layer.size for layer in image.layers[there:])


def write_parts(
    path: str, reference: str, there: int, folder: str, ship: t.Callable[[str], None], part_size: int = PART_SIZE
) -> None:
    """Write an archive of one image without its first ``there`` layers, in parts of a bounded size.

    The engine takes layers that it has from its own store, by their digests, and needs no file for them (seen: engines
    20.10 and 26.1 with overlay2). Each part is a file in ``folder`` that is handed to ``ship`` as soon as it is full,
    and removed after. The same image gives the same parts, so that a transfer can go on where it ended.
    """
    image = archive_images(path)[reference]
    with (
        tarfile.open(path) as archive,
        _Parts(folder, ship, part_size) as parts,
        tarfile.open(fileobj=parts, mode="w|", bufsize=_BUFFER, copybufsize=_BUFFER) as thin,  # type: ignore[call-overload]
    ):
        names = [f"{layer.diff_id.partition(':')[2]}.tar" for layer in image.layers]
        config_name = f"{image.image_id.partition(':')[2]}.json"
        manifest = [{"Config": config_name, "RepoTags": [reference], "Layers": names}]
        _add(thin, "manifest.json", json.dumps(manifest).encode())
        config = archive.extractfile(image.config)
        _add(thin, config_name, config.read() if config else b"")
        for layer, name in dict(zip(image.layers[there:], names[there:])).items():
            member = tarfile.TarInfo(name)
            member.size = layer.size
            thin.addfile(member, archive.extractfile(layer.member))


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


class _Parts:
    """A file to write to that is cut into parts, each handed on when it is full."""

    def __init__(self, folder: str, ship: t.Callable[[str], None], part_size: int) -> None:
        self._folder, self._ship, self._part_size = folder, ship, part_size
        self._number, self._written = 0, 0
        self._file: t.BinaryIO | None = None

    def __enter__(self) -> _Parts:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        if kind is None:
            self._hand_on()

    def write(self, data: bytes) -> int:
        """Take what tarfile writes."""
        left = memoryview(data)
        while len(left):
            if self._file is None:
                self._number, self._written = self._number + 1, 0
                self._file = open(self._path, "wb")  # noqa: SIM115
            room = self._part_size - self._written
            self._file.write(left[:room])
            self._written += len(left[:room])
            left = left[room:]
            if self._written == self._part_size:
                self._hand_on()
        return len(data)

    @property
    def _path(self) -> str:
        return os.path.join(self._folder, f"part-{self._number:04d}")

    def _hand_on(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
            self._ship(self._path)
            os.remove(self._path)
