# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What container_service wants to hold on a host, what it finds there, and the plan between the two. No I/O."""

from __future__ import annotations

import hashlib
import json
import typing as t
from dataclasses import dataclass

from ansible_collections.selfhost.langgraph.plugins.module_utils._settings import CONTAINER_PORT

Action = t.Literal["create", "restart", "start", "wait", "keep", "remove"]

UNIT = "langgraph@{name}.service"
CONTAINER = "langgraph-{name}"


def unit_name(deployment: str) -> str:
    """The instance of the template unit that owns the deployment's container."""
    return UNIT.format(name=deployment)


def container_name(deployment: str) -> str:
    """The name of the deployment's container."""
    return CONTAINER.format(name=deployment)


@dataclass(frozen=True)
class Wanted:
    """One deployment as it shall run: the two files of its folder. ``None`` files: it shall be gone."""

    name: str
    container: str | None = None
    environment: str | None = None


@dataclass(frozen=True)
class Found:
    """What the host has of one deployment.

    ``active`` is systemd's ActiveState (active, activating, failed, inactive ...), ``enabled`` its UnitFileState.
    """

    name: str
    container: str | None = None
    environment: str | None = None
    active: str = "inactive"
    enabled: bool = False


@dataclass(frozen=True)
class Step:
    """What happens to one deployment and why; ``keep`` and ``wait`` change nothing."""

    name: str
    action: Action
    reasons: tuple[str, ...] = ()
    write: bool = False
    enable: bool = False

    @property
    def changed(self) -> bool:
        """Whether the host differs afterwards."""
        return self.write or self.enable or self.action not in ("keep", "wait")


def container_file(deployment: t.Mapping[str, t.Any], image_id: str, settings: t.Mapping[str, t.Any]) -> str:
    """Render ``container.json``, all that the helper on the host needs to create, wait for and stop the container.

    ``deployment`` has the module's suboptions, ``settings`` the keys config_dir, network and start_timeout.
    ``config`` in it identifies everything that only a new container can take over.
    """
    name = deployment["name"]
    arguments = [
        "--name",
        container_name(name),
        "--hostname",
        name,
        "--restart",
        "no",
        "--network",
        settings["network"],
        "--publish",
        f"{_bracketed(deployment['bind_address'])}:{deployment['port']}:{CONTAINER_PORT}",
        "--env-file",
        f"{settings['config_dir']}/{name}/environment",
        "--cap-drop",
        "ALL",
        "--security-opt",
        "no-new-privileges",
        *_resources(deployment),
        image_id,
    ]
    fingerprint = hashlib.sha256("\0".join((*arguments, deployment["environment"])).encode()).hexdigest()
    content = {
        "arguments": arguments,
        "config": fingerprint,
        "drain_seconds": deployment["drain_seconds"],
        "image": deployment["image"],
        "image_id": image_id,
        "ok_url": f"http://{_local(deployment['bind_address'])}:{deployment['port']}/ok",
        "port": deployment["port"],
        "start_timeout": settings["start_timeout"],
    }
    return json.dumps(content, indent=2, sort_keys=True) + "\n"


def _resources(deployment: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    if deployment["memory"]:
        # No swap on top: a server that swaps answers too late to be of use.
        yield from ("--memory", deployment["memory"], "--memory-swap", deployment["memory"])
    if deployment["cpus"]:
        yield from ("--cpus", f"{deployment['cpus']:g}")
    if deployment["user"]:
        yield from ("--user", deployment["user"])
    if deployment["read_only"]:
        yield from ("--read-only", "--tmpfs", "/tmp")


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _local(address: str) -> str:
    return _bracketed({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address))


def plan(wanted: t.Sequence[Wanted], found: t.Mapping[str, Found]) -> list[Step]:
    """Decide, in the list's order, what each deployment needs."""
    return [_step(item, found.get(item.name) or Found(item.name)) for item in wanted]


def _step(wanted: Wanted, found: Found) -> Step:
    if wanted.container is None:
        gone = found.container is None and found.environment is None and found.active == "inactive"
        return Step(wanted.name, "keep") if gone and not found.enabled else Step(wanted.name, "remove")
    reasons = tuple(differences(wanted, found))
    write = bool(reasons)
    enable = not found.enabled
    running = found.active in ("active", "activating")
    if found.container is None:
        # Its folder may have been deleted under a running container, which then has yesterday's settings.
        return Step(wanted.name, "restart" if running else "create", ("new",), True, enable)
    if _config(wanted.container) != _config(found.container):
        return Step(wanted.name, "restart" if running else "start", reasons, True, enable)
    if found.active == "active":
        return Step(wanted.name, "keep", reasons, write, enable)
    if found.active == "activating":
        return Step(wanted.name, "wait", reasons, write, enable)
    return Step(wanted.name, "start", (*reasons, f"unit is {found.active}"), write, enable)


def _config(container: str) -> t.Any:
    return _loads(container).get("config")


def _loads(container: str | None) -> dict[str, t.Any]:
    """A file cut short by a full disk counts as different, not as an error."""
    try:
        content = json.loads(container or "{}")
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def differences(wanted: Wanted, found: Found) -> t.Iterator[str]:
    """Name what differs, never with a value of the environment."""
    before, after = _loads(found.container), _loads(wanted.container)
    for key in sorted(before.keys() | after.keys()):
        if key not in ("arguments", "config") and before.get(key) != after.get(key):
            yield key
    if before.get("arguments") != after.get("arguments") and before.get("image_id") == after.get("image_id"):
        yield "container options"
    old, new = variables(found.environment), variables(wanted.environment)
    if old == new and found.environment != wanted.environment:
        yield "environment file"
    yield from (f"variable {name}" for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name))


def variables(environment: str | None) -> dict[str, str]:
    """Split the engine's environment file into its variables.

    Only a newline ends a line there; anything else may stand in a value. What is no variable may be part of a secret.
    """
    pairs = (line.partition("=") for line in (environment or "").split("\n"))
    return {name: value for name, separator, value in pairs if separator}


def masked(container: str | None, environment: str | None, other_environment: str | None, side: str) -> str:
    """One side of a diff: the container's settings, and the variables by name with every value masked.

    A variable whose value differs from the other side says so, so that the diff shows what changes.
    """
    mine, other = variables(environment), variables(other_environment)
    settings = {key: value for key, value in _loads(container).items() if key != "config"}
    lines = [json.dumps(settings, indent=2, sort_keys=True)] if settings else []
    for name in sorted(mine):
        note = f" ({side})" if name in other and mine[name] != other[name] else ""
        lines.append(f"{name}=********{note}")
    return "".join(f"{line}\n" for line in lines)


def image_id(container: str | None) -> str | None:
    """The image that a container file names."""
    return _loads(container).get("image_id")


def summary(container: str | None) -> dict[str, t.Any]:
    """What a container file tells to people: image, image_id, port, drain_seconds."""
    content = _loads(container)
    return {key: content.get(key) for key in ("image", "image_id", "port", "drain_seconds")}
