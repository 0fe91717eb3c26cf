# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Apply a plan: start new revisions next to the old ones, wait until they are healthy, switch, and drain the old ones.

The order of the writes determines what a host does after a kill or a reboot: a revision is enabled before the proxy's
file names it, the proxy has loaded the file before ``deployment.json`` says that the revision serves, and only then is the
old one disabled and drained. So at each moment the units that start at boot include those that the proxy's file names.

This file has the run itself, the start of a revision and the handling of failures. state.py has the state of the host and all
its changes, endpoints.py assigns addresses and stops and restores what is in the way, cutover.py switches, retire.py
ends the old revisions.
"""

from __future__ import annotations

import contextlib
import time
import typing as t
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from ansible_collections.selfhost.langgraph.plugins.module_utils._common import credentials as _credentials
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.failpoints import failpoint
from ansible_collections.selfhost.langgraph.plugins.module_utils._host import docker_engine, systemd
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions import store
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.model import (
    Content,
    Deployment,
    Revision,
    Wanted,
    container_name,
    drain_unit_name,
    is_at_wanted_endpoint,
    make_record,
    unit_name,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout import capacity, retire, start
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.cutover import Cutover, Refusal
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.endpoints import Endpoints
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.plan import Step
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.report import Report
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.routing import holder_of_port
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.snapshot import snapshot
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.state import (
    Options,
    RolloutError,
    RolloutHost,
    unlogged,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._server import schema as _schema


class Rollout:
    """Apply one plan to a host. ``found`` has all deployments of the host, listed or not."""

    def __init__(
        self,
        options: Options,
        client: t.Any,
        wanted: t.Sequence[Wanted],
        steps: t.Sequence[Step],
        found: t.Mapping[str, Deployment],
    ) -> None:
        self._options, self._steps = options, list(steps)
        self._host = RolloutHost(options, client, found)
        self._wanted = {item.name: item for item in wanted}
        self._reports = {step.name: Report(step) for step in steps}
        self._endpoints = Endpoints(self._host, self._wanted)
        self._cutover = Cutover(self._host, self._wanted)

    def run(self) -> list[Report]:
        """Apply the whole plan; failures of single deployments are in their reports."""
        host, steps = self._host, self._steps
        with _on_a_full_disk():
            store.finish_writing(self._options.config_dir)
            for deployment in host.deployments.values():
                store.settle_credentials(self._options.config_dir, deployment)
        # From now on the proxy's file may name only what serves according to the record.
        systemd.enable([unit_name(step.name, host.revision(step).number) for step in steps if step.enable])
        self._revive()
        retire.remove(host, [step.name for step in steps if step.action == "remove"])
        retire.stop(host, [step.name for step in steps if step.action == "stop"])
        # Steps that can fail, as on a full disk, run while everything still serves.
        with _on_a_full_disk():
            for step in steps:
                self._write(step)
        failpoint("written")
        with _on_a_full_disk():
            try:
                self._endpoints.interrupt(steps)
            except OSError:
                self._endpoints.restore_all()
                raise
        cleared = retire.drain_blocking_leftovers(host, steps)
        self._bring_up_and_switch()
        self._end_leftovers(cleared)
        self._correct_failures()
        retire.prune(host, steps)
        return [self._reports[step.name] for step in steps]

    def wait_for_drains(self) -> None:
        """Wait until all drains have ended; what went wrong is in the reports."""
        retire.wait_for_drains(self._host, self._reports)

    # Before anything is interrupted

    def _revive(self) -> None:
        """Start revisions that serve by the record if a killed run stopped them and left the proxy on another revision.

        The proxy is loaded for all deployments at once, from the record: clients must find a running server there.
        """
        named = self._host.named_by_proxy()
        ended = [step.name for step in self._steps if step.action in ("stop", "remove")]
        revived = []
        for name, deployment in self._host.deployments.items():
            settings, serving = deployment.settings or {}, deployment.serving
            if serving is None or serving.running or name in ended or settings.get("proxy") != "haproxy":
                continue
            if is_at_wanted_endpoint(serving.endpoint, settings) and any(
                n == name and number != serving.number for n, number in named
            ):
                revived.append((name, serving))
        systemd.start([unit_name(name, serving.number) for name, serving in revived])
        for name, serving in revived:
            self._host.set_active(name, serving.number, "active")

    def _write(self, step: Step) -> None:
        """Write a new revision, and assign an endpoint to whatever has to start."""
        if step.revision is None or not step.starts:
            return
        content = self._wanted[step.name].content
        if step.new and content:
            self._write_revision(step, step.revision, content)
        self._stage_credentials(step)
        self._endpoints.assign(step)

    def _stage_credentials(self, step: Step) -> None:
        """Write the credentials with which a starting container is created."""
        credentials, deployment = self._wanted[step.name].credentials, self._host.deployments[step.name]
        if credentials and credentials != deployment.credentials_file:
            store.stage_credentials(self._options.config_dir, step.name, credentials)

    def _write_revision(self, step: Step, number: int, content: Content) -> None:
        schema = _schema.read(_credentials.database_uri(self._wanted[step.name].credentials))
        record = make_record(
            content, number, reasons=step.reasons, by=self._options.by, at=self._host.now(), schema=schema
        )
        store.write_revision(self._options.config_dir, step.name, record, content.environment)
        self._host.put_revision(step.name, Revision(number, record, content.environment))

    # Start and switch

    def _bring_up_and_switch(self) -> None:
        """Start in parallel; switch everything that is ready at that moment with one reload of the proxy.

        A step that needs an address which another deployment still uses waits until that one moves. A step that would
        exceed the number of extra revisions waits until one has drained.
        """
        ready = [step for step in self._steps if not step.starts and (step.write or step.enable)]
        queue, room = [step for step in self._steps if step.starts], capacity.Room(self._host)
        waiting: dict[Future[dict[str, t.Any] | None], Step] = {}
        with ThreadPoolExecutor(max_workers=max(1, self._options.parallel)) as pool:
            while waiting or queue:
                admitted = room.admit(queue, waiting.values()) if queue else []
                queue = [step for step in queue if step not in admitted]
                waiting.update({pool.submit(self._bring_up, step): step for step in admitted})
                if not waiting:
                    if room.is_hopeless():
                        for step in queue:
                            self._fail(step, unlogged(step, "rollout", room.refusal()))
                        break
                    time.sleep(start.POLL_SECONDS)
                    continue
                done, _rest = wait(waiting, timeout=start.POLL_SECONDS if queue else None, return_when=FIRST_COMPLETED)
                for step, future in [(waiting.pop(future), future) for future in done]:
                    if why := _outcome(step, future):
                        self._fail(step, why)
                    else:
                        ready.append(step)
                ready = self._switch_ready(ready)
        # Steps whose address is still taken fail here, with that reason.
        self._switch(self._switch_ready(ready))

    def _switch_ready(self, ready: list[Step]) -> list[Step]:
        """Switch the steps that can be switched now; return the rest."""
        fits = self._cutover.fits
        while fitting := ready if fits(ready) else [step for step in ready if fits([step])]:
            self._switch(fitting)
            ready = [step for step in ready if step not in fitting]
        return ready

    def _switch(self, steps: t.Sequence[Step]) -> None:
        """Switch steps with one reload of the proxy; if it rejects them together, one by one."""
        refusals = self._cutover.switch(steps) if steps else []
        if refusals and refusals[0].code == "proxy" and self._switch_each(steps):
            return
        for refusal in refusals:
            self._refuse(refusal)
        for step in () if refusals else steps:
            if step.starts:
                deployment, revision = self._host.deployments[step.name], self._host.revision(step)
                self._reports[step.name].runs["after"] = start.count_runs(deployment, revision)

    def _switch_each(self, steps: t.Sequence[Step]) -> bool:
        """Switch one by one, so that one rejected route does not fail the rest; return False if no step fits by itself.

        A refused step fails before the next one is tried, as it may take back the address that the next one needs.
        """
        rest = list(steps)
        while len(steps) > 1 and (single := next((step for step in rest if self._cutover.fits([step])), None)):
            rest.remove(single)
            self._switch([single])
        if len(rest) == len(steps):
            return False
        self._switch(rest)
        return True

    def _bring_up(self, step: Step) -> dict[str, t.Any] | None:
        """Start a revision and wait until it has been healthy for the requested time; return the failure, None on success."""
        options, deployment, revision = self._options, self._host.deployments[step.name], self._host.revision(step)
        if step.action in ("create", "roll"):
            self._make_ready(step, deployment, revision)
        store.forget_drain(options.config_dir, step.name, revision.number)
        # Runs are counted while the new revision boots, which costs no time.
        with ThreadPoolExecutor(max_workers=1) as side:
            counted = side.submit(start.count_runs, deployment, deployment.serving) if step.action == "roll" else None
            # The deadline starts only now: the steps before may have waited for a drain or for a dump.
            deadline = time.monotonic() + self._wanted[step.name].settings["healthy_deadline"]
            secrets = {**(revision.environment or {}), **self._wanted[step.name].credentials}
            failure = start.start_and_wait(step.name, revision, deadline, options.min_healthy_time, secrets)
            if counted is not None:
                self._reports[step.name].runs["before"] = counted.result()
        return failure

    def _make_ready(self, step: Step, deployment: Deployment, revision: Revision) -> None:
        """Prepare the start of a revision that does not serve yet: wait for capacity, take a dump, remove an old container."""
        options, name = self._options, step.name
        # The wanted revision may still be draining: a rollback returns to it, or a retry starts it again.
        systemd.stop([drain_unit_name(name, revision.number)])
        if step.action == "roll":
            start.wait_for_capacity(deployment, revision.number, options.max_running)
        # A stopped deployment may start again with another image.
        if options.snapshot_dir and self._wanted[name].revision is None and deployment.last:
            uri = _credentials.database_uri(self._wanted[name].credentials) or ""
            dump = snapshot(options.snapshot_dir, name, revision, deployment.last, uri, self._note_snapshot)
            self._reports[name].snapshot = dump
        if not revision.running:
            if revision.active == "deactivating":
                # A revision that failed before may still be ending its runs.
                systemd.stop([unit_name(name, revision.number)])
            docker_engine.remove_container(self._host.client, container_name(name, revision.number))

    def _note_snapshot(self, name: str, number: int, path: str) -> None:
        store.write_snapshot(self._options.config_dir, name, number, path)

    # Failures

    def _fail(self, step: Step, failure: dict[str, t.Any]) -> None:
        """Stop the failed revision and keep it for inspection; the old one continues to serve."""
        host, revision, serving = self._host, self._host.revision(step), self._host.serving(step)
        stopped = host.deployments[step.name].stopped
        # A stopped deployment that does not start stays stopped.
        fresh = step.action in ("create", "roll") or bool(stopped)
        # A killed run may have enabled the failed revision and routed clients to it.
        if fresh and (host.try_load_proxy() or (step.name, revision.number) not in host.named_by_proxy()):
            self._end_failed(step, revision)
        if fresh and not revision.served:
            cause = {key: failure[key] for key in ("code", "cause", "line", "log")}
            outcome = {"result": "failed", "at": host.now(), **cause}
            # If it cannot be written, the next run tries the same revision again.
            with contextlib.suppress(OSError):
                store.write_outcome(self._options.config_dir, step.name, revision.number, outcome)
        if fresh and (serving or stopped):
            store.drop_staged_credentials(self._options.config_dir, step.name)
        continues = step.action == "roll"
        if serving and self._endpoints.is_interrupted(step.name):
            continues = self._endpoints.restore(step.name, serving)
        if serving and continues:
            failure["serving"] = serving.number
        self._reports[step.name].failure = failure

    def _end_failed(self, step: Step, revision: Revision) -> None:
        direct = self._endpoints.is_direct(step)
        systemd.disable([unit_name(step.name, revision.number)])
        if revision.running and not direct:
            # It may hold older sessions, if it was the target of a rollback while it drained.
            retire.drain(self._host, step.name, (revision.number,))
        else:
            # It may have taken runs from the queue; they get their grace period. The play waits only if a port must be freed.
            systemd.stop([unit_name(step.name, revision.number)], block=direct)

    def _refuse(self, refusal: Refusal) -> None:
        """Fail a step that did not switch; one that serves all the same is only reported."""
        failure = unlogged(refusal.step, refusal.code, refusal.why)
        if refusal.serves:
            self._reports[refusal.step.name].failure = failure
        else:
            self._fail(refusal.step, failure)

    # After the last switch

    def _end_leftovers(self, cleared: t.Sequence[Step]) -> None:
        """Drain what an interrupted run left behind, except for the steps that were ``cleared`` before."""
        if any(report.failure for report in self._reports.values()):
            # Failures are reported even if the proxy cannot be loaded, as when another deployment has taken an address.
            settled = self._host.try_load_proxy()
        else:
            self._host.load_proxy()
            settled = True
        for step in self._steps:
            # The proxy may still send clients to a leftover if it could not be loaded.
            if settled and step not in cleared:
                retire.drain(self._host, step.name, step.leftovers)

    def _correct_failures(self) -> None:
        """Remove the statement that the old revision continues to serve if another deployment has taken its port."""
        deployments = self._host.deployments
        for name, report in self._reports.items():
            deployment = deployments.get(name)
            if report.failure and deployment and holder_of_port(deployment, deployments.values()):
                # It runs, but another deployment now has its port.
                report.failure.pop("serving", None)


@contextlib.contextmanager
def _on_a_full_disk() -> t.Iterator[None]:
    """Convert an OSError of a write to a RolloutError with one sentence; serving revisions are not affected."""
    try:
        yield
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise RolloutError(
            f"the host's files cannot be written; the serving revisions continue to serve: {where}{error.strerror or error}; "
            "free some space and run it again"
        ) from error


def _outcome(step: Step, future: Future[dict[str, t.Any] | None]) -> dict[str, t.Any] | None:
    """Return why a revision did not start, None if it did. An error is the failure of that step alone."""
    try:
        return future.result()
    except (start.BringUpError, docker_engine.EngineError, systemd.SystemdError, OSError) as error:
        return unlogged(step, "rollout", str(error))
