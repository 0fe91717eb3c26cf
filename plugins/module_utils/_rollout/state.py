# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the parts of a rollout share: how it is to go, what came of each step, and the host as it is at each moment."""

from __future__ import annotations

import datetime
import typing as t
from dataclasses import dataclass, replace

from ansible_collections.selfhost.langgraph.plugins.module_utils._haproxy import config, reload
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.model import Deployment, Revision
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.plan import Step
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.routing import proxy_text


class RolloutError(RuntimeError):
    """The host cannot do what the rollout needs; the text says what and for which deployment."""


@dataclass(frozen=True)
class Options:
    """How to roll out; seconds and counts. ``by`` is who asked for it, ``snapshot_dir`` where dumps go, if any.

    ``remove_dumps``: a deployment that is removed takes the dumps of its database with it.
    """

    config_dir: str
    parallel: int = 8
    min_healthy_time: float = 0.0
    max_running: int = 3
    max_extra: int = 8
    keep_revisions: int = 5
    snapshot_dir: str | None = None
    by: str = ""
    remove_dumps: bool = False


def unlogged(step: Step, code: str, cause: str) -> dict[str, t.Any]:
    """One that no log explains."""
    return {"name": step.name, "revision": step.revision, "code": code, "cause": cause, "line": "", "log": []}


class RolloutHost:
    """The host as the rollout sees it while it changes it.

    ``world`` has all its deployments, listed or not, as they are by now; ``drained`` what this run let drain:
    deployment -> numbers.
    """

    def __init__(self, options: Options, client: t.Any, found: t.Mapping[str, Deployment]) -> None:
        self.options, self.client = options, client
        self.world = dict(found)
        self.drained: dict[str, set[int]] = {}

    # Looking

    def revision(self, step: Step) -> Revision:
        """The revision that a step is about."""
        revision = self.world[step.name].get(step.revision or 0)
        if revision is None:
            raise RolloutError(f"deployment '{step.name}' has no revision {step.revision}")
        return revision

    def serving(self, step: Step) -> Revision | None:
        """The revision of the step's deployment that clients reach."""
        deployment = self.world.get(step.name)
        return deployment.serving if deployment else None

    def replace_revision(self, name: str, revision: Revision) -> None:
        """Note how a revision is from now on."""
        deployment = self.world[name]
        others = tuple(other for other in deployment.revisions if other.number != revision.number)
        self.world[name] = replace(deployment, revisions=(*others, revision))

    @staticmethod
    def now() -> str:
        """The time as the host's files have it."""
        return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")  # noqa: UP017 - Python 3.10

    # The proxy

    def load_proxy(self, asking: t.Iterable[str] = ()) -> None:
        """Have the proxy run what the host's deployments ask for; nothing where it does already."""
        try:
            text = proxy_text(self.world, asking)
        except ValueError as error:
            raise reload.ProxyError(str(error)) from error
        if text is not None:
            reload.load(text)

    def let_go(self, but: type[reload.ProxyError] | None = None) -> bool:
        """The same where it is not the end of it: what a killed run left may make it impossible. Tell whether it is done.

        ``but`` is what ends it all the same.
        """
        try:
            self.load_proxy()
        except reload.ProxyError as error:
            if but and isinstance(error, but):
                raise
            return False
        return True

    @staticmethod
    def named_by_proxy() -> set[tuple[str, int]]:
        """The revisions that the proxy's file sends clients to: deployment and number."""
        return config.targets(reload.read() or "")
