# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Load images into the host's engine from parts of an archive, and find the layers that the engine already has."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import printable
from ansible_collections.selfhost.langgraph.plugins.module_utils._host import docker_engine
from ansible_collections.selfhost.langgraph.plugins.module_utils._host import spool as _spool

# Options of an image that both the module image_load and its action plugin take.
IMAGE_OPTIONS: dict[str, dict[str, t.Any]] = {
    "archive": {"type": "path", "required": True},
    "image": {"type": "str", "required": True},
    "image_id": {"type": "str"},
    "deployments": {"type": "list", "elements": "str", "default": []},
}


class LoadError(RuntimeError):
    """The engine did not load an image; the message names it and the cause."""


def present(client: docker_engine.Client, images: t.Sequence[t.Mapping[str, t.Any]]) -> list[str]:
    """Return the names of the wanted images that the engine has, with the wanted id or with the wanted content."""
    ids = docker_engine.image_ids(client)
    return [
        image["image"] for image in images if _is(client, ids.get(image["image"]), image["image_id"], image["content"])
    ]


def _is(client: docker_engine.Client, found: str | None, image_id: str, content: str) -> bool:
    return found is not None and (found == image_id or docker_engine.content(client, found) == content)


def layers_there(client: docker_engine.Client, images: t.Sequence[t.Mapping[str, t.Any]]) -> dict[str, int]:
    """Map the id of each wanted image to the number of its first layers that the engine has.

    With containerd's image store an archive needs all of its layers, so the number is 0 there.
    """
    if docker_engine.uses_containerd(client):
        return {image["image_id"]: 0 for image in images}
    chains = [docker_engine.layers(client, image_id) for image_id in set(docker_engine.image_ids(client).values())]
    return {
        image["image_id"]: max((_common(image["layers"], chain) for chain in chains), default=0) for image in images
    }


def _common(wanted: t.Sequence[str], chain: t.Sequence[str]) -> int:
    """Count the common first layers: a layer is identified together with all layers below it."""
    pairs = enumerate(zip(wanted, chain))
    return next((place for place, (one, other) in pairs if one != other), min(len(wanted), len(chain)))


def waiting(spool: str) -> dict[str, str]:
    """Map the path of each spooled part to its checksum (SHA-256, in hexadecimal)."""
    found = {}
    for path in sorted(map(str, pathlib.Path(spool).glob("*/part-*"))):
        with contextlib.suppress(OSError), _spool.open_file(path) as file:
            found[path] = _spool.checksum(file)
    return found


def load(
    client: docker_engine.Client, image: str, image_id: str, content: str, spool: str, checksums: t.Mapping[str, str]
) -> None:
    """Load one image from the parts in ``spool`` (name -> SHA-256 of the sent part) and remove them in any case.

    Each part is opened once, so that the verified part is the loaded one. A part that differs is removed, the others are
    kept for the next run. Raises LoadError.
    """
    with contextlib.ExitStack() as stack:
        parts = [_verified(stack, image, os.path.join(spool, name), checksums[name]) for name in sorted(checksums)]
        try:
            docker_engine.load_image(client, (piece for part in parts for piece in _spool.pieces(part)))
        except (docker_engine.EngineError, OSError) as error:
            raise LoadError(_why(image, str(error))) from error
        finally:
            shutil.rmtree(spool, ignore_errors=True)
    if not _is(client, docker_engine.image_ids(client).get(image), image_id, content):
        raise LoadError(f"image '{image}': the loaded image does not have the expected id {image_id}")


def _verified(stack: contextlib.ExitStack, image: str, path: str, wanted: str) -> t.BinaryIO:
    with contextlib.suppress(FileNotFoundError):
        try:
            part = stack.enter_context(_spool.open_file(path))
            if _spool.checksum(part) == wanted:
                return part
        except FileNotFoundError:
            raise
        except OSError:
            # For example a link or a pipe.
            pass
        os.remove(path)
    raise LoadError(f"image '{image}': a part of it was damaged in transit; run the play again")


def _why(image: str, error: str) -> str:
    if "no space left" in error.lower():
        return f"image '{image}': the engine's disk was full during the load and nothing was kept; free some space"
    return f"image '{image}': the engine could not load it ({printable(error, longest=200)})"
