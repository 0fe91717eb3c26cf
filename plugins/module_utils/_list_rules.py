# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Rules between the deployments of a list, and between them and what is there already."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.selfhost.langgraph.plugins.module_utils._images import normal_reference
from ansible_collections.selfhost.langgraph.plugins.module_utils._problems import Problem, shown
from ansible_collections.selfhost.langgraph.plugins.module_utils._settings import (
    CONNECTIONS_BESIDE_POOL,
    DEFAULT_POOL_SIZE,
)

Values = t.Mapping[str, t.Any]

# Docs: Postgres keeps superuser_reserved_connections (3); the rest is for backups, monitoring and people.
RESERVED_CONNECTIONS = 13
# Programs that hold a port for a container.
ENGINE_PROGRAMS = frozenset({"docker-proxy", "dockerd", "another program"})


@dataclass(frozen=True)
class Surroundings:
    """What the check must know besides the list.

    - ``env_files``: path as written -> text, or None where no such file exists on the control node.
    - ``listening``: port -> name of the program that listens there on the host.
    - ``deployed``: deployment -> port, of what this collection already runs on the host.
    - ``images``: references of the images that are on the host or will be loaded; None: any image can be pulled.
    - ``connections``: deployment -> connections that its replicas on all hosts may open together.
    - ``max_connections``: the limit of a Postgres that is not sized by us, else None.
    """

    secret_key: str
    env_files: t.Mapping[str, str | None] = field(default_factory=dict)
    listening: t.Mapping[int, str] = field(default_factory=dict)
    deployed: t.Mapping[str, int] = field(default_factory=dict)
    images: t.Collection[str] | None = None
    max_connections: int | None = None
    redis_databases: int | None = None
    bind_address: str = "127.0.0.1"
    connections: t.Mapping[str, int] = field(default_factory=dict)


def shared_problems(checked: t.Sequence[Values], surroundings: Surroundings) -> t.Iterator[Problem]:
    """Rules between deployments, and between them and the host."""
    present = [values for values in checked if values["state"] != "absent"]
    yield from _twice(checked, "name", "is the name of two deployments", "a name is the identity of one deployment")
    yield from _twice(present, "port", "port {value} is also that of '{other}'", "give each deployment its own port")
    taken = "number {value} is also asked for by '{other}'"
    yield from _twice(present, "redis_number", taken, "leave it out and the collection gives a free one")
    yield from _prefix_twice(present)
    yield from _port_taken(present, {values["name"] for values in checked}, surroundings)
    yield from _connections(present, surroundings.max_connections)
    yield from _redis_numbers(present, surroundings.redis_databases)


def _twice(checked: t.Sequence[Values], option: str, finding: str, remedy: str) -> t.Iterator[Problem]:
    seen: dict[t.Any, str] = {}
    for values in checked:
        value = values[option]
        if value is None:
            continue
        if value in seen:
            yield Problem(values["_label"], option, finding.format(value=value, other=seen[value]), remedy)
        seen.setdefault(value, values["_label"])


def _prefix_twice(present: t.Sequence[Values]) -> t.Iterator[Problem]:
    """Channels of pub/sub know no Redis numbers: only the prefix keeps two deployments apart there."""
    seen: dict[str, str] = {}
    for values in present:
        if values["name"] is None:
            continue
        prefix = values["redis_key_prefix"] or default_prefix(values["name"])
        if seen.setdefault(prefix, values["name"]) != values["name"]:
            finding = f"'{shown(prefix)}' is also that of '{seen[prefix]}', and Redis channels know no numbers"
            yield Problem(values["_label"], "redis_key_prefix", finding, "leave it out and each has its own")


def default_prefix(name: str) -> str:
    """The prefix of a deployment's keys and channels where the user names none."""
    return f"{name}:"


def _port_taken(
    present: t.Sequence[Values], listed: t.Collection[str | None], surroundings: Surroundings
) -> t.Iterator[Problem]:
    """Ports that a program holds, but for our own containers that the list moves or takes away."""
    holders = {port: name for name, port in surroundings.deployed.items()}
    for values in present:
        port = values["port"]
        program = surroundings.listening.get(port)
        holder = holders.get(port) if program in ENGINE_PROGRAMS else None
        if program is None or holder in listed:
            continue
        by = f"deployment '{holder}', which is not in the list" if holder else f"'{program}'"
        yield Problem(values["_label"], "port", f"port {port} of the host is taken by {by}", "choose a free port")


def connections_needed(pool: int | None) -> int:
    """Connections that one replica may open."""
    return (pool or DEFAULT_POOL_SIZE) + CONNECTIONS_BESIDE_POOL


def _connections(present: t.Sequence[Values], max_connections: int | None) -> t.Iterator[Problem]:
    if max_connections is None or not present:
        return
    option = "langgraph_postgres_pool_max_size"
    needed = sum(connections_needed(values[option]) for values in present)
    left = max_connections - RESERVED_CONNECTIONS
    if needed > left:
        largest = max(present, key=lambda values: connections_needed(values[option]))
        finding = f"all deployments ({len(present)}) need {needed} connections, and max_connections leaves {left}"
        remedy = f"lower the pools (this is the largest) or raise max_connections to {needed + RESERVED_CONNECTIONS}"
        yield Problem(largest["_label"], option, finding, remedy)


def _redis_numbers(present: t.Sequence[Values], databases: int | None) -> t.Iterator[Problem]:
    if databases is None:
        return
    if len(present) > databases - 1:
        first_without = present[databases - 1]["_label"] if databases > 0 else present[0]["_label"]
        finding = f"the list has {len(present)} deployments, and Redis {databases - 1} numbers beside the reserved 0"
        yield Problem(first_without, "redis_number", finding, f"set redis_databases to {len(present) + 1} or more")
    for values in present:
        number = values["redis_number"]
        if number is not None and number >= databases:
            remedy = f"choose 1 to {databases - 1}, or raise redis_databases"
            yield Problem(values["_label"], "redis_number", f"{number} is out of range", remedy)


def image_problems(checked: t.Sequence[Values], images: t.Collection[str] | None) -> t.Iterator[Problem]:
    """Images that neither the host nor an archive has, where nothing may be pulled."""
    if images is None:
        return
    for values in checked:
        if values["state"] != "absent" and values["image"] and normal_reference(values["image"]) not in images:
            remedy = "load it there, list its archive in langgraph_image_archives, or set langgraph_image_pull: missing"
            yield Problem(values["_label"], "image", f"the host has no image '{shown(values['image'])}'", remedy)
