# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""How many connections to Postgres deployments can hold at once, and how large that makes Postgres. No I/O.

Each deployment has one revision that serves. Beside it others run for a while, which start or drain. There are at most
``running`` of one deployment, and at most ``extra`` beside those that serve on one host: a rollout waits for a drain
before it would start one more.
"""

from __future__ import annotations

import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.deployment_options import (
    CONNECTIONS_BESIDE_POOL,
    DEFAULT_POOL_SIZE,
)

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
