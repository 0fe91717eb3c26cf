# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Image archives on the control node, as ``docker save`` writes them: what they hold, and who needs them."""

from __future__ import annotations

import json
import re
import tarfile
import typing as t
import zlib

from ansible_collections.selfhost.langgraph.plugins.module_utils._images import normal_reference
from ansible_collections.selfhost.langgraph.plugins.module_utils._problems import shown

# What a file that is cut short, compressed in another way or of another make raises.
_UNREADABLE = (OSError, EOFError, LookupError, TypeError, ValueError, AttributeError, zlib.error, tarfile.TarError)


class ArchiveError(ValueError):
    """The file is not an image archive; the text names the file."""


def archive_images(path: str) -> dict[str, str]:
    """References in the archive -> image id, read from its ``manifest.json`` alone (docker image spec v1.2).

    Raises ArchiveError.
    """
    try:
        with tarfile.open(path) as archive:
            member = archive.extractfile("manifest.json")
            manifest: t.Any = json.loads(member.read()) if member else None
        return {
            normal_reference(tag): _image_id(image["Config"]) for image in manifest for tag in image["RepoTags"] or ()
        }
    except FileNotFoundError:
        raise ArchiveError(f"langgraph_image_archives: there is no file '{path}' on the control node") from None
    except _UNREADABLE as error:
        # tarfile tells every format that it tried, each on a line of its own.
        why = shown(str(error).partition("\n")[0].rstrip(":") or type(error).__name__)
        raise ArchiveError(f"langgraph_image_archives: '{path}' is not what 'docker save' writes ({why})") from error


def _image_id(config: str) -> str:
    """``<hex>.json`` (classic layout) or ``blobs/sha256/<hex>`` (OCI layout)."""
    match = re.search(r"[0-9a-f]{64}", config)
    if match is None:
        raise ValueError("an image without an id")
    return f"sha256:{match[0]}"


def missing_images(
    wanted: t.Iterable[str], on_host: t.Mapping[str, str], archives: t.Mapping[str, t.Mapping[str, str]]
) -> tuple[list[str], list[str]]:
    """Give the archives to load and the references to pull.

    ``wanted`` are references as users write them, ``archives`` is path -> reference -> id. An archive whose image has
    another id than the host's of the same name is loaded: the archive is what the user ships.
    """
    holders = {reference: (path, image) for path, images in archives.items() for reference, image in images.items()}
    load: list[str] = []
    pull: list[str] = []
    for image in dict.fromkeys(wanted):
        reference = normal_reference(image)
        if reference in holders:
            path, image_id = holders[reference]
            if on_host.get(reference) != image_id and path not in load:
                load.append(path)
        elif reference not in on_host:
            pull.append(image)
    return load, pull


def coming_images(load: t.Iterable[str], archives: t.Mapping[str, t.Mapping[str, str]]) -> dict[str, str]:
    """Reference -> id of the images that loading those archives brings."""
    return {reference: image for path in load for reference, image in archives[path].items()}
