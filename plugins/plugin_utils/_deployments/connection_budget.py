# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""How many connections to Postgres deployments can hold at once, and how large that makes Postgres. No I/O.

Each deployment has one revision that serves. Beside it others run for a while, which start or drain. There are at most
``running`` of one deployment, and at most ``extra`` beside those that serve on one host: a rollout waits for a drain
before it would start one more.
"""

from __future__ import annotations

import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.deployment_options import (
    CONNECTIONS_BESIDE_POOL,
    DEFAULT_EXTRA_REVISIONS,
    DEFAULT_POOL_SIZE,
    DEFAULT_RUNNING_REVISIONS,
)
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments import removal

# Docs: Postgres keeps superuser_reserved_connections (3); the rest is for backups, monitoring and people.
RESERVED_CONNECTIONS = 13
FIRST_STEP = 100
# What is left free, of what is needed, where Postgres has to grow: each growth restarts it.
HEAD_ROOM = 0.2


def pool_connections(pool: int | None) -> int:
    """Connections that one revision may open."""
    return (pool or DEFAULT_POOL_SIZE) + CONNECTIONS_BESIDE_POOL


def host_connections(sizes: t.Iterable[int], running: int, extra: int) -> int:
    """Connections that all revisions of a host may hold together; ``sizes`` has those of one revision of each deployment.

    Those that run beside the ones that serve are taken to be the largest.
    """
    each = list(sizes)
    beside = sorted((size for size in each for _turn in range(running - 1)), reverse=True)
    return sum(each) + sum(beside[:extra])


def role_connections(size: int, running: int, extra: int) -> int:
    """Connections that the revisions of one deployment may hold on one host."""
    return size * max(1, min(running, 1 + extra))


def max_connections(needed: int, observed: int = 0) -> int:
    """What Postgres is to allow: what it allows already where that will do, else a doubling with head room.

    It never goes down by itself: a restart interrupts every deployment, and gains nothing.
    """
    if needed + RESERVED_CONNECTIONS <= observed:
        return observed
    step = FIRST_STEP
    while step < needed * (1 + HEAD_ROOM) + RESERVED_CONNECTIONS:
        step *= 2
    return step


def connections_needed(
    hosts: t.Iterable[t.Mapping[str, t.Any]],
    server: str | None = None,
    groups: t.Mapping[str, t.Sequence[str]] | None = None,
) -> int:
    """Connections that the deployments of all hosts may hold; ``hosts`` are the variables of each host, unchecked.

    With ``server``, the inventory's name of a host with Postgres, those of the hosts alone that use that one; ``groups`` are
    those of the inventory.
    """
    if server is not None:
        mine = removal.service_name(server, "postgres")
        hosts = [host for host in hosts if removal.services(host, groups or {})[1] == mine]
    return sum(
        host_connections([_size(deployment) for deployment in _running(host)], *_revisions(host)) for host in hosts
    )


def connections_by_name(hosts: t.Sequence[t.Mapping[str, t.Any]]) -> dict[str, int]:
    """Those of each deployment: its replicas on all hosts share one role."""
    by_name: dict[str, int] = {}
    for host in hosts:
        for deployment in _running(host):
            name = str(deployment.get("name"))
            mine = role_connections(_size(deployment), *_revisions(host))
            by_name[name] = by_name.get(name, 0) + mine
    return by_name


def _size(deployment: t.Mapping[str, t.Any]) -> int:
    return pool_connections(_number(deployment.get("langgraph_postgres_pool_max_size")))


def _revisions(host: t.Mapping[str, t.Any]) -> tuple[int, int]:
    """How many revisions of a deployment may run on the host, and how many of all beside those that serve."""
    return (
        _number(host.get("langgraph_max_running_revisions")) or DEFAULT_RUNNING_REVISIONS,
        _number(host.get("langgraph_max_extra_revisions")) or DEFAULT_EXTRA_REVISIONS,
    )


def _running(host: t.Mapping[str, t.Any]) -> list[t.Mapping[str, t.Any]]:
    entries = host.get("langgraph_deployments")
    return [entry for entry in entries if _runs(entry)] if isinstance(entries, (list, tuple)) else []


def _runs(deployment: t.Any) -> bool:
    return isinstance(deployment, t.Mapping) and deployment.get("state") != "absent"


def _number(written: t.Any) -> int | None:
    """A number as written; what is none is refused by the check, with a message of its own."""
    try:
        return int(written or 0) or None
    except (TypeError, ValueError):
        return None
