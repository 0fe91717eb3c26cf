# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Apply a plan: new revisions up beside the old ones, healthy, switched, the old ones drained.

What a host does after a kill or a reboot follows from the order of the writes: a revision is enabled before the proxy's
file names it, the proxy has loaded the file before ``deployment.json`` says that the revision serves, and only then the
old one is disabled and drained. So at each moment what starts at boot includes what the proxy's file names.
"""

from __future__ import annotations

import datetime
import time
import typing as t
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace

from ansible_collections.selfhost.langgraph.plugins.module_utils import (
    _bring_up,
    _docker,
    _haproxy,
    _ports,
    _proxy,
    _revision_store,
    _schema,
    _systemd,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._plan import Step
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions import (
    LOOPBACK_PORTS,
    Deployment,
    Revision,
    Wanted,
    container_name,
    drain_unit_name,
    holder_of_port,
    is_in_place,
    is_public,
    make_record,
    route,
    routes,
    same_port,
    to_prune,
    unit_name,
    unused_images,
    variables,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._stages import reach


class RolloutError(RuntimeError):
    """The host cannot do what the rollout needs; the text says what and for which deployment."""


@dataclass(frozen=True)
class Options:
    """How to roll out; seconds and counts. ``by`` is who asked for it, ``snapshot_dir`` where dumps go, if any."""

    config_dir: str
    parallel: int = 8
    min_healthy_time: float = 0.0
    max_running: int = 3
    keep_revisions: int = 5
    snapshot_dir: str | None = None
    by: str = ""


@dataclass
class Report:
    """What came of one step; ``runs`` are counts by status before and after the switch, None where unknown."""

    step: Step
    failure: dict[str, t.Any] | None = None
    runs: dict[str, t.Any] = field(default_factory=dict)
    snapshot: str | None = None


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
        self._options, self._client = options, client
        self._wanted = {item.name: item for item in wanted}
        self._world = dict(found)
        self._reports = {step.name: Report(step) for step in steps}
        self._steps = list(steps)
        self._ports: set[int] = set()
        # Deployments that cannot have two revisions side by side, as they were.
        self._interrupted: dict[str, Deployment] = {}
        # Revisions whose containers run elsewhere than they shall, as they were.
        self._moved: dict[str, Revision] = {}
        # What this run let drain: deployment -> numbers.
        self._drained: dict[str, set[int]] = {}

    def run(self) -> list[Report]:
        """Apply all of it; failures of single deployments are in their reports."""
        _revision_store.finish_writing(self._options.config_dir)
        # What serves by the record is what the proxy's file may name from now on.
        _systemd.enable([unit_name(step.name, self._revision(step).number) for step in self._steps if step.enable])
        self._revive()
        self._remove([step.name for step in self._steps if step.action == "remove"])
        # What can fail, as on a full disk, comes while everything still runs.
        for step in self._steps:
            self._write(step)
        reach("written")
        self._interrupt()
        cleared = self._clear_the_way()
        self._bring_up_and_switch(self._steps)
        if any(report.failure for report in self._reports.values()):
            # What failed is to be told, also where its address has gone to another deployment by now.
            settled = self._let_go()
        else:
            self._load_proxy()
            settled = True
        for step in self._steps:
            # The proxy may still send clients to a stray where it could not be told otherwise.
            if settled and step not in cleared:
                self._drain(step.name, step.strays)
        for report in self._reports.values():
            deployment = self._world.get(report.step.name)
            if report.failure and deployment and holder_of_port(deployment, self._world.values()):
                # It runs, and another one has got its port by now.
                report.failure.pop("serving", None)
        self._prune()
        return [self._reports[step.name] for step in self._steps]

    def wait_for_drains(self) -> None:
        """Wait until what this run let drain has ended; runs that were lost fail it. Needs no lock, it changes nothing."""
        for name, drained in self._drained.items():
            _bring_up.wait_for_drains(name, drained)
            reports = _revision_store.read_drains(self._options.config_dir, name, drained)
            report = self._reports[name]
            report.runs["drained"] = {number: drain.get("runs") for number, drain in reports.items()}
            lost = [run for drain in reports.values() for run in (drain.get("runs") or {}).get("lost", ())]
            if lost and report.failure is None:
                report.failure = _failure(report.step, "lost_runs", f"{len(lost)} runs were lost: {', '.join(lost)}")

    def _revive(self) -> None:
        """Start what serves by the record where a killed run has stopped it, and left the proxy with another one.

        The proxy is told of all deployments at once, and goes by the record: clients are to find something there.
        """
        named, removed = _proxy.targets(_haproxy.read() or ""), [s.name for s in self._steps if s.action == "remove"]
        revived = []
        for name, deployment in self._world.items():
            settings, serving = deployment.settings or {}, deployment.serving
            if serving is None or serving.running or name in removed or settings.get("proxy") != "haproxy":
                continue
            if is_in_place(serving.slot, settings) and any(
                n == name and number != serving.number for n, number in named
            ):
                revived.append((name, serving))
        _systemd.start([unit_name(name, serving.number) for name, serving in revived])
        for name, serving in revived:
            self._replace_revision(name, replace(serving, active="active"))

    # Files

    def _write(self, step: Step) -> None:
        """Write a new revision, and give a place to whatever has to start."""
        if step.revision is None or not step.starts:
            return
        wanted = self._wanted[step.name]
        if step.new and wanted.content:
            schema = _schema.read(variables(wanted.content.environment).get("DATABASE_URI"))
            record = make_record(
                wanted.content, step.revision, reasons=step.reasons, by=self._options.by, at=_now(), schema=schema
            )
            _revision_store.write_revision(self._options.config_dir, step.name, record, wanted.content.environment)
            fresh = Revision(step.revision, record, wanted.content.environment)
            deployment = self._world.get(step.name) or Deployment(step.name)
            others = tuple(revision for revision in deployment.revisions if revision.number != step.revision)
            self._world[step.name] = replace(deployment, revisions=(*others, fresh))
        self._give_slot(step, wanted)

    def _give_slot(self, step: Step, wanted: Wanted) -> None:
        revision = self._revision(step)
        deadline = wanted.settings["healthy_deadline"]
        fresh, in_place = step.action in ("create", "roll"), is_in_place(revision.slot, wanted.settings)
        if wanted.settings["proxy"] == "none":
            slot = {"address": wanted.settings["bind_address"], "port": wanted.settings["port"]}
        elif revision.slot and in_place and (revision.running or not fresh):
            slot = {key: revision.slot[key] for key in ("address", "port")}
        else:
            slot = {"address": "127.0.0.1", "port": self._free_port()}
        slot["healthy_deadline"] = deadline
        if slot != revision.slot:
            _revision_store.stage_slot(self._options.config_dir, step.name, revision.number, slot)
            if in_place or (fresh and not revision.running):
                _revision_store.put_slot(self._options.config_dir, step.name, revision.number)
            else:
                # The file says where the container is until that has stopped.
                self._moved[step.name] = revision
                revision = replace(revision, active="inactive")
            self._replace_revision(step.name, replace(revision, slot=slot))

    def _free_port(self) -> int:
        taken = self._ports | set(_ports.listening())
        for deployment in self._world.values():
            taken |= {int(revision.slot["port"]) for revision in deployment.revisions if revision.slot}
        port = next((port for port in LOOPBACK_PORTS if port not in taken), None)
        if port is None:
            raise RolloutError(f"no free port from {LOOPBACK_PORTS.start} to {LOOPBACK_PORTS.stop - 1} on the loopback")
        self._ports.add(port)
        return port

    # Containers

    def _interrupt(self) -> None:
        """Stop first what cannot run beside what follows: all of them, so that two may exchange their ports."""
        for step in self._steps:
            if self._serving(step) and (step.action == "restart" or (step.action == "roll" and self._is_direct(step))):
                self._interrupted[step.name] = self._world[step.name]
        for name, deployment in self._interrupted.items():
            # A proxy that goes lets go of the port before the container takes it. One that a container had is kept for it.
            settings = deployment.settings or {}
            direct = {"proxy": "none", "kept": settings.get("proxy") == "none"}
            self._world[name] = replace(deployment, settings={**settings, **direct})
        if any(step.starts and self._is_direct(step) for step in self._steps):
            self._let_go()
        serving = ((name, deployment.serving) for name, deployment in self._interrupted.items())
        stopping = [*self._moved.items(), *((name, revision) for name, revision in serving if revision)]
        _systemd.stop(list(dict.fromkeys(unit_name(name, revision.number) for name, revision in stopping)))
        for name, revision in self._moved.items():
            _revision_store.put_slot(self._options.config_dir, name, revision.number)

    def _is_direct(self, step: Step) -> bool:
        """Whether the container itself has the public port, before or afterwards."""
        serving = self._serving(step)
        settings = (self._world[step.name].settings if step.name in self._world else None) or {}
        modes = (settings.get("proxy"), self._wanted[step.name].settings["proxy"])
        return "none" in modes or is_public(serving.slot if serving else None)

    def _clear_the_way(self) -> list[Step]:
        """End strays early where they hold the public port, or the last place among the revisions that may run."""
        public, crowded = [], []
        for step in self._steps:
            revisions = self._world[step.name].revisions if step.strays else ()
            if any(r.number in step.strays and is_public(r.slot) for r in revisions):
                public.append(step)
            elif (
                step.starts
                and sum(r.running for r in revisions if r.number != step.revision) >= self._options.max_running
            ):
                crowded.append(step)
        # The proxy sends nobody to what has the public port itself, and cannot be told anything while that has it.
        for step in public:
            self._drain(step.name, step.strays)
        if crowded and not self._let_go():
            return public
        for step in crowded:
            self._drain(step.name, step.strays)
        return [*public, *crowded]

    def _bring_up_and_switch(self, steps: t.Sequence[Step]) -> None:
        """Start in parallel; switch whatever is ready at that moment with one reload of the proxy.

        What asks for an address that another deployment still has waits until that one moves.
        """
        ready = [step for step in steps if not step.starts and (step.write or step.enable)]
        with ThreadPoolExecutor(max_workers=max(1, self._options.parallel)) as pool:
            waiting: dict[Future[dict[str, t.Any] | None], Step] = {
                pool.submit(self._bring_up, step): step for step in steps if step.starts
            }
            while waiting:
                done, _rest = wait(waiting, return_when=FIRST_COMPLETED)
                for step, future in [(waiting.pop(future), future) for future in done]:
                    try:
                        failure = future.result()
                    except (_bring_up.BringUpError, _docker.EngineError, _systemd.SystemdError, OSError) as error:
                        failure = _failure(step, "rollout", str(error))
                    if failure:
                        self._fail(step, failure)
                    else:
                        ready.append(step)
                ready = self._switch_what_fits(ready)
        # Whose address is still another's by now: that is told.
        self._switch(self._switch_what_fits(ready))

    def _switch_what_fits(self, ready: list[Step]) -> list[Step]:
        """Switch what can be; give the rest."""
        while fitting := ready if self._fits(ready) else [step for step in ready if self._fits([step])]:
            self._switch(fitting)
            ready = [step for step in ready if step not in fitting]
        return ready

    def _fits(self, steps: t.Sequence[Step]) -> bool:
        """Whether the proxy can take all of them over, beside what else the host has."""
        world = {**self._world, **{step.name: self._served(step) for step in steps}}
        try:
            proxy_text(world, [step.name for step in steps])
        except ValueError:
            return False
        return True

    def _bring_up(self, step: Step) -> dict[str, t.Any] | None:
        """Have a revision run and stay healthy for the time asked for; else say why not."""
        options, deployment, revision = self._options, self._world[step.name], self._revision(step)
        wanted, report = self._wanted[step.name], self._reports[step.name]
        if step.action in ("create", "roll"):
            # A revision that is being drained may be the one to go back to, or to try again.
            _systemd.stop([drain_unit_name(step.name, revision.number)])
        if step.action == "roll":
            _bring_up.make_room(deployment, revision.number, options.max_running)
            if options.snapshot_dir and wanted.revision is None:
                report.snapshot = _bring_up.snapshot(options.snapshot_dir, step.name, revision, deployment.serving)
        if step.action in ("create", "roll") and not revision.running:
            if revision.active == "deactivating":
                # What failed before may still be ending its runs.
                _systemd.stop([unit_name(step.name, revision.number)])
            _docker.remove_container(self._client, container_name(step.name, revision.number))
        _revision_store.forget_drain(options.config_dir, step.name, revision.number)
        # Counted while the new one boots: it costs no time.
        with ThreadPoolExecutor(max_workers=1) as side:
            counted = (
                side.submit(_bring_up.count_runs, deployment, deployment.serving) if step.action == "roll" else None
            )
            # Only now: what came before may have waited for a drain, or for a dump.
            deadline = time.monotonic() + wanted.settings["healthy_deadline"]
            failure = _bring_up.until_healthy(step.name, revision, deadline, options.min_healthy_time)
            if counted is not None:
                report.runs["before"] = counted.result()
        return failure

    def _fail(self, step: Step, failure: dict[str, t.Any]) -> None:
        """Keep the failed revision for inspection, stopped, and have the old one serve on."""
        revision, serving = self._revision(step), self._serving(step)
        fresh = step.action in ("create", "roll")
        # A run that was killed may have had the proxy send clients to it, and may have enabled it.
        if fresh and (self._let_go() or (step.name, revision.number) not in _proxy.targets(_haproxy.read() or "")):
            self._end_failed(step, revision)
        if fresh and not revision.served:
            outcome = {
                "result": "failed",
                "at": _now(),
                **{key: failure[key] for key in ("code", "cause", "line", "log")},
            }
            _revision_store.write_outcome(self._options.config_dir, step.name, revision.number, outcome)
        goes_on = step.action == "roll"
        if serving and step.name in self._interrupted:
            goes_on = self._put_back(step, serving)
        if serving and goes_on:
            failure["serving"] = serving.number
        self._reports[step.name].failure = failure

    def _end_failed(self, step: Step, revision: Revision) -> None:
        _systemd.disable([unit_name(step.name, revision.number)])
        if revision.running and not self._is_direct(step):
            # It may hold sessions of before, as one that was to be rolled back to while it drained.
            self._drain(step.name, (revision.number,))
        else:
            # It may have taken runs from the queue, which get their grace. The play waits for a port alone.
            _systemd.stop([unit_name(step.name, revision.number)], block=self._is_direct(step))

    def _put_back(self, step: Step, serving: Revision) -> bool:
        """Start again what was interrupted, where it was; False where that was no place for it before."""
        self._world[step.name] = before = self._interrupted[step.name]
        moved = self._moved.get(step.name)
        if moved and moved.number == serving.number:
            if not is_in_place(moved.slot, before.settings or {}):
                return False
            _systemd.stop([unit_name(step.name, serving.number)])
            _revision_store.write_slot(self._options.config_dir, step.name, serving.number, moved.slot or {})
            self._replace_revision(step.name, moved)
        _systemd.start([unit_name(step.name, serving.number)])
        return True

    # The switch

    def _switch(self, steps: t.Sequence[Step]) -> None:
        """Have clients reach the new revisions, record it, and let the old ones drain."""
        if not steps:
            return
        before = {step.name: self._serving(step) for step in steps}
        old_world = dict(self._world)
        _systemd.enable([unit_name(step.name, self._revision(step).number) for step in steps if step.starts])
        reach("enabled")
        for step in steps:
            self._world[step.name] = self._served(step)
        try:
            self._load_proxy([step.name for step in steps])
        except _haproxy.ProxyError as error:
            self._world = old_world
            self._switch_apart(steps, str(error))
            return
        reach("switched")
        for step in steps:
            self._record(step)
        records = {step.name: self._world[step.name].settings or {} for step in steps}
        _revision_store.write_settings(self._options.config_dir, records)
        reach("recorded")
        for step in steps:
            old = before[step.name]
            if step.starts and old and old.number != step.revision:
                self._drain(step.name, (old.number,))
        reach("drained")
        for step in steps:
            if step.starts:
                self._reports[step.name].runs["after"] = _bring_up.count_runs(
                    self._world[step.name], self._revision(step)
                )

    def _switch_apart(self, steps: t.Sequence[Step], why: str) -> None:
        """One that the proxy cannot take is no reason to fail the others, of which some need what others leave."""
        rest = list(steps)
        while len(steps) > 1 and (alone := next((step for step in rest if self._fits([step])), None)):
            rest.remove(alone)
            self._switch([alone])
        if len(rest) == len(steps):
            self._take_back(steps, why)
        else:
            self._switch(rest)

    def _served(self, step: Step) -> Deployment:
        """What the host is to say of the deployment once the proxy has switched."""
        deployment, wanted = self._world[step.name], self._wanted[step.name]
        same = (deployment.settings or {}).get("serving") == step.revision
        since = (
            (deployment.settings or {}).get("since") if same and step.action in ("route", "keep", "wait") else _now()
        )
        settings = {**wanted.settings, "serving": step.revision, "since": since}
        return replace(deployment, settings=settings)

    def _record(self, step: Step) -> None:
        """Record how the start ended; which revision serves is recorded for all at once."""
        revision = self._revision(step)
        if step.action in ("create", "roll"):
            uri = variables(revision.environment).get("DATABASE_URI")
            schema = _schema.read(uri) or (revision.outcome or {}).get("schema")
            outcome = {"result": "served", "at": _now(), "schema": schema}
            _revision_store.write_outcome(self._options.config_dir, step.name, revision.number, outcome)
        deadline = self._wanted[step.name].settings["healthy_deadline"]
        if revision.slot and revision.slot.get("healthy_deadline") != deadline:
            # The unit goes by it at its next start.
            slot = {**revision.slot, "healthy_deadline": deadline}
            _revision_store.write_slot(self._options.config_dir, step.name, revision.number, slot)
            self._replace_revision(step.name, replace(revision, slot=slot))

    def _take_back(self, steps: t.Sequence[Step], why: str) -> None:
        """The proxy goes on with what it had: so does the host."""
        for step in steps:
            self._fail(step, _failure(step, "proxy", why))

    def _load_proxy(self, asking: t.Iterable[str] = ()) -> None:
        """Have the proxy run what the host's deployments ask for; nothing where it does already."""
        try:
            text = proxy_text(self._world, asking)
        except ValueError as error:
            raise _haproxy.ProxyError(str(error)) from error
        if text is not None:
            _haproxy.load(text)

    def _let_go(self) -> bool:
        """The same where it is not the end of it: what a killed run left may make it impossible. Tell whether it is done."""
        try:
            self._load_proxy()
        except _haproxy.ProxyError:
            return False
        return True

    # The end of the old ones

    def _drain(self, name: str, numbers: t.Sequence[int]) -> None:
        """Let revisions end in their own time, under systemd. Where no proxy holds sessions, they end now."""
        if not numbers:
            return
        self._drained.setdefault(name, set()).update(numbers)
        direct = (self._world[name].settings or {}).get("proxy") == "none"
        now = [r.number for r in self._world[name].revisions if r.number in numbers and (direct or is_public(r.slot))]
        _systemd.disable_now([unit_name(name, number) for number in now])
        for number in now:
            _docker.remove_container(self._client, container_name(name, number))
        _systemd.start([drain_unit_name(name, number) for number in numbers if number not in now])

    def _remove(self, names: t.Sequence[str]) -> None:
        """Take the way to it away, the record that it serves, then stop it, and delete its files last.

        A killed run is finished by the next, and until then nothing leads clients to what is half gone.
        """
        for name in names:
            self._world[name] = replace(self._world[name], settings=None)
        if names:
            self._let_go()
        numbers = {name: [revision.number for revision in self._world[name].revisions] for name in names}
        _systemd.stop([drain_unit_name(name, number) for name in names for number in numbers[name]])
        for name in names:
            _revision_store.remove_settings(self._options.config_dir, name)
        _systemd.disable_now([unit_name(name, number) for name in names for number in numbers[name]])
        for name in names:
            for number in numbers[name]:
                _docker.remove_container(self._client, container_name(name, number))
            _revision_store.remove_deployment(self._options.config_dir, name)
            self._world.pop(name)

    def _prune(self) -> None:
        """Remove what is older than what is kept, and images that only it needed."""
        config_dir = self._options.config_dir
        world = _revision_store.read(config_dir, sorted(self._world))
        pruned: list[Revision] = []
        for step in self._steps:
            if step.action == "remove" or step.name not in world:
                continue
            for revision in to_prune(world[step.name], self._options.keep_revisions):
                _systemd.disable([unit_name(step.name, revision.number)] if revision.enabled else [])
                units = [function(step.name, revision.number) for function in (unit_name, drain_unit_name)]
                _systemd.reset_failed(units)
                _docker.remove_container(self._client, container_name(step.name, revision.number))
                if self._options.snapshot_dir:
                    _revision_store.remove_file(
                        _bring_up.snapshot_path(self._options.snapshot_dir, step.name, revision)
                    )
                _revision_store.remove_revision(config_dir, step.name, revision.number)
                pruned.append(revision)
        gone = {id(revision) for revision in pruned}
        kept = [r for deployment in world.values() for r in deployment.revisions if id(r) not in gone]
        for image_id in unused_images(pruned, kept):
            _docker.remove_image(self._client, image_id)

    # Looking

    def _revision(self, step: Step) -> Revision:
        revision = self._world[step.name].get(step.revision or 0)
        if revision is None:
            raise RolloutError(f"deployment '{step.name}' has no revision {step.revision}")
        return revision

    def _serving(self, step: Step) -> Revision | None:
        deployment = self._world.get(step.name)
        return deployment.serving if deployment else None

    def _replace_revision(self, name: str, revision: Revision) -> None:
        deployment = self._world[name]
        others = tuple(other for other in deployment.revisions if other.number != revision.number)
        self._world[name] = replace(deployment, revisions=(*others, revision))


def proxy_text(world: t.Mapping[str, Deployment], asking: t.Iterable[str] = ()) -> str | None:
    """What the proxy has to run for the deployments of a host; None where it has never been asked for.

    ValueError where they cannot go together, or where another one still has the address that one is ``asking`` for.
    """
    found = routes(world.values())
    for name in asking:
        _refuse_taken(
            world[name], [other for other in world.values() if other.name not in (name, *(r.name for r in found))]
        )
    return _proxy.render(found) if found or _haproxy.read() is not None else None


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
        _proxy.render([route(item.name, item.settings or {}, 0, {"port": 1}) for item in (deployment, other)])


def _failure(step: Step, code: str, cause: str) -> dict[str, t.Any]:
    """One that no log explains."""
    return {"name": step.name, "revision": step.revision, "code": code, "cause": cause, "line": "", "log": []}


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")  # noqa: UP017 - Python 3.10
