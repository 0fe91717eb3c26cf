# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Image archives on the control node, as ``docker save`` writes them: their contents, and parts of them to transfer.

Not with skopeo: its transport to an engine always sends the whole archive. Only the protocol of registries leaves out layers
that a host already has, and Ansible's connections carry files, not ports: with a registry that hosts reach, they pull.
"""

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

# Bytes of one part: the most that a broken transfer must send again.
PART_SIZE = 128 * 1024 * 1024
# Bytes that are copied at once; tarfile's own 10 kB take seconds for an image.
_BUFFER = 1024 * 1024
# Errors that a truncated, differently compressed or foreign file raises.
_UNREADABLE = (OSError, EOFError, LookupError, TypeError, ValueError, AttributeError, zlib.error, tarfile.TarError)


class ArchiveError(ValueError):
    """The file is not an image archive; the message contains its path."""


@dataclass(frozen=True)
class Layer:
    """One layer of an image: the digest of its tar file, the archive member that contains it, and its size in bytes."""

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
    """Return reference -> image of an archive, in either layout of ``docker save`` (docker image spec v1.2, OCI).

    Reads every header to detect a truncated file. Raises ArchiveError.
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
        # tarfile reports each format that it tried, one per line.
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
    # In the classic layout, a duplicate layer is a link.
    return sizes[name] or archive._find_link_target(archive.getmember(name)).size  # type: ignore[attr-defined]


def _image_id(config: str) -> str:
    """Return the image id from ``<hex>.json`` (classic layout) or ``blobs/sha256/<hex>`` (OCI layout)."""
    match = re.search(r"[0-9a-f]{64}", config)
    if match is None:
        raise ValueError("an image without an id")
    return f"sha256:{match[0]}"


def shipped_size(image: ArchivedImage, there: int) -> int:
    """Return the size in bytes of the layers that a host lacks; it has the first ``there`` layers."""
    return sum(layer.size for layer in image.layers[there:])


def write_parts(
    path: str, reference: str, there: int, directory: str, ship: t.Callable[[str], None], part_size: int = PART_SIZE
) -> None:
    """Write an archive of one image without its first ``there`` layers, in parts of a bounded size.

    The engine takes existing layers from its own store, by their digests, and needs no file for them (seen: engines
    20.10 and 26.1 with overlay2). Each part is a file in ``directory`` that is passed to ``ship`` when it is full, and then
    removed. The same image results in the same parts, so that a transfer can be resumed.
    """
    image = archive_images(path)[reference]
    with (
        tarfile.open(path) as archive,
        _Parts(directory, ship, part_size) as parts,
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
    """A writable file that is split into parts; each is shipped when it is full."""

    def __init__(self, directory: str, ship: t.Callable[[str], None], part_size: int) -> None:
        self._directory, self._ship, self._part_size = directory, ship, part_size
        self._number, self._written = 0, 0
        self._file: t.BinaryIO | None = None

    def __enter__(self) -> _Parts:
        return self

    def __exit__(self, error_type: type[BaseException] | None, *_rest: object) -> None:
        if error_type is None:
            self._ship_part()

    def write(self, data: bytes) -> int:
        """Write the data to the current part, and start new parts as needed."""
        rest = memoryview(data)
        while len(rest):
            if self._file is None:
                self._number, self._written = self._number + 1, 0
                self._file = open(self._path, "wb")  # noqa: SIM115
            room = self._part_size - self._written
            self._file.write(rest[:room])
            self._written += len(rest[:room])
            rest = rest[room:]
            if self._written == self._part_size:
                self._ship_part()
        return len(data)

    @property
    def _path(self) -> str:
        return os.path.join(self._directory, f"part-{self._number:04d}")

    def _ship_part(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
            self._ship(self._path)
            os.remove(self._path)
