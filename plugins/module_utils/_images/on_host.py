# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The images that a host has, and the properties of its engine that images depend on."""

from __future__ import annotations

import contextlib
import glob
import os
import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._host import disk, docker_engine
from ansible_collections.selfhost.langgraph.plugins.module_utils._host.files import fingerprint

CERTIFICATES = "/etc/docker/certs.d"


def read_engine(identify: t.Sequence[str] = ()) -> dict[str, t.Any]:
    """Return the engine's images, architecture, root directory and free bytes in it, its certificates and published ports.

    ``images`` maps every reference to an id, and for the references in ``identify`` the identifier of the content too: one
    image has different ids in the engine's own store and in that of containerd. A host without an engine has no images.
    """
    nothing: dict[str, t.Any] = {
        "images": {},
        "architecture": docker_engine.architecture(os.uname().machine),
        "root": None,
        "free": None,
        "certificates": certificates(),
        "published": [],
    }
    if docker_engine.DOCKER_IMPORT_ERROR is not None:
        return nothing
    try:
        client = docker_engine.connect()
        properties = docker_engine.engine(client)
        ids = docker_engine.image_ids(client)
        identified = ((docker_engine.content(client, ids[name]), ids[name]) for name in identify if name in ids)
        # An image may have been removed since it was listed.
        contents = {content: image_id for content, image_id in identified if content is not None}
        found = {**nothing, **properties, "images": {**ids, **contents}, "free": disk.free_bytes(properties["root"])}
    except docker_engine.EngineError:
        return nothing
    # An engine with a container that hangs still has its images.
    with contextlib.suppress(docker_engine.EngineError):
        found["published"] = docker_engine.published_ports(client)
    return found


def certificates(directory: str = CERTIFICATES) -> dict[str, str | None]:
    """Return the hash of each registry's certificate (docs: verify repository client with certificates)."""
    found = glob.glob(f"{directory}/*/ca.crt")
    return {os.path.basename(os.path.dirname(path)): fingerprint(path) for path in found}
