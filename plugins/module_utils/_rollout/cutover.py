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
from dataclasses import replace

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
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout import retire, start
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.plan import Step
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.report import Report
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.routing import proxy_text
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.state import RolloutHost, unlogged
from ansible_collections.selfhost.langgraph.plugins.module_utils._server import schema as _schema


class Cutover:
    """Switches the steps of one rollout; ``refused`` is called for those that cannot switch, with the reason and its code."""

    def __init__(
        self,
        host: RolloutHost,
        wanted: t.Mapping[str, Wanted],
        reports: t.Mapping[str, Report],
        refused: t.Callable[[Step, str, str], None],
    ) -> None:
        self._host, self._wanted, self._reports, self._refused = host, wanted, reports, refused

    def switch_ready(self, ready: list[Step]) -> list[Step]:
        """Switch the steps that can be switched now; return the rest."""
        while fitting := ready if self._fits(ready) else [step for step in ready if self._fits([step])]:
            self.switch_all(fitting)
            ready = [step for step in ready if step not in fitting]
        return ready

    def _fits(self, steps: t.Sequence[Step]) -> bool:
        """Return whether the proxy can route all of them, in addition to the host's other deployments."""
        deployments = {**self._host.deployments, **{step.name: self._served(step) for step in steps}}
        try:
            proxy_text(deployments, [step.name for step in steps])
        except ValueError:
            return False
        return True

    def switch_all(self, steps: t.Sequence[Step]) -> None:
        """Route clients to the new revisions, record that, and start draining the old ones."""
        if not steps:
            return
        before, old_deployments = {step.name: self._host.serving(step) for step in steps}, self._host.deployments
        self._host.deployments = dict(old_deployments)
        staged = store.StagedSwitch(self._host.options.config_dir)
        try:
            systemd.enable([unit_name(step.name, self._host.revision(step).number) for step in steps if step.starts])
            failpoint("enabled")
            for step in steps:
                self._host.deployments[step.name] = self._served(step)
            # Steps that can fail, as on a full disk, come before the switch.
            self._stage(steps, staged)
            self._host.load_proxy([step.name for step in steps])
        except reload.ProxyError as error:
            staged.drop()
            self._host.deployments = old_deployments
            self._switch_each(steps, str(error))
            return
        except (systemd.SystemdError, OSError) as error:
            staged.drop()
            self._take_back(steps, old_deployments, error, switched=False)
            return
        failpoint("switched")
        if self._commit(steps, staged, old_deployments):
            failpoint("recorded")
            self._drain(steps, before)
            failpoint("drained")
            self._count(steps)

    def _commit(
        self, steps: t.Sequence[Step], staged: store.StagedSwitch, old_deployments: dict[str, Deployment]
    ) -> bool:
        """Record what the proxy now does; if that fails, load the proxy from the old record."""
        try:
            staged.commit()
        except OSError as error:
            staged.drop()
            self._take_back(steps, old_deployments, error, switched=True)
            return False
        # If the rest cannot be done now, the next run does it; until then it is read as if it were done.
        with contextlib.suppress(OSError):
            staged.finish()
        return True

    def _take_back(
        self, steps: t.Sequence[Step], old_deployments: dict[str, Deployment], error: Exception, *, switched: bool
    ) -> None:
        """Route clients as the record says. A step that cannot go back continues to serve, as after a kill at this moment."""
        why, new_deployments = f"the serving revision cannot be recorded: {error}", self._host.deployments
        # A container with its own public port took it from the old one, which may have lost it to another deployment.
        stay = [s.name for s in steps if s.starts and self._wanted[s.name].settings["proxy"] == "none"]
        self._host.deployments = {
            **old_deployments,
            **{name: self._host.deployments.get(name, old_deployments[name]) for name in stay},
        }
        if switched and not self._host.try_load_proxy():
            stay, self._host.deployments = [step.name for step in steps], new_deployments
        for step in steps:
            if step.name in stay:
                cause = f"{why}; it serves, and the next run records it"
                self._reports[step.name].failure = unlogged(step, "rollout", cause)
                continue
            if switched and step.starts:
                # It had clients for a moment; they are drained.
                self._host.replace_revision(step.name, replace(self._host.revision(step), active="active"))
            self._refused(step, why, "rollout")

    def _count(self, steps: t.Sequence[Step]) -> None:
        for step in steps:
            if step.starts:
                self._reports[step.name].runs["after"] = start.count_runs(
                    self._host.deployments[step.name], self._host.revision(step)
                )

    def _served(self, step: Step) -> Deployment:
        """Return the deployment as it will be recorded once the proxy has switched."""
        deployment, wanted = self._host.deployments[step.name], self._wanted[step.name]
        old = deployment.settings or {}
        stays = old.get("serving") == step.revision and step.action in ("route", "keep", "wait")
        since = old.get("since") if stays else self._host.now()
        record = {**wanted.settings, "serving": step.revision, "since": since}
        if stays and "rolled_back" in old:
            record["rolled_back"] = old["rolled_back"]
        elif wanted.revision is not None and not stays:
            record["rolled_back"] = {"from": old.get("serving"), "by": self._host.options.by, "at": since}
        return replace(deployment, settings=record)

    def _switch_each(self, steps: t.Sequence[Step], why: str) -> None:
        """Retry one by one, so that one rejected route does not fail the rest, some of which need what others leave."""
        rest = list(steps)
        while len(steps) > 1 and (alone := next((step for step in rest if self._fits([step])), None)):
            rest.remove(alone)
            self.switch_all([alone])
        if len(rest) < len(steps):
            self.switch_all(rest)
            return
        for step in steps:
            self._refused(step, why, "proxy")

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
            self._host.deployments[step.name] = replace(deployment, credentials_file=credentials)

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
                self._host.replace_revision(step.name, replace(revision, endpoint=endpoint))

    def _drain(self, steps: t.Sequence[Step], before: t.Mapping[str, Revision | None]) -> None:
        for step in steps:
            old = before[step.name]
            if step.starts and old and old.number != step.revision:
                retire.drain(self._host, step.name, (old.number,))
