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
from dataclasses import dataclass

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
# How machines call themselves (uname -m), and how images call them (docs: GOARCH).
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}


class EngineError(RuntimeError):
    """The engine does not answer, or refused."""


def connect() -> Client:
    """Open the engine's socket, or what DOCKER_HOST says, as the client of the command line does. Raises EngineError."""
    address = os.environ.get("DOCKER_HOST") or SOCKET
    try:
        client = docker.APIClient(base_url=address, version="auto", timeout=60)
    except docker.errors.DockerException as error:
        raise EngineError(f"the Docker engine does not answer on its socket: {error}") from error
    return client


@dataclass(frozen=True)
class Container:
    """A running container: its name, when it was created (seconds since the epoch), its IP addresses in each network."""

    name: str
    created: int
    addresses: tuple[str, ...]


def running_containers(client: Client, label: str) -> list[Container]:
    """The running containers that have a label."""
    try:
        listed = client.containers(filters={"label": label})
    except (docker.errors.DockerException, OSError) as error:
        raise EngineError(f"the Docker engine cannot list its containers: {error}") from error
    return [
        Container(item["Names"][0].lstrip("/"), int(item["Created"]), tuple(sorted(set(_addresses(item)))))
        for item in listed
    ]


def _addresses(listed: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    for network in listed["NetworkSettings"]["Networks"].values():
        for key in ("IPAddress", "GlobalIPv6Address"):
            if network.get(key):
                yield network[key]


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


def network(client: Client, name: str) -> tuple[str, set[str]]:
    """The IPv4 subnet of a network, and the addresses on it that are taken: its gateway's and those of containers."""
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
    """The same of what the engine has told of it."""
    configs = (found.get("IPAM") or {}).get("Config") or ()
    config = next((item for item in configs if item.get("Subnet") and ":" not in item["Subnet"]), None)
    if config is None:
        raise EngineError(f"the network '{name}' has no IPv4 subnet; apply the role selfhost.langgraph.docker")
    containers = (found.get("Containers") or {}).values()
    taken = {str(item.get("IPv4Address") or "").partition("/")[0] for item in containers}
    return config["Subnet"], (taken | {str(config.get("Gateway") or "").partition("/")[0]}) - {""}


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


def engine(client: Client) -> dict[str, t.Any]:
    """What matters of the engine for images: architecture, as images name it, and folder."""
    try:
        found = client.info()
    except (docker.errors.DockerException, OSError) as error:
        raise EngineError(f"the Docker engine cannot report its configuration: {error}") from error
    return {"architecture": architecture(found.get("Architecture", "")), "root": found["DockerRootDir"]}


def architecture(machine: str) -> str:
    """The name that images have for what a machine calls itself."""
    return _ARCHITECTURES.get(machine, machine)


def uses_containerd(client: Client) -> bool:
    """Whether the engine keeps its images in containerd's store."""
    status = dict(tuple(pair) for pair in client.info().get("DriverStatus") or ())
    return "containerd" in str(status.get("driver-type", ""))


def layers(client: Client, image_id: str) -> list[str]:
    """Digests of an image's layers, the lowest first; of one that is gone, none."""
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
    """What is in an image, whatever its id is in this engine's store; None where it has none of that name."""
    found = inspect_image(client, image)
    return None if found is None else content_of_inspected(found)


def content_of_inspected(found: t.Mapping[str, t.Any]) -> str:
    """The same of what the engine has told of it."""
    return content_of((found.get("RootFS") or {}).get("Layers") or (), found.get("Config"), found.get("Architecture"))


def inspect_image(client: Client, image: str) -> dict[str, t.Any] | None:
    """All that the engine tells of an image; None where it has none of that name."""
    try:
        return client.inspect_image(image)
    except docker.errors.NotFound:
        return None
    except (docker.errors.DockerException, OSError) as error:
        raise EngineError(f"the Docker engine cannot inspect the image {image}: {error}") from error


def all_image_ids(client: Client) -> set[str]:
    """Ids of all images, those between the steps of a build too."""
    return {image["Id"] for image in client.images(all=True)}


def image_texts(client: Client, image: str) -> list[str]:
    """What whoever has an image can read of how it was made: the commands of its history, and its environment."""
    found = client.inspect_image(image)
    history = [step.get("CreatedBy") or "" for step in client.history(image)]
    return [*history, *((found.get("Config") or {}).get("Env") or ())]


def tag_image(client: Client, image: str, name: str) -> None:
    """Give an image one more name, NAME:TAG."""
    repository, _colon, tag = name.rpartition(":")
    client.tag(image, repository, tag)


def build_cache_since(client: Client, begin: float) -> list[str]:
    """Ids of what BuildKit has put into its cache since ``begin`` (seconds of the epoch). Raises EngineError."""
    # The engine's times are in UTC and begin as this text does.
    first = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(begin))
    try:
        cache = client.df().get("BuildCache") or ()
    except (docker.errors.DockerException, OSError) as error:
        raise EngineError(f"the Docker engine cannot report its build cache: {error}") from error
    return [item["ID"] for item in cache if item.get("CreatedAt", "") >= first]


def remove_images(client: Client, image_ids: t.Collection[str]) -> None:
    """Remove what a build has left; the engine refuses what has children, so as often as some go."""
    left = set(image_ids)
    while left:
        gone = {image_id for image_id in left if remove_image(client, image_id)}
        if not gone:
            return
        left = (left - gone) & all_image_ids(client)
