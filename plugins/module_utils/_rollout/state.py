# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the parts of a rollout share: how it is to go, what came of each step, and the host as it is at each moment."""

from __future__ import annotations

import datetime
import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.selfhost.langgraph.plugins.module_utils._haproxy import config, reload
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.model import (
    Deployment,
    Revision,
    route,
    routes,
    same_port,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.plan import Step


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


@dataclass
class Report:
    """What came of one step; ``runs`` are counts by status before and after the switch, None where unknown."""

    step: Step
    failure: dict[str, t.Any] | None = None
    runs: dict[str, t.Any] = field(default_factory=dict)
    snapshot: str | None = None


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


def proxy_text(world: t.Mapping[str, Deployment], asking: t.Iterable[str] = ()) -> str | None:
    """What the proxy has to run for the deployments of a host; None where it has never been asked for.

    ValueError where they cannot go together, or where another one still has the address that one is ``asking`` for.
    """
    found = routes(world.values())
    for name in asking:
        _refuse_taken(
            world[name], [other for other in world.values() if other.name not in (name, *(r.name for r in found))]
        )
    return config.render(found) if found or reload.read() is not None else None


def _refuse_taken(deployment: Deployment, unrouted: t.Iterable[Deployment]) -> None:
    """Those that the proxy does not serve at the moment have their addresses all the same: to come back to."""
    mine = deployment.settings or {}
    for other in unrouted:
        theirs = other.settings or {}
        if mine.get("proxy") != "haproxy" or other.serving is None or not same_port(mine, theirs):
            continue
        if theirs["proxy"] == "none":
            raise ValueError(
                f"deployment '{deployment.name}' cannot have port {mine['port']}: deployment '{other.name}' has it "
                "without the proxy"
            )
        config.render([route(item.name, item.settings or {}, 0, {"port": 1}) for item in (deployment, other)])
