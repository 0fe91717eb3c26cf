# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Start one revision next to the serving one: wait for capacity, start it, and wait until it is healthy."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.env_file import Variables
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.failpoints import failpoint
from ansible_collections.selfhost.langgraph.plugins.module_utils._host import systemd
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.model import (
    Deployment,
    Revision,
    drain_unit_name,
    local_url,
    unit_name,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.failures import collect_failure
from ansible_collections.selfhost.langgraph.plugins.module_utils._server import health, runs

POLL_SECONDS = 0.5


class BringUpError(RuntimeError):
    """A revision cannot be started; the message gives the reason, the caller adds the deployment."""


def start_and_wait(
    name: str, revision: Revision, deadline: float, min_healthy_time: float, secrets: Variables
) -> dict[str, t.Any] | None:
    """Start a revision; return None once it has been healthy for ``min_healthy_time`` s, else the failure.

    ``deadline`` is in seconds of time.monotonic(); systemd has its own deadline, from the revision's endpoint file.
    ``secrets`` are the variables of both its environment files, which are masked in messages.
    """
    begun, unit = time.time(), unit_name(name, revision.number)
    systemd.start([unit])
    failpoint("started")
    state = systemd.unit_states([unit])[unit]
    answer = None
    if state.active == "active" and revision.endpoint:
        answer = health.wait_until_stable(f"{local_url(revision.endpoint)}/ok?check_db=1", min_healthy_time, deadline)
        state = systemd.unit_states([unit])[unit]
        if answer.ok and state.active == "active":
            failpoint("healthy")
            return None
    memory = revision.content.memory if revision.content else ""
    return collect_failure(name, revision.number, state, answer, secrets, begun, memory)


def wait_for_capacity(deployment: Deployment, number: int, most: int) -> None:
    """Wait for the oldest drain if revision ``number`` would exceed ``most`` running revisions, the connection budget.

    Raises BringUpError if no drain has ended within the time that the slowest may take.
    """
    others = [
        revision
        for revision in deployment.revisions
        if (revision.running or revision.active == "deactivating") and revision.number != number
    ]
    deadline = time.monotonic() + drain_time(deployment, others)
    units = [unit_name(deployment.name, revision.number) for revision in others]
    while True:
        states = systemd.unit_states(units)
        running = [unit for unit in units if states[unit].active in ("active", "activating", "deactivating")]
        if len(running) < most:
            return
        if time.monotonic() > deadline:
            raise BringUpError(
                f"{len(running)} revisions still run, and langgraph_max_running_revisions is {most}; see "
                f"'systemctl list-units langgraph-drain@{deployment.name}.*'"
            )
        time.sleep(POLL_SECONDS)


def count_runs(deployment: Deployment, revision: Revision | None) -> dict[str, int] | None:
    """Return the runs in flight by status, as the server's API reports them; None if it does not."""
    if revision is None or revision.endpoint is None or not deployment.settings:
        return None
    try:
        found = runs.in_flight(f"{local_url(revision.endpoint)}{deployment.settings.get('prefix') or ''}")
    except runs.RunsUnknown:
        return None
    return runs.counts(status for _thread, status in found.values())


def wait_for_drains(deployment: Deployment, numbers: t.Iterable[int]) -> list[int]:
    """Wait until none of these revisions is draining, or until the time limit of their drains is over.

    Returns those that are still draining then.
    """
    units = {drain_unit_name(deployment.name, number): number for number in numbers}
    revisions = [revision for revision in deployment.revisions if revision.number in units.values()]
    deadline = time.monotonic() + drain_time(deployment, revisions)
    while True:
        states = systemd.unit_states(list(units))
        left = [units[unit] for unit, state in states.items() if state.active in ("active", "activating")]
        if not left or time.monotonic() > deadline:
            return sorted(left)
        time.sleep(POLL_SECONDS)


def drain_time(deployment: Deployment, revisions: t.Iterable[Revision]) -> float:
    """Return the seconds that drains may take: until the sessions have ended, until the runs have ended, and some slack."""
    longest = max((revision.content.drain_seconds for revision in revisions if revision.content), default=0)
    return (deployment.settings or {}).get("drain_limit", 0) + longest + 60
