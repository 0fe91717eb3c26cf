# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The number of Postgres connections that deployments can open at once, and the max_connections that follows. No I/O.

Each deployment has one serving revision. Other revisions run next to it for a while, starting or draining. One deployment
runs at most ``running`` revisions, and one host at most ``extra`` revisions in addition to the serving ones: a rollout
waits for a drain to end before it starts one more.
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

# Docs: Postgres reserves superuser_reserved_connections (3); the rest is for backups, monitoring and administrators.
RESERVED_CONNECTIONS = 13
FIRST_STEP = 100
# Fraction of the needed connections that is added as a reserve when Postgres must grow: each growth restarts it.
HEAD_ROOM = 0.2


def pool_connections(pool: int | None) -> int:
    """Return the number of connections that one revision may open."""
    return (pool or DEFAULT_POOL_SIZE) + CONNECTIONS_BESIDE_POOL


def host_connections(sizes: t.Iterable[int], running: int, extra: int) -> int:
    """Return the number of connections that all revisions of a host may open together.

    ``sizes`` has one number per deployment: the connections of one of its revisions. The revisions that run in addition
    to the serving ones are assumed to be the largest.
    """
    each = list(sizes)
    additional = sorted((size for size in each for _revision in range(running - 1)), reverse=True)
    return sum(each) + sum(additional[:extra])


def role_connections(size: int, running: int, extra: int) -> int:
    """Return the number of connections that the revisions of one deployment may open on one host."""
    return size * max(1, min(running, 1 + extra))


def max_connections(needed: int, observed: int = 0) -> int:
    """Return the ``max_connections`` of Postgres: the observed value if it is enough, else a doubling with a reserve.

    The value is never lowered: a restart would interrupt every deployment and gain nothing.
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
    """Return the number of connections that the deployments of all hosts may open.

    ``hosts`` are the unchecked variables of each host. With ``server``, the inventory name of a host with Postgres, only
    hosts that use that Postgres count; ``groups`` are the groups of the inventory.
    """
    if server is not None:
        wanted = removal.service_name(server, "postgres")
        hosts = [host for host in hosts if removal.services(host, groups or {})[1] == wanted]
    return sum(
        host_connections([_size(deployment) for deployment in _running(host)], *_revisions(host)) for host in hosts
    )


# What connections_by_name() reads of a host.
HOST_VARIABLES = ("langgraph_deployments", "langgraph_max_running_revisions", "langgraph_max_extra_revisions")


def connections_by_name(hosts: t.Sequence[t.Mapping[str, t.Any]]) -> dict[str, int]:
    """Return the connections per deployment: its replicas on all hosts share one role."""
    by_name: dict[str, int] = {}
    for host in hosts:
        for deployment in _running(host):
            name = str(deployment.get("name"))
            connections = role_connections(_size(deployment), *_revisions(host))
            by_name[name] = by_name.get(name, 0) + connections
    return by_name


def _size(deployment: t.Mapping[str, t.Any]) -> int:
    return pool_connections(_number(deployment.get("langgraph_postgres_pool_max_size")))


def _revisions(host: t.Mapping[str, t.Any]) -> tuple[int, int]:
    """Return how many revisions of one deployment may run on the host, and how many in addition to all serving ones."""
    return (
        _number(host.get("langgraph_max_running_revisions")) or DEFAULT_RUNNING_REVISIONS,
        _number(host.get("langgraph_max_extra_revisions")) or DEFAULT_EXTRA_REVISIONS,
    )


def _running(host: t.Mapping[str, t.Any]) -> list[t.Mapping[str, t.Any]]:
    entries = host.get("langgraph_deployments")
    return [entry for entry in entries if _runs(entry)] if isinstance(entries, (list, tuple)) else []


def _runs(deployment: t.Any) -> bool:
    return isinstance(deployment, t.Mapping) and deployment.get("state") != "stopped"


def _number(written: t.Any) -> int | None:
    """Return the number, or None if it is invalid: the check refuses it with its own message."""
    try:
        return int(written or 0) or None
    except (TypeError, ValueError):
        return None
