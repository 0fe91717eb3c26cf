# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""One revision up and healthy, beside what serves: room for it, and how it went."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.failpoints import reach
from ansible_collections.selfhost.langgraph.plugins.module_utils._host import systemd
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.model import (
    Deployment,
    Revision,
    drain_unit_name,
    local_url,
    unit_name,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.failures import explain
from ansible_collections.selfhost.langgraph.plugins.module_utils._server import health, runs

POLL_SECONDS = 0.5


class BringUpError(RuntimeError):
    """A revision cannot even be started; the text says why, the caller which deployment it is."""


def until_healthy(
    name: str, revision: Revision, deadline: float, min_healthy_time: float, secrets: str
) -> dict[str, t.Any] | None:
    """Start a revision; None once it has been healthy for ``min_healthy_time`` s, else why it is not.

    ``deadline`` is in seconds of time.monotonic(); systemd has one of its own, from the revision's slot. ``secrets`` is the
    text of both its environment files, which no message repeats.
    """
    begun, unit = time.time(), unit_name(name, revision.number)
    systemd.start([unit])
    reach("started")
    state = systemd.unit_states([unit])[unit]
    answer = None
    if state.active == "active" and revision.slot:
        answer = health.wait_until_stable(f"{local_url(revision.slot)}/ok?check_db=1", min_healthy_time, deadline)
        state = systemd.unit_states([unit])[unit]
        if answer.ok and state.active == "active":
            reach("healthy")
            return None
    return explain(name, revision.number, state, answer, secrets, begun)


def make_room(deployment: Deployment, number: int, most: int) -> None:
    """Wait for the oldest drain where ``number`` would be one more revision than the connection budget has.

    Raises BringUpError where none has ended when the last one's time was over.
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
    """Runs in flight by status, as the server's own API tells; None where it does not."""
    if revision is None or revision.slot is None or not deployment.settings:
        return None
    try:
        found = runs.in_flight(f"{local_url(revision.slot)}{deployment.settings.get('prefix') or ''}")
    except runs.RunsUnknown:
        return None
    return runs.counts(status for _thread, status in found.values())


def wait_for_drains(deployment: Deployment, numbers: t.Iterable[int]) -> list[int]:
    """Come back when none of these revisions is being drained any more, or when the time of their drains is over.

    Gives those that are still being drained then.
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
    """Seconds that drains of revisions may take: until nobody uses them, until their runs have ended, and some more."""
    longest = max((revision.content.drain_seconds for revision in revisions if revision.content), default=0)
    return (deployment.settings or {}).get("drain_limit", 0) + longest + 60
