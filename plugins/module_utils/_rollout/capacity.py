# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Limit the extra revisions, which run in addition to the serving ones on the whole host, to the connection budget."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._host import systemd
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.model import Deployment, unit_name
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout import start

if t.TYPE_CHECKING:
    from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.plan import Step
    from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.state import RolloutHost

Running = t.AbstractSet[t.Tuple[str, int]]  # noqa: UP006 - Python 3.8
# States of a unit in which its container may hold connections.
_HOLDING = ("active", "activating", "deactivating")


def count(running: Running) -> int:
    """Count the revisions (deployment and number) that run in addition to another one of their deployment."""
    return len(running) - len({name for name, _number in running})


def fitting(steps: t.Iterable[Step], running: Running, most: int) -> list[Step]:
    """Return the steps that may start while ``running`` run; a step that adds no extra revision always may."""
    admitted, up = [], set(running)
    for step in steps:
        more = up | {(step.name, step.revision or 0)}
        if count(more) <= max(most, count(up)):
            admitted.append(step)
            up = more
    return admitted


def known(deployments: t.Mapping[str, Deployment]) -> set[tuple[str, int]]:
    """Return the revisions that ran when the host was read."""
    return {
        (name, revision.number)
        for name, deployment in deployments.items()
        for revision in deployment.revisions
        if revision.active in _HOLDING
    }


class Room:
    """Decides which steps may start now, and how long the others wait."""

    def __init__(self, host: RolloutHost) -> None:
        self._host, self._most = host, host.options.max_extra
        self._seen: Running | None = None
        self._until = 0.0

    def admit(self, steps: t.Sequence[Step], starting: t.Iterable[Step]) -> list[Step]:
        """Return those of ``steps`` that may start while ``starting`` are about to run."""
        own = {(step.name, step.revision or 0) for step in starting}
        # A start only adds to what was running, so systemd is queried only if that exceeds the limit.
        admitted = fitting(steps, known(self._host.deployments) | own, self._most) if self._seen is None else []
        if len(admitted) < len(steps):
            running = self._running()
            if running != self._seen:
                self._seen, self._until = running, time.monotonic() + self._patience()
            admitted = fitting(steps, running | own, self._most)
        return admitted

    def is_hopeless(self) -> bool:
        """Return whether nothing has ended for as long as a drain may take."""
        return time.monotonic() > self._until

    def refusal(self) -> str:
        """Return the message that says why the other steps cannot start."""
        return (
            f"{count(self._running())} revisions still run in addition to the serving ones, and langgraph_max_extra_revisions is "
            f"{self._most}; see 'systemctl list-units langgraph-drain@*'"
        )

    def _running(self) -> set[tuple[str, int]]:
        units = {
            unit_name(name, revision.number): (name, revision.number)
            for name, deployment in self._host.deployments.items()
            for revision in deployment.revisions
        }
        states = systemd.unit_states(list(units))
        return {units[unit] for unit, state in states.items() if state.active in _HOLDING}

    def _patience(self) -> float:
        return max((start.drain_time(each, each.revisions) for each in self._host.deployments.values()), default=0)
