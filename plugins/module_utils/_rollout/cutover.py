# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The cutover: clients reach the new revisions, the host records them, and the old ones drain, in the order of apply.py.

Several steps switch with one reload of the proxy. A step that needs an address which another deployment still uses waits.
"""

from __future__ import annotations

import contextlib
import typing as t
from dataclasses import dataclass, replace

from ansible_collections.selfhost.langgraph.plugins.module_utils._common import credentials as _credentials
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.failpoints import failpoint
from ansible_collections.selfhost.langgraph.plugins.module_utils._haproxy import reload
from ansible_collections.selfhost.langgraph.plugins.module_utils._host import systemd
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions import store
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.model import (
    Deployment,
    Revision,
    Wanted,
    unit_name,
    with_limits,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout import retire
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.plan import Step
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.routing import proxy_text
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.state import RolloutHost
from ansible_collections.selfhost.langgraph.plugins.module_utils._server import schema as _schema


@dataclass(frozen=True)
class Refusal:
    """The reason why a step did not switch.

    ``code`` is ``proxy`` if the proxy rejected its routes: it keeps its previous routes, and so does the host. ``serves``:
    clients reach the new revision all the same, which is only not recorded.
    """

    step: Step
    code: str
    why: str
    serves: bool = False


class Cutover:
    """Switches the steps of one rollout."""

    def __init__(self, host: RolloutHost, wanted: t.Mapping[str, Wanted]) -> None:
        self._host, self._wanted = host, wanted

    def fits(self, steps: t.Sequence[Step]) -> bool:
        """Return whether the proxy can route all of them, in addition to the host's other deployments."""
        deployments = self._host.deployments
        served = {step.name: replace(deployments[step.name], settings=self._settings(step)) for step in steps}
        try:
            proxy_text({**deployments, **served}, [step.name for step in steps])
        except ValueError:
            return False
        return True

    def switch(self, steps: t.Sequence[Step]) -> list[Refusal]:
        """Route clients to the new revisions, record that, and start draining the old ones: all of them or none.

        Return one refusal per step if none was switched, else nothing.
        """
        serving, before = {step.name: self._host.serving(step) for step in steps}, dict(self._host.deployments)
        staged = store.StagedSwitch(self._host.options.config_dir)
        try:
            systemd.enable([unit_name(step.name, self._host.revision(step).number) for step in steps if step.starts])
            failpoint("enabled")
            for step in steps:
                self._host.set_settings(step.name, self._settings(step))
            # Steps that can fail, as on a full disk, come before the switch.
            self._stage(steps, staged)
            self._host.load_proxy([step.name for step in steps])
        except reload.ProxyError as error:
            staged.drop()
            self._host.restore(before)
            return [Refusal(step, "proxy", str(error)) for step in steps]
        except (systemd.SystemdError, OSError) as error:
            staged.drop()
            return self._take_back(steps, before, error, switched=False)
        failpoint("switched")
        try:
            staged.commit()
        except OSError as error:
            staged.drop()
            return self._take_back(steps, before, error, switched=True)
        # If the rest cannot be done now, the next run does it; until then it is read as if it were done.
        with contextlib.suppress(OSError):
            staged.finish()
        failpoint("recorded")
        self._drain(steps, serving)
        failpoint("drained")
        return []

    def _take_back(
        self, steps: t.Sequence[Step], before: t.Mapping[str, Deployment], error: Exception, *, switched: bool
    ) -> list[Refusal]:
        """Route clients as the record says. A step that cannot go back continues to serve, as after a kill at this moment."""
        after = dict(self._host.deployments)
        # A container with its own public port took it from the old one, which may have lost it to another deployment.
        stay = [s.name for s in steps if s.starts and self._wanted[s.name].settings["proxy"] == "none"]
        self._host.restore(before, but=stay)
        if switched and not self._host.try_load_proxy():
            self._host.restore(after)
            stay = [step.name for step in steps]
        for step in steps:
            if switched and step.starts and step.name not in stay:
                # It had clients for a moment; they are drained.
                self._host.set_active(step.name, self._host.revision(step).number, "active")
        fault = f"the host cannot record which revision serves ({error})"
        why = f"{fault}; correct this, for example free some space, and run it again"
        late = f"{fault}; the new one serves, and the next run records it"
        return [
            Refusal(step, "rollout", late, serves=True) if step.name in stay else Refusal(step, "rollout", why)
            for step in steps
        ]

    def _settings(self, step: Step) -> dict[str, t.Any]:
        """Return the settings of the deployment as they will be recorded once the proxy has switched."""
        old = self._host.deployments[step.name].settings or {}
        same = old.get("serving") == step.revision
        stays = same and step.action in ("route", "keep", "wait")
        since = old.get("since") if stays else self._host.now()
        wanted = self._wanted[step.name]
        record = {**wanted.settings, "serving": step.revision, "since": since}
        if same and "rolled_back" in old:
            record["rolled_back"] = old["rolled_back"]
        elif wanted.revision is not None and not same:
            record["rolled_back"] = {"from": old.get("serving"), "by": self._host.options.by, "at": since}
        return record

    def _stage(self, steps: t.Sequence[Step], staged: store.StagedSwitch) -> None:
        """Stage the outcome of each start, and the records of which revisions serve."""
        for step in steps:
            if step.action in ("create", "roll"):
                self._stage_outcome(step, staged)
            self._stage_limits(step, staged)
            self._stage_credentials(step, staged)
        staged.stage_records({step.name: self._host.deployments[step.name].settings or {} for step in steps})

    def _stage_credentials(self, step: Step, staged: store.StagedSwitch) -> None:
        """Stage the credentials of the revision that serves as the deployment's credentials."""
        deployment, credentials = self._host.deployments[step.name], self._wanted[step.name].credentials
        if credentials and credentials != deployment.credentials_file:
            staged.stage_credentials(step.name, None if step.starts else credentials)
            self._host.set_credentials(step.name, credentials)

    def _stage_outcome(self, step: Step, staged: store.StagedSwitch) -> None:
        revision = self._host.revision(step)
        uri = _credentials.database_uri(self._wanted[step.name].credentials)
        schema = _schema.read(uri) or (revision.outcome or {}).get("schema")
        outcome = {"result": "served", "at": self._host.now(), "schema": schema}
        staged.stage_outcome(step.name, revision.number, outcome)

    def _stage_limits(self, step: Step, staged: store.StagedSwitch) -> None:
        """Stage new limits: the unit uses the deadline at its next start; ``may_reach`` changes for all running containers."""
        settings = self._wanted[step.name].settings
        for revision in self._host.deployments[step.name].revisions:
            if not revision.endpoint or not (revision.running or revision.number == step.revision):
                continue
            endpoint = with_limits(revision.endpoint, settings)
            if endpoint != revision.endpoint:
                staged.stage_endpoint(step.name, revision.number, endpoint)
                self._host.set_endpoint(step.name, revision.number, endpoint)

    def _drain(self, steps: t.Sequence[Step], before: t.Mapping[str, Revision | None]) -> None:
        for step in steps:
            old = before[step.name]
            if step.starts and old and old.number != step.revision:
                retire.drain(self._host, step.name, (old.number,))
