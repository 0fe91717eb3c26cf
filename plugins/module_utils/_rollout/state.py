# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The shared state of a rollout: its options, and the host's deployments as the rollout changes them."""

from __future__ import annotations

import datetime
import typing as t
from dataclasses import dataclass, replace
from types import MappingProxyType

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.env_file import Variables
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
    """The host as the rollout changes it: what is known of its deployments, and its proxy.

    Other files read ``deployments`` and ``drained`` and change them only with the methods of this class.
    """

    def __init__(self, options: Options, client: t.Any, found: t.Mapping[str, Deployment]) -> None:
        self.options, self.client = options, client
        self._deployments = dict(found)
        self._drained: dict[str, set[int]] = {}

    # The present state

    @property
    def deployments(self) -> t.Mapping[str, Deployment]:
        """Return all deployments of the host, listed or not, in their current state."""
        return MappingProxyType(self._deployments)

    @property
    def drained(self) -> t.Mapping[str, t.AbstractSet[int]]:
        """Return the revisions that this run drains, or waits for: deployment -> numbers."""
        return MappingProxyType(self._drained)

    def revision(self, step: Step) -> Revision:
        """Return the revision of a step."""
        return self._revision(step.name, step.revision or 0)

    def serving(self, step: Step) -> Revision | None:
        """Return the serving revision of a step's deployment."""
        deployment = self._deployments.get(step.name)
        return deployment.serving if deployment else None

    def _revision(self, name: str, number: int) -> Revision:
        revision = self._deployments[name].get(number)
        if revision is None:
            raise RolloutError(f"deployment '{name}' has no revision {number or None}")
        return revision

    # Changes of one revision

    def put_revision(self, name: str, revision: Revision) -> None:
        """Add a revision whose files were written, or set the state of one to that of an earlier moment."""
        deployment = self._deployments.get(name) or Deployment(name)
        others = tuple(other for other in deployment.revisions if other.number != revision.number)
        self._deployments[name] = replace(deployment, revisions=(*others, revision))

    def set_active(self, name: str, number: int, active: str) -> None:
        """Set systemd's state of a revision's unit."""
        self.put_revision(name, replace(self._revision(name, number), active=active))

    def set_endpoint(self, name: str, number: int, endpoint: t.Mapping[str, t.Any] | None) -> None:
        """Set the endpoint of a revision's container; None: it has none any longer."""
        self.put_revision(name, replace(self._revision(name, number), endpoint=endpoint))

    # Changes of one deployment

    def set_settings(self, name: str, settings: t.Mapping[str, t.Any]) -> None:
        """Set a deployment's settings, among them which revision serves."""
        self._deployments[name] = replace(self._deployments[name], settings=settings)

    def set_credentials(self, name: str, credentials: Variables) -> None:
        """Set the credentials of the serving revision."""
        self._deployments[name] = replace(self._deployments[name], credentials_file=credentials)

    def release_port(self, name: str) -> None:
        """Take a deployment out of the proxy, so that a container can have its port.

        A port that a container had stays reserved for it (``kept``).
        """
        settings = self._deployments[name].settings or {}
        self.set_settings(name, {**settings, "proxy": "none", "kept": settings.get("proxy") == "none"})

    def unroute(self, name: str) -> None:
        """Remove a deployment's settings: it has no route, and no revision serves."""
        self._deployments[name] = replace(self._deployments[name], settings=None)

    def set_stopped(self, name: str) -> None:
        """Record by whom and when a deployment is stopped: it has no route, and no revision serves until it is started again."""
        deployment = self._deployments[name]
        if deployment.settings is not None and not deployment.stopped:
            self.set_settings(name, {**deployment.settings, "stopped": {"by": self.options.by, "at": self.now()}})

    def set_ended(self, name: str) -> None:
        """Set the state of all revisions of a deployment whose units were stopped."""
        deployment = self._deployments[name]
        ended = (replace(item, active="inactive", enabled=False, draining=False) for item in deployment.revisions)
        self._deployments[name] = replace(deployment, revisions=tuple(ended))

    def forget(self, name: str) -> None:
        """Remove a deployment whose files were removed."""
        del self._deployments[name]

    def note_drained(self, name: str, numbers: t.Iterable[int]) -> None:
        """Note that revisions are draining."""
        self._drained.setdefault(name, set()).update(numbers)

    # Back to an earlier state

    def restore(self, before: t.Mapping[str, Deployment], but: t.Container[str] = ()) -> None:
        """Set all deployments to the state that a copy of ``deployments`` has, except for those named in ``but``."""
        stay = {name: deployment for name, deployment in self._deployments.items() if name in but}
        self._deployments = {**before, **stay}

    def restore_deployment(self, before: Deployment) -> None:
        """Set one deployment to the state that it had before."""
        self._deployments[before.name] = before

    @staticmethod
    def now() -> str:
        """Return the current time in the format of the host's files."""
        return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")  # noqa: UP017 - Python 3.10

    # The proxy

    def load_proxy(self, asking: t.Iterable[str] = ()) -> None:
        """Load the routes of the host's deployments into the proxy, unless it has them already."""
        try:
            text = proxy_text(self._deployments, asking)
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
