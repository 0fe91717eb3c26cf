# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The Docker engine, through the distribution's own library."""

from __future__ import annotations

import os
import time
import traceback
import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.image_reference import content_of

DOCKER_IMPORT_ERROR: str | None = None
try:
    import docker
    import docker.errors
except ImportError:
    DOCKER_IMPORT_ERROR = traceback.format_exc()

if t.TYPE_CHECKING:
    Client = t.Any

SOCKET = "unix:///var/run/docker.sock"
# Of the collection's own containers (langgraph-container.py).
LABEL = "selfhost.langgraph.config"
# Architectures by uname -m, and their names in images (docs: GOARCH).
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}


class EngineError(RuntimeError):
    """The engine does not answer, or refused a request."""


def connect() -> Client:
    """Connect to the engine's socket, or to DOCKER_HOST, as the command line client does. Raises EngineError."""
    address = os.environ.get("DOCKER_HOST") or SOCKET
    try:
        client = docker.APIClient(base_url=address, version="auto", timeout=60)
    except docker.errors.DockerException as error:
        raise EngineError(f"the Docker engine does not answer on its socket: {error}") from error
    return client


def image_ids(client: Client) -> dict[str, str]:
    """Map every reference that the host can run (NAME:TAG, NAME@DIGEST, the id itself) to the image id, in one call."""
    ids: dict[str, str] = {}
    for image in images(client):
        for reference in (*(image.get("RepoTags") or ()), *(image.get("RepoDigests") or ()), image["Id"]):
            ids[reference] = image["Id"]
    return ids


def images(client: Client) -> list[dict[str, t.Any]]:
    """Return the images as the engine lists them, with ``Id``, ``RepoTags``, ``Labels`` and ``Created``. Raises EngineError."""
    try:
        return list(client.images())
    except (docker.errors.DockerException, OSError) as error:
        raise EngineError(f"the Docker engine cannot list its images: {error}") from error


def published_ports(client: Client) -> list[dict[str, t.Any]]:
    """Return the TCP ports that running containers publish: address, port, user and program, in the format of tcp_ports.sockets().

    Without a userland proxy no program listens there, and the engine's rules still redirect every connection (docs: dockerd,
    userland-proxy). Raises EngineError.
    """
    try:
        containers = list(client.containers())
    except (docker.errors.DockerException, OSError) as error:
        raise EngineError(f"the Docker engine cannot list its containers: {error}") from error
    found = []
    for container in containers:
        name = next(iter(container.get("Names") or ()), container["Id"][:12]).lstrip("/")
        program = "docker-proxy" if LABEL in (container.get("Labels") or {}) else f"container {name}"
        for item in container.get("Ports") or ():
            if item.get("PublicPort") and item.get("Type") == "tcp":
                address = item.get("IP") or "0.0.0.0"
                found.append({"address": address, "port": item["PublicPort"], "program": program, "user": "root"})
    return found


def network(client: Client, name: str) -> tuple[str, set[str]]:
    """Return the IPv4 subnet of a network, and its addresses in use: those of the gateway and of containers."""
    try:
        found = client.inspect_network(name)
    except docker.errors.NotFound as error:
        raise EngineError(
            f"the Docker engine has no network '{name}'; apply the role selfhost.langgraph.docker"
        ) from error
    except (docker.errors.DockerException, OSError) as error:
        raise EngineError(f"the Docker engine cannot inspect the network '{name}': {error}") from error
    return subnet_of(name, found)


def subnet_of(name: str, found: t.Mapping[str, t.Any]) -> tuple[str, set[str]]:
    """Return the same for an inspected network."""
    configs = (found.get("IPAM") or {}).get("Config") or ()
    config = next((item for item in configs if item.get("Subnet") and ":" not in item["Subnet"]), None)
    if config is None:
        raise EngineError(f"the network '{name}' has no IPv4 subnet; apply the role selfhost.langgraph.docker")
    containers = (found.get("Containers") or {}).values()
    taken = {str(item.get("IPv4Address") or "").partition("/")[0] for item in containers}
    return config["Subnet"], (taken | {str(config.get("Gateway") or "").partition("/")[0]}) - {""}


def remove_container(client: Client, name: str) -> None:
    """Remove a container that may no longer exist."""
    try:
        client.remove_container(name, force=True)
    except docker.errors.NotFound:
        pass
    except docker.errors.DockerException as error:
        raise EngineError(
            f"the Docker engine cannot remove the container {name}: {error}; see systemctl status docker"
        ) from error


def remove_image(client: Client, image_id: str) -> bool:
    """Remove an unused image; an image with other names or containers stays. Return whether it was removed."""
    try:
        client.remove_image(image_id)
    except (docker.errors.DockerException, OSError):
        return False
    return True


def engine(client: Client) -> dict[str, t.Any]:
    """Return the engine's properties that images depend on: the architecture, as images name it, and the directory."""
    try:
        found = client.info()
    except (docker.errors.DockerException, OSError) as error:
        raise EngineError(f"the Docker engine cannot report its configuration: {error}") from error
    return {"architecture": architecture(found.get("Architecture", "")), "root": found["DockerRootDir"]}


def architecture(machine: str) -> str:
    """Return the images' name of a machine's architecture (uname -m)."""
    return _ARCHITECTURES.get(machine, machine)


def uses_containerd(client: Client) -> bool:
    """Return whether the engine keeps its images in containerd's store."""
    status = dict(tuple(pair) for pair in client.info().get("DriverStatus") or ())
    return "containerd" in str(status.get("driver-type", ""))


def layers(client: Client, image_id: str) -> list[str]:
    """Return the digests of an image's layers, the lowest first; none if the image no longer exists."""
    try:
        return list(client.inspect_image(image_id).get("RootFS", {}).get("Layers") or ())
    except docker.errors.NotFound:
        return []


def load_image(client: Client, data: t.Iterable[bytes]) -> None:
    """Load an archive, given in pieces. Raises EngineError."""
    try:
        for line in client.load_image(data):
            if line.get("error"):
                raise EngineError(str(line["error"]))
    except (docker.errors.DockerException, OSError) as error:
        raise EngineError(f"the Docker engine cannot load the archive: {error}") from error


def content(client: Client, image: str) -> str | None:
    """Return the identifier of an image's content, independent of its id in this engine's store; None if it is missing."""
    found = inspect_image(client, image)
    return None if found is None else content_of_inspected(found)


def content_of_inspected(found: t.Mapping[str, t.Any]) -> str:
    """Return the same for an inspected image."""
    return content_of((found.get("RootFS") or {}).get("Layers") or (), found.get("Config"), found.get("Architecture"))


def inspect_image(client: Client, image: str) -> dict[str, t.Any] | None:
    """Return the engine's description of an image; None if there is no image of that name."""
    try:
        return client.inspect_image(image)
    except docker.errors.NotFound:
        return None
    except (docker.errors.DockerException, OSError) as error:
        raise EngineError(f"the Docker engine cannot inspect the image {image}: {error}") from error


def all_image_ids(client: Client) -> set[str]:
    """Return the ids of all images, including intermediate ones of builds."""
    return {image["Id"] for image in client.images(all=True)}


def image_texts(client: Client, image: str) -> list[str]:
    """Return what anybody with the image can read: the commands of its history, and its environment."""
    found = client.inspect_image(image)
    history = [step.get("CreatedBy") or "" for step in client.history(image)]
    return [*history, *((found.get("Config") or {}).get("Env") or ())]


def tag_image(client: Client, image: str, name: str) -> None:
    """Add a name, NAME:TAG, to an image."""
    repository, _colon, tag = name.rpartition(":")
    client.tag(image, repository, tag)


def build_cache_since(client: Client, begin: float) -> list[str]:
    """Return the ids of BuildKit's cache entries since ``begin`` (seconds since the epoch). Raises EngineError."""
    # The engine's times are in UTC and begin with this format.
    first = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(begin))
    try:
        cache = client.df().get("BuildCache") or ()
    except (docker.errors.DockerException, OSError) as error:
        raise EngineError(f"the Docker engine cannot report its build cache: {error}") from error
    return [item["ID"] for item in cache if item.get("CreatedAt", "") >= first]


def remove_images(client: Client, image_ids: t.Collection[str]) -> None:
    """Remove a build's images; the engine refuses images with children, so repeat while some are removed."""
    left = set(image_ids)
    while left:
        gone = {image_id for image_id in left if remove_image(client, image_id)}
        if not gone:
            return
        left = (left - gone) & all_image_ids(client)
