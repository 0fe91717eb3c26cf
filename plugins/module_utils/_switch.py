# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The switch: clients reach what is ready, the host records it, and what served before drains, in the order of _rollout.

Several switch with one reload of the proxy. What asks for an address that another deployment still has waits for that.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.selfhost.langgraph.plugins.module_utils import (
    _bring_up,
    _credentials,
    _haproxy,
    _retirement,
    _revision_store,
    _schema,
    _systemd,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._plan import Step
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions import (
    Deployment,
    Revision,
    Wanted,
    unit_name,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout_host import Report, RolloutHost, proxy_text
from ansible_collections.selfhost.langgraph.plugins.module_utils._stages import reach


class Switch:
    """What switches the steps of one rollout; ``refused`` takes those that the proxy does not take, and why."""

    def __init__(
        self,
        host: RolloutHost,
        wanted: t.Mapping[str, Wanted],
        reports: t.Mapping[str, Report],
        refused: t.Callable[[Step, str], None],
    ) -> None:
        self._host, self._wanted, self._reports, self._refused = host, wanted, reports, refused

    def what_fits(self, ready: list[Step]) -> list[Step]:
        """Switch what can be; give the rest."""
        while fitting := ready if self._fits(ready) else [step for step in ready if self._fits([step])]:
            self.together(fitting)
            ready = [step for step in ready if step not in fitting]
        return ready

    def _fits(self, steps: t.Sequence[Step]) -> bool:
        """Whether the proxy can take all of them over, beside what else the host has."""
        world = {**self._host.world, **{step.name: self._served(step) for step in steps}}
        try:
            proxy_text(world, [step.name for step in steps])
        except ValueError:
            return False
        return True

    def together(self, steps: t.Sequence[Step]) -> None:
        """Have clients reach the new revisions, record it, and let the old ones drain."""
        if not steps:
            return
        before, old_world = {step.name: self._host.serving(step) for step in steps}, dict(self._host.world)
        _systemd.enable([unit_name(step.name, self._host.revision(step).number) for step in steps if step.starts])
        reach("enabled")
        for step in steps:
            self._host.world[step.name] = self._served(step)
        try:
            self._host.load_proxy([step.name for step in steps])
        except _haproxy.ProxyError as error:
            self._host.world = old_world
            self._apart(steps, str(error))
            return
        reach("switched")
        self._record(steps)
        reach("recorded")
        self._drain(steps, before)
        reach("drained")
        for step in steps:
            if step.starts:
                self._reports[step.name].runs["after"] = _bring_up.count_runs(
                    self._host.world[step.name], self._host.revision(step)
                )

    def _served(self, step: Step) -> Deployment:
        """What the host is to say of the deployment once the proxy has switched."""
        deployment, wanted = self._host.world[step.name], self._wanted[step.name]
        old = deployment.settings or {}
        stays = old.get("serving") == step.revision and step.action in ("route", "keep", "wait")
        since = old.get("since") if stays else self._host.now()
        return replace(deployment, settings={**wanted.settings, "serving": step.revision, "since": since})

    def _apart(self, steps: t.Sequence[Step], why: str) -> None:
        """One that the proxy cannot take is no reason to fail the others, of which some need what others leave."""
        rest = list(steps)
        while len(steps) > 1 and (alone := next((step for step in rest if self._fits([step])), None)):
            rest.remove(alone)
            self.together([alone])
        if len(rest) < len(steps):
            self.together(rest)
            return
        for step in steps:
            self._refused(step, why)

    def _record(self, steps: t.Sequence[Step]) -> None:
        """Record how each start ended, then which revisions serve, of all of them at once."""
        for step in steps:
            if step.action in ("create", "roll"):
                self._record_outcome(step)
            self._record_deadline(step)
        records = {step.name: self._host.world[step.name].settings or {} for step in steps}
        _revision_store.write_settings(self._host.options.config_dir, records)
        for step in steps:
            self._record_credentials(step)

    def _record_credentials(self, step: Step) -> None:
        """What serves has them: they are the deployment's from now on."""
        folder, deployment = self._host.options.config_dir, self._host.world[step.name]
        credentials = self._wanted[step.name].credentials
        if credentials and credentials != deployment.credentials_file:
            if not step.starts:
                _revision_store.stage_credentials(folder, step.name, credentials)
            _revision_store.put_credentials(folder, step.name)
            self._host.world[step.name] = replace(deployment, credentials_file=credentials)

    def _record_outcome(self, step: Step) -> None:
        revision = self._host.revision(step)
        uri = _credentials.database_uri(self._wanted[step.name].credentials)
        schema = _schema.read(uri) or (revision.outcome or {}).get("schema")
        outcome = {"result": "served", "at": self._host.now(), "schema": schema}
        _revision_store.write_outcome(self._host.options.config_dir, step.name, revision.number, outcome)

    def _record_deadline(self, step: Step) -> None:
        revision, deadline = self._host.revision(step), self._wanted[step.name].settings["healthy_deadline"]
        if revision.slot and revision.slot.get("healthy_deadline") != deadline:
            # The unit goes by it at its next start.
            slot = {**revision.slot, "healthy_deadline": deadline}
            _revision_store.write_slot(self._host.options.config_dir, step.name, revision.number, slot)
            self._host.replace_revision(step.name, replace(revision, slot=slot))

    def _drain(self, steps: t.Sequence[Step], before: t.Mapping[str, Revision | None]) -> None:
        for step in steps:
            old = before[step.name]
            if step.starts and old and old.number != step.revision:
                _retirement.drain(self._host, step.name, (old.number,))
