# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Image references, as users write them and as the engine lists them."""

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


# The keys of a configuration that determine how a container runs (OCI image specification, config).
_RUNS = ("Cmd", "Entrypoint", "Env", "Labels", "User", "WorkingDir")


def content_of(layers: t.Sequence[str], config: t.Mapping[str, t.Any] | None, architecture: str | None) -> str:
    """Return an identifier of an image's content: digests of its uncompressed layers, and parts of its configuration.

    The id of an image is the digest of its configuration in an engine's own store, and that of its manifest in the store of
    containerd (docs: containerd image store), so two engines may have one image under two ids.
    """
    counts = {key: (config or {}).get(key) or None for key in _RUNS}
    text = json.dumps([list(layers), counts, architecture], sort_keys=True)
    return f"content:{hashlib.sha256(text.encode()).hexdigest()}"


def normal_reference(image: str) -> str:
    """Return a reference as the engine lists it (docs: docker image reference).

    The engine adds the tag ``latest``, omits its default registry, and lists an image with a digest without its tag.
    """
    if image.startswith("sha256:"):
        return image
    for registry in ("docker.io/", "index.docker.io/"):
        image = image.removeprefix(registry)
    if image.startswith("library/") and image.count("/") == 1:
        image = image.removeprefix("library/")
    name, at, digest = image.partition("@")
    prefix, slash, last = name.rpartition("/")
    if at:
        return f"{prefix}{slash}{last.partition(':')[0]}@{digest}"
    return image if ":" in last else f"{image}:latest"


def registry_of(image: str) -> str | None:
    """Return the registry of a reference, None for the engine's default (docs: docker image reference).

    The first part is a registry if it has a dot or a port or is ``localhost``.
    """
    first, slash, _rest = image.partition("/")
    named = slash and ("." in first or ":" in first or first == "localhost")
    return first if named and first not in ("docker.io", "index.docker.io") else None


def repository_of(image: str) -> str:
    """Return a reference without its tag and digest, as the engine lists it."""
    name = normal_reference(image).partition("@")[0]
    prefix, slash, last = name.rpartition("/")
    return f"{prefix}{slash}{last.partition(':')[0]}"


def short(image: str) -> str:
    """Return the first twelve digits of an id or digest, as the engine shows them."""
    _name, at, digest = image.rpartition("sha256:")
    return digest[:12] if at else image


def named_digest(image: str, digests: t.Iterable[str]) -> str | None:
    """Return that one of an image's digests which is in the repository of a reference."""
    wanted = f"{repository_of(image)}@"
    return next((digest for digest in digests if digest.startswith(wanted)), None)
