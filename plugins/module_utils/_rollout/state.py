# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The shared state of a rollout: its options, and the host's deployments as the rollout changes them."""

from __future__ import annotations

import datetime
import typing as t
from dataclasses import dataclass, replace

from ansible_collections.selfhost.langgraph.plugins.module_utils._haproxy import config, reload
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.model import Deployment, Revision
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.plan import Step
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.routing import proxy_text


class RolloutError(RuntimeError):
    """The host cannot do what the rollout needs; the message says what, and for which deployment."""


@dataclass(frozen=True)
class Options:
    """Options of a rollout, in seconds and counts. ``by`` is who requested it, ``snapshot_dir`` the directory for dumps, if any.

    ``remove_dumps``: whether the dumps of its database are removed with a deployment.
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
    """Return a failure that has no log."""
    return {"name": step.name, "revision": step.revision, "code": code, "cause": cause, "line": "", "log": []}


class RolloutHost:
    """The host as the rollout changes it.

    ``deployments`` has all its deployments, listed or not, in their current state; ``drained`` has the revisions that this run
    drains: deployment -> numbers.
    """

    def __init__(self, options: Options, client: t.Any, found: t.Mapping[str, Deployment]) -> None:
        self.options, self.client = options, client
        self.deployments = dict(found)
        self.drained: dict[str, set[int]] = {}

    # Deployments and revisions

    def revision(self, step: Step) -> Revision:
        """Return the revision of a step."""
        revision = self.deployments[step.name].get(step.revision or 0)
        if revision is None:
            raise RolloutError(f"deployment '{step.name}' has no revision {step.revision}")
        return revision

    def serving(self, step: Step) -> Revision | None:
        """Return the serving revision of a step's deployment."""
        deployment = self.deployments.get(step.name)
        return deployment.serving if deployment else None

    def replace_revision(self, name: str, revision: Revision) -> None:
        """Set the current state of a revision."""
        deployment = self.deployments[name]
        others = tuple(other for other in deployment.revisions if other.number != revision.number)
        self.deployments[name] = replace(deployment, revisions=(*others, revision))

    @staticmethod
    def now() -> str:
        """Return the current time in the format of the host's files."""
        return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")  # noqa: UP017 - Python 3.10

    # The proxy

    def load_proxy(self, asking: t.Iterable[str] = ()) -> None:
        """Load the routes of the host's deployments into the proxy, unless it has them already."""
        try:
            text = proxy_text(self.deployments, asking)
        except ValueError as error:
            raise reload.ProxyError(str(error)) from error
        if text is not None:
            reload.load(text)

    def try_load_proxy(self, but: type[reload.ProxyError] | None = None) -> bool:
        """Like load_proxy(), but return False if it fails: leftovers of a killed run may make it impossible.

        An error of the class ``but`` is raised all the same.
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
        """Return the revisions to which the proxy's file routes clients: deployment and number."""
        return config.targets(reload.read() or "")
