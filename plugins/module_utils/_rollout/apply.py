# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Apply a plan: new revisions up beside the old ones, healthy, switched, the old ones drained.

What a host does after a kill or a reboot follows from the order of the writes: a revision is enabled before the proxy's
file names it, the proxy has loaded the file before ``deployment.json`` says that the revision serves, and only then the
old one is disabled and drained. So at each moment what starts at boot includes what the proxy's file names.

Here are the run itself, how a revision comes up and what follows where it fails. state.py has what all parts share
and tells the proxy, endpoints.py stops what is in the way and puts it back, cutover.py switches, retire.py ends the old ones.
"""

from __future__ import annotations

import contextlib
import time
import typing as t
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace

from ansible_collections.selfhost.langgraph.plugins.module_utils._common import credentials as _credentials
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.failpoints import reach
from ansible_collections.selfhost.langgraph.plugins.module_utils._host import docker_engine, systemd
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions import store
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.model import (
    Content,
    Deployment,
    Revision,
    Wanted,
    container_name,
    drain_unit_name,
    is_in_place,
    make_record,
    unit_name,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout import capacity, retire, start
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.cutover import Switch
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.endpoints import Places
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
    """One application of a plan to a host. ``found`` has all deployments of the host, listed or not."""

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
        self._places = Places(self._host, self._wanted)
        self._switch = Switch(self._host, self._wanted, self._reports, self._refused)

    def run(self) -> list[Report]:
        """Apply all of it; failures of single deployments are in their reports."""
        host, steps = self._host, self._steps
        with _on_a_full_disk():
            store.finish_writing(self._options.config_dir)
            for deployment in host.world.values():
                store.settle_credentials(self._options.config_dir, deployment)
        # What serves by the record is what the proxy's file may name from now on.
        systemd.enable([unit_name(step.name, host.revision(step).number) for step in steps if step.enable])
        self._revive()
        retire.remove(host, [step.name for step in steps if step.action == "remove"])
        # What can fail, as on a full disk, comes while everything still runs.
        with _on_a_full_disk():
            for step in steps:
                self._write(step)
        reach("written")
        with _on_a_full_disk():
            try:
                self._places.interrupt(steps)
            except OSError:
                self._places.put_all_back()
                raise
        cleared = retire.clear_the_way(host, steps)
        self._bring_up_and_switch()
        self._end_strays(cleared)
        self._correct_failures()
        retire.prune(host, steps)
        return [self._reports[step.name] for step in steps]

    def wait_for_drains(self) -> None:
        """Wait until what drains has ended, also what a killed run let drain; runs that were lost fail it.

        Needs no lock, it changes nothing.
        """
        for name, deployment in self._host.world.items():
            draining = {revision.number for revision in deployment.revisions if revision.draining}
            if name in self._reports and draining:
                self._host.drained.setdefault(name, set()).update(draining)
        for name, drained in self._host.drained.items():
            hanging = start.wait_for_drains(self._host.world.get(name, Deployment(name)), drained)
            reports = store.read_drains(self._options.config_dir, name, drained)
            report = self._reports[name]
            report.runs["drained"] = {number: drain.get("runs") for number, drain in reports.items()}
            lost = [run for drain in reports.values() for run in (drain.get("runs") or {}).get("lost", ())]
            if hanging and report.failure is None:
                units = " ".join(drain_unit_name(name, number) for number in hanging)
                late = f"{len(hanging)} revisions are still draining after their time limit; see 'systemctl status {units}'"
                report.failure = unlogged(report.step, "drain", late)
            elif lost and report.failure is None:
                report.failure = unlogged(report.step, "lost_runs", f"{len(lost)} runs were lost: {', '.join(lost)}")

    # Before anything is interrupted

    def _revive(self) -> None:
        """Start what serves by the record where a killed run has stopped it, and left the proxy with another one.

        The proxy is told of all deployments at once, and goes by the record: clients are to find something there.
        """
        named, removed = self._host.named_by_proxy(), [s.name for s in self._steps if s.action == "remove"]
        revived = []
        for name, deployment in self._host.world.items():
            settings, serving = deployment.settings or {}, deployment.serving
            if serving is None or serving.running or name in removed or settings.get("proxy") != "haproxy":
                continue
            if is_in_place(serving.slot, settings) and any(
                n == name and number != serving.number for n, number in named
            ):
                revived.append((name, serving))
        systemd.start([unit_name(name, serving.number) for name, serving in revived])
        for name, serving in revived:
            self._host.replace_revision(name, replace(serving, active="active"))

    def _write(self, step: Step) -> None:
        """Write a new revision, and give a place to whatever has to start."""
        if step.revision is None or not step.starts:
            return
        content = self._wanted[step.name].content
        if step.new and content:
            self._write_revision(step, step.revision, content)
        self._stage_credentials(step)
        self._places.give_slot(step)

    def _stage_credentials(self, step: Step) -> None:
        """Have the credentials ready that a container which starts is made with."""
        credentials, deployment = self._wanted[step.name].credentials, self._host.world[step.name]
        if credentials and credentials != deployment.credentials_file:
            store.stage_credentials(self._options.config_dir, step.name, credentials)

    def _write_revision(self, step: Step, number: int, content: Content) -> None:
        schema = _schema.read(_credentials.database_uri(self._wanted[step.name].credentials))
        record = make_record(
            content, number, reasons=step.reasons, by=self._options.by, at=self._host.now(), schema=schema
        )
        store.write_revision(self._options.config_dir, step.name, record, content.environment)
        self._host.world.setdefault(step.name, Deployment(step.name))
        self._host.replace_revision(step.name, Revision(number, record, content.environment))

    # Up, and over to the new ones

    def _bring_up_and_switch(self) -> None:
        """Start in parallel; switch whatever is ready at that moment with one reload of the proxy.

        What asks for an address that another deployment still has waits until that one moves. What would be one revision
        too many beside those that serve waits until one has drained.
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
                ready = self._switch.what_fits(ready)
        # Whose address is still another's by now: that is told.
        self._switch.together(self._switch.what_fits(ready))

    def _bring_up(self, step: Step) -> dict[str, t.Any] | None:
        """Have a revision run and stay healthy for the time asked for; else say why not."""
        options, deployment, revision = self._options, self._host.world[step.name], self._host.revision(step)
        if step.action in ("create", "roll"):
            self._make_ready(step, deployment, revision)
        store.forget_drain(options.config_dir, step.name, revision.number)
        # Counted while the new one boots: it costs no time.
        with ThreadPoolExecutor(max_workers=1) as side:
            counted = side.submit(start.count_runs, deployment, deployment.serving) if step.action == "roll" else None
            # Only now: what came before may have waited for a drain, or for a dump.
            deadline = time.monotonic() + self._wanted[step.name].settings["healthy_deadline"]
            secrets = (revision.environment or "") + self._wanted[step.name].credentials
            failure = start.until_healthy(step.name, revision, deadline, options.min_healthy_time, secrets)
            if counted is not None:
                self._reports[step.name].runs["before"] = counted.result()
        return failure

    def _make_ready(self, step: Step, deployment: Deployment, revision: Revision) -> None:
        """Room for a revision that does not serve yet, a dump before it, and nothing of what it was before."""
        options, name = self._options, step.name
        # A revision that is being drained may be the one to go back to, or to try again.
        systemd.stop([drain_unit_name(name, revision.number)])
        if step.action == "roll":
            start.make_room(deployment, revision.number, options.max_running)
            if options.snapshot_dir and self._wanted[name].revision is None:
                uri = _credentials.database_uri(self._wanted[name].credentials) or ""
                dump = snapshot(options.snapshot_dir, name, revision, deployment.serving, uri, self._note_snapshot)
                self._reports[name].snapshot = dump
        if not revision.running:
            if revision.active == "deactivating":
                # What failed before may still be ending its runs.
                systemd.stop([unit_name(name, revision.number)])
            docker_engine.remove_container(self._host.client, container_name(name, revision.number))

    def _note_snapshot(self, name: str, number: int, path: str) -> None:
        store.write_snapshot(self._options.config_dir, name, number, path)

    # What fails

    def _fail(self, step: Step, failure: dict[str, t.Any]) -> None:
        """Keep the failed revision for inspection, stopped, and have the old one serve on."""
        host, revision, serving = self._host, self._host.revision(step), self._host.serving(step)
        fresh = step.action in ("create", "roll")
        # A run that was killed may have had the proxy send clients to it, and may have enabled it.
        if fresh and (host.let_go() or (step.name, revision.number) not in host.named_by_proxy()):
            self._end_failed(step, revision)
        if fresh and not revision.served:
            told = {key: failure[key] for key in ("code", "cause", "line", "log")}
            outcome = {"result": "failed", "at": host.now(), **told}
            # Without it the next run tries the same revision again.
            with contextlib.suppress(OSError):
                store.write_outcome(self._options.config_dir, step.name, revision.number, outcome)
        if fresh and serving:
            store.drop_staged_credentials(self._options.config_dir, step.name)
        goes_on = step.action == "roll"
        if serving and self._places.is_interrupted(step.name):
            goes_on = self._places.put_back(step.name, serving)
        if serving and goes_on:
            failure["serving"] = serving.number
        self._reports[step.name].failure = failure

    def _end_failed(self, step: Step, revision: Revision) -> None:
        direct = self._places.is_direct(step)
        systemd.disable([unit_name(step.name, revision.number)])
        if revision.running and not direct:
            # It may hold sessions of before, as one that was to be rolled back to while it drained.
            retire.drain(self._host, step.name, (revision.number,))
        else:
            # It may have taken runs from the queue, which get their grace. The play waits for a port alone.
            systemd.stop([unit_name(step.name, revision.number)], block=direct)

    def _refused(self, step: Step, why: str, code: str) -> None:
        """The proxy goes on with what it had: so does the host."""
        self._fail(step, unlogged(step, code, why))

    # After the last switch

    def _end_strays(self, cleared: t.Sequence[Step]) -> None:
        """Let drain what an interrupted run left behind, but for what was ``cleared`` away before."""
        if any(report.failure for report in self._reports.values()):
            # What failed is to be told, also where its address has gone to another deployment by now.
            settled = self._host.let_go()
        else:
            self._host.load_proxy()
            settled = True
        for step in self._steps:
            # The proxy may still send clients to a stray where it could not be told otherwise.
            if settled and step not in cleared:
                retire.drain(self._host, step.name, step.strays)

    def _correct_failures(self) -> None:
        """Take back that the old one continues to serve where that is no longer so."""
        world = self._host.world
        for name, report in self._reports.items():
            deployment = world.get(name)
            if report.failure and deployment and holder_of_port(deployment, world.values()):
                # It runs, and another one has got its port by now.
                report.failure.pop("serving", None)


@contextlib.contextmanager
def _on_a_full_disk() -> t.Iterator[None]:
    """What cannot be written is told in a sentence; whatever serves goes on."""
    try:
        yield
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise RolloutError(
            f"the host's files cannot be written; the serving revisions continue to serve: {where}{error.strerror or error}; "
            "free some space and run it again"
        ) from error


def _outcome(step: Step, future: Future[dict[str, t.Any] | None]) -> dict[str, t.Any] | None:
    """Why a revision did not come up, None where it did. What breaks for one is its failure alone."""
    try:
        return future.result()
    except (start.BringUpError, docker_engine.EngineError, systemd.SystemdError, OSError) as error:
        return unlogged(step, "rollout", str(error))
