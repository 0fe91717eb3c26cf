# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The Docker engine, through the distribution's own library."""

from __future__ import annotations

import traceback
import typing as t

DOCKER_IMPORT_ERROR: str | None = None
try:
    import docker
    import docker.errors
except ImportError:
    DOCKER_IMPORT_ERROR = traceback.format_exc()

if t.TYPE_CHECKING:
    Client = t.Any


class EngineError(RuntimeError):
    """The engine does not answer, or refused."""


def connect() -> Client:
    """Open the engine's socket. Raises EngineError."""
    try:
        client = docker.APIClient(base_url="unix:///var/run/docker.sock", version="auto", timeout=60)
    except docker.errors.DockerException as error:
        raise EngineError(f"the Docker engine does not answer on its socket: {error}") from error
    return client


def image_ids(client: Client) -> dict[str, str]:
    """Every reference that the host can run (NAME:TAG, NAME@DIGEST, the id itself) -> image id, in one call."""
    ids: dict[str, str] = {}
    try:
        images = client.images()
    except (docker.errors.DockerException, OSError) as error:
        raise EngineError(f"the Docker engine cannot list its images: {error}") from error
    for image in images:
        for reference in (*(image.get("RepoTags") or ()), *(image.get("RepoDigests") or ()), image["Id"]):
            ids[reference] = image["Id"]
    return ids


def remove_container(client: Client, name: str) -> None:
    """Remove a container that may be there no more."""
    try:
        client.remove_container(name, force=True)
    except docker.errors.NotFound:
        pass
    except docker.errors.DockerException as error:
        raise EngineError(f"the Docker engine cannot remove the container {name}: {error}") from error


def remove_image(client: Client, image_id: str) -> bool:
    """Remove an image that nobody needs; one that has other names or containers stays. Tell whether it is gone."""
    try:
        client.remove_image(image_id)
    except docker.errors.APIError:
        return False
    return True
