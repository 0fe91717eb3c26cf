# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""References of images, as users write them and as the engine lists them."""

from __future__ import annotations

import hashlib
import json
import re
import typing as t

# Docs: docker image reference. HOST[:PORT]/ PATH [:TAG] [@DIGEST], or the id of an image.
IMAGE = re.compile(
    r"([A-Za-z0-9.-]+(:[0-9]+)?/)?"
    r"[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*"
    r"(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?"
    r"|sha256:[0-9a-f]{64}",
    re.ASCII,
)


# What of a configuration decides how a container runs, in any engine's words (OCI image specification, config).
_RUNS = ("Cmd", "Entrypoint", "Env", "Labels", "User", "WorkingDir")


def content_of(layers: t.Sequence[str], config: t.Mapping[str, t.Any] | None, architecture: str | None) -> str:
    """Identify an image by what is in it: digests of its uncompressed layers, and what of its configuration counts.

    Its id is the digest of the configuration in an engine's own store, and that of the manifest in the store of
    containerd (docs: containerd image store), so that two engines may have one image under two ids.
    """
    counts = {key: (config or {}).get(key) or None for key in _RUNS}
    text = json.dumps([list(layers), counts, architecture], sort_keys=True)
    return f"content:{hashlib.sha256(text.encode()).hexdigest()}"


def normal_reference(image: str) -> str:
    """Write a reference as the engine lists it (docs: docker image reference).

    The engine adds the tag ``latest``, leaves out its own registry, and knows an image by digest without its tag.
    """
    if image.startswith("sha256:"):
        return image
    for registry in ("docker.io/", "index.docker.io/"):
        image = image.removeprefix(registry)
    if image.startswith("library/") and image.count("/") == 1:
        image = image.removeprefix("library/")
    name, at, digest = image.partition("@")
    folder, slash, last = name.rpartition("/")
    if at:
        return f"{folder}{slash}{last.partition(':')[0]}@{digest}"
    return image if ":" in last else f"{image}:latest"


def registry_of(image: str) -> str | None:
    """The registry that a reference names, None for the engine's own (docs: docker image reference).

    The first part is a registry where it has a dot or a port or is ``localhost``.
    """
    first, slash, _rest = image.partition("/")
    named = slash and ("." in first or ":" in first or first == "localhost")
    return first if named and first not in ("docker.io", "index.docker.io") else None


def repository_of(image: str) -> str:
    """A reference without its tag and digest, as the engine lists it."""
    name = normal_reference(image).partition("@")[0]
    folder, slash, last = name.rpartition("/")
    return f"{folder}{slash}{last.partition(':')[0]}"


def short(image: str) -> str:
    """An id or digest as people compare it: the first twelve digits, as the engine shows them."""
    _name, at, digest = image.rpartition("sha256:")
    return digest[:12] if at else image


def named_digest(image: str, digests: t.Iterable[str]) -> str | None:
    """The digest of an image in the repository that a reference names, of all that the engine knows of it."""
    wanted = f"{repository_of(image)}@"
    return next((digest for digest in digests if digest.startswith(wanted)), None)
