# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Loading images into the host's engine from parts of an archive, and what the engine has of their layers."""

from __future__ import annotations

import hashlib
import os
import pathlib
import shutil
import time
import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils import _docker
from ansible_collections.selfhost.langgraph.plugins.module_utils._problems import shown

# Of root alone; a part that was shipped waits here for the rest, also for a later run.
SPOOL = "/var/tmp/langgraph-images"
# What the module image_load and its part on the control node both take of an image.
IMAGE_OPTIONS: dict[str, dict[str, t.Any]] = {
    "archive": {"type": "path", "required": True},
    "image": {"type": "str", "required": True},
    "image_id": {"type": "str"},
    "deployments": {"type": "list", "elements": "str", "default": []},
}
_STALE_SECONDS = 24 * 3600
_CHUNK = 1024 * 1024


class LoadError(RuntimeError):
    """The engine did not take an image; the text names it and the cause."""


def present(client: _docker.Client, images: t.Sequence[t.Mapping[str, t.Any]]) -> list[str]:
    """Names of the wanted images that the engine has with the wanted id, or the wanted content under another one."""
    ids = _docker.image_ids(client)
    return [
        image["image"] for image in images if _is(client, ids.get(image["image"]), image["image_id"], image["content"])
    ]


def _is(client: _docker.Client, found: str | None, image_id: str, content: str) -> bool:
    return found is not None and (found == image_id or _docker.content(client, found) == content)


def layers_there(client: _docker.Client, images: t.Sequence[t.Mapping[str, t.Any]]) -> dict[str, int]:
    """Id of each wanted image -> how many of its first layers the engine has.

    With containerd's image store an archive needs all of its layers, so that none counts there.
    """
    if _docker.uses_containerd(client):
        return {image["image_id"]: 0 for image in images}
    chains = [_docker.layers(client, image_id) for image_id in set(_docker.image_ids(client).values())]
    return {
        image["image_id"]: max((_common(image["layers"], chain) for chain in chains), default=0) for image in images
    }


def _common(wanted: t.Sequence[str], chain: t.Sequence[str]) -> int:
    """A layer is known by all that lie below it too, so only a common beginning counts."""
    pairs = enumerate(zip(wanted, chain))
    return next((place for place, (one, other) in pairs if one != other), min(len(wanted), len(chain)))


def free_bytes(folder: str) -> int:
    """Free bytes of the file system that a folder is on, or will be."""
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def waiting(spool: str = SPOOL) -> dict[str, str]:
    """Path of each part that waits on the host -> its checksum (SHA-256, in hexadecimal)."""
    return {str(path): checksum(str(path)) for path in sorted(pathlib.Path(spool).glob("*/part-*"))}


def checksum(path: str) -> str:
    """The checksum of a file, as parts have it."""
    digest = hashlib.sha256()
    for piece in _read([path]):
        digest.update(piece)
    return digest.hexdigest()


def verify(image: str, spool: str, checksums: t.Mapping[str, str]) -> None:
    """Compare the parts that wait with what was sent (name -> SHA-256). One that differs goes. Raises LoadError."""
    for name, wanted in checksums.items():
        path = os.path.join(spool, name)
        try:
            if checksum(path) == wanted:
                continue
            os.remove(path)
        except FileNotFoundError:
            pass
        raise LoadError(f"image '{image}': a part of it was damaged on its way; run the play again")


def load(client: _docker.Client, image: str, image_id: str, content: str, spool: str) -> None:
    """Load one image from the parts in ``spool`` and remove them, whatever comes of it. Raises LoadError."""
    try:
        names = sorted(name for name in os.listdir(spool) if name.startswith("part-"))
        _docker.load_image(client, _read(os.path.join(spool, name) for name in names))
    except (_docker.EngineError, OSError) as error:
        raise LoadError(_why(image, str(error))) from error
    finally:
        shutil.rmtree(spool, ignore_errors=True)
    if not _is(client, _docker.image_ids(client).get(image), image_id, content):
        raise LoadError(f"image '{image}': the engine has loaded it as another one than {image_id}")


def _why(image: str, error: str) -> str:
    if "no space left" in error.lower():
        return f"image '{image}': the disk of the engine was full while it was loaded, nothing of it was kept; free some space"
    return f"image '{image}': the engine did not load it ({shown(error, longest=200)})"


def _read(paths: t.Iterable[str]) -> t.Iterator[bytes]:
    for path in paths:
        with open(path, "rb") as file:
            yield from iter(lambda: file.read(_CHUNK), b"")


def remove_stale() -> None:
    """Remove parts that nobody has come back for since yesterday."""
    with_age = [os.path.join(SPOOL, name) for name in os.listdir(SPOOL)] if os.path.isdir(SPOOL) else []
    for path in with_age:
        if time.time() - os.lstat(path).st_mtime > _STALE_SECONDS:
            shutil.rmtree(path, ignore_errors=True)
