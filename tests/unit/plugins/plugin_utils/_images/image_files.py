# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Small image archives as ``docker save`` writes them, by engines before 25 (classic) and since (OCI)."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import typing as t
from dataclasses import dataclass, field
from pathlib import Path


def layer(text: str, size: int = 3000) -> bytes:
    """Return a layer with one file."""
    return tar_bytes({"app/file": (text * size)[:size].encode()})


def tar_bytes(files: t.Mapping[str, bytes | str]) -> bytes:
    """Return a tar file; a string is the target of a link."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return made.getvalue()


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass
class Image:
    """An image with some layers."""

    tags: list[str] | None
    layers: list[bytes] = field(default_factory=lambda: [layer("base"), layer("app")])
    architecture: str = "amd64"

    @property
    def config(self) -> bytes:
        diff_ids = [f"sha256:{sha(content)}" for content in self.layers]
        rootfs = {"type": "layers", "diff_ids": diff_ids}
        return json.dumps({"architecture": self.architecture, "os": "linux", "rootfs": rootfs}).encode()

    @property
    def image_id(self) -> str:
        return f"sha256:{sha(self.config)}"


def classic(*images: Image) -> dict[str, bytes | str]:
    """Return each layer in its own directory; a repeated layer is a link to the first one."""
    files: dict[str, bytes | str] = {}
    manifest = []
    seen: dict[str, str] = {}
    for number, image in enumerate(images):
        files[f"{sha(image.config)}.json"] = image.config
        members = []
        for place, content in enumerate(image.layers):
            directory = sha(f"{number} {place}".encode())
            members.append(f"{directory}/layer.tar")
            files[f"{directory}/VERSION"] = b"1.0"
            first = seen.setdefault(sha(content), directory)
            files[members[-1]] = content if first == directory else f"../{first}/layer.tar"
        manifest.append({"Config": f"{sha(image.config)}.json", "RepoTags": image.tags, "Layers": members})
    return {**files, "manifest.json": json.dumps(manifest).encode()}


def oci(*images: Image) -> dict[str, bytes | str]:
    """Return all files by their digest."""
    files: dict[str, bytes | str] = {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}', "index.json": b"{}"}
    manifest = []
    for image in images:
        members = [f"blobs/sha256/{sha(content)}" for content in image.layers]
        files |= {f"blobs/sha256/{sha(content)}": content for content in (image.config, *image.layers)}
        manifest.append({"Config": f"blobs/sha256/{sha(image.config)}", "RepoTags": image.tags, "Layers": members})
    return {**files, "manifest.json": json.dumps(manifest).encode()}


def write(path: Path, files: t.Mapping[str, bytes | str]) -> str:
    path.write_bytes(tar_bytes(files))
    return str(path)


LAYOUTS = {"classic": classic, "oci": oci}
