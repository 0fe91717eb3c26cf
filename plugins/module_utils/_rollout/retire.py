# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The end of revisions and deployments: drain revisions, stop deployments, remove them with all their files, prune old revisions."""

from __future__ import annotations

import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.failpoints import failpoint
from ansible_collections.selfhost.langgraph.plugins.module_utils._haproxy import reload
from ansible_collections.selfhost.langgraph.plugins.module_utils._host import docker_engine, systemd
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions import store
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.model import (
    Deployment,
    Revision,
    container_name,
    drain_unit_name,
    is_public,
    to_prune,
    unit_name,
    unused_images,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout import capacity, start
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.plan import Step
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.report import Report
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.snapshot import snapshot_path
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.state import RolloutHost, unlogged


def drain(host: RolloutHost, name: str, numbers: t.Sequence[int]) -> None:
    """Start draining revisions, under systemd. Revisions without a proxy have no sessions to wait for and are stopped now."""
    if not numbers:
        return
    host.note_drained(name, numbers)
    deployment = host.deployments[name]
    direct = (deployment.settings or {}).get("proxy") == "none"
    now = [r.number for r in deployment.revisions if r.number in numbers and (direct or is_public(r.endpoint))]
    systemd.disable_now([unit_name(name, number) for number in now])
    for number in now:
        docker_engine.remove_container(host.client, container_name(name, number))
    systemd.start([drain_unit_name(name, number) for number in numbers if number not in now])


def wait_for_drains(host: RolloutHost, reports: t.Mapping[str, Report]) -> None:
    """Wait until all drains have ended, including those that a killed run started; lost runs are reported as a failure.

    It needs no lock, because it changes nothing.
    """
    for name, deployment in host.deployments.items():
        draining = {revision.number for revision in deployment.revisions if revision.draining}
        if name in reports and draining:
            host.note_drained(name, draining)
    for name, drained in host.drained.items():
        hanging = start.wait_for_drains(host.deployments.get(name, Deployment(name)), drained)
        drains = store.read_drains(host.options.config_dir, name, drained)
        report = reports[name]
        report.runs["drained"] = {number: drain.get("runs") for number, drain in drains.items()}
        lost = [run for drain in drains.values() for run in (drain.get("runs") or {}).get("lost", ())]
        if hanging and report.failure is None:
            units = " ".join(drain_unit_name(name, number) for number in hanging)
            late = f"{len(hanging)} revisions are still draining after their time limit; see 'systemctl status {units}'"
            report.failure = unlogged(report.step, "drain", late)
        elif lost and report.failure is None:
            report.failure = unlogged(report.step, "lost_runs", f"{len(lost)} runs were lost: {', '.join(lost)}")


def drain_blocking_leftovers(host: RolloutHost, steps: t.Sequence[Step]) -> list[Step]:
    """Drain leftovers early if they block a start: they have the public port, or use up the limit of running revisions.

    The limit is that of the deployment (``max_running``) or that of all extra revisions of the host (``max_extra``).

    Return the steps whose leftovers are being drained.
    """
    public, crowded = [], []
    starting = [step for step in steps if step.starts]
    full = len(capacity.fitting(starting, capacity.known(host.deployments), host.options.max_extra)) < len(starting)
    for step in steps:
        revisions = host.deployments[step.name].revisions if step.leftovers else ()
        if any(r.number in step.leftovers and is_public(r.endpoint) for r in revisions):
            public.append(step)
        elif (full and step.leftovers) or (step.starts and _beside(step, revisions) >= host.options.max_running):
            crowded.append(step)
    # The proxy routes nobody to a container with its own public port, and cannot be loaded while the container has it.
    for step in public:
        drain(host, step.name, step.leftovers)
    if crowded and not host.try_load_proxy():
        return public
    for step in crowded:
        drain(host, step.name, step.leftovers)
    return [*public, *crowded]


def _beside(step: Step, revisions: t.Iterable[Revision]) -> int:
    """Count the deployment's running revisions other than that of the step."""
    return sum(revision.running for revision in revisions if revision.number != step.revision)


def remove(host: RolloutHost, names: t.Sequence[str]) -> None:
    """Remove a deployment's route and its record, stop it, and delete its files last.

    The next run finishes a killed one, and until then no client is routed to a half-removed deployment.
    """
    for name in names:
        host.unroute(name)
    if names:
        # If the file cannot be written, as on a full disk, nothing is removed.
        host.try_load_proxy(but=reload.ProxyFileError)
        failpoint("remove_unrouted")
    numbers = {name: [revision.number for revision in host.deployments[name].revisions] for name in names}
    systemd.stop([drain_unit_name(name, number) for name in names for number in numbers[name]])
    for name in names:
        store.remove_settings(host.options.config_dir, name)
        failpoint("remove_unrecorded")
    systemd.disable_now([unit_name(name, number) for name in names for number in numbers[name]])
    for name in names:
        failpoint("remove_stopped")
        for number in numbers[name]:
            docker_engine.remove_container(host.client, container_name(name, number))
        failpoint("remove_cleared")
        # While their records still exist, so that the next run can finish a run that is killed here.
        for revision in host.deployments[name].revisions if host.options.remove_dumps else ():
            _remove_dump(host, name, revision)
        store.remove_deployment(host.options.config_dir, name)
        host.forget(name)


def stop(host: RolloutHost, names: t.Sequence[str]) -> None:
    """Remove a deployment's route, record that it is stopped, then stop it. Its revisions, credentials and data stay.

    The next run finishes a killed one. Containers are removed, because the next start creates them with the current credentials.
    """
    for name in names:
        host.set_stopped(name)
    if names:
        # If the file cannot be written, as on a full disk, nothing is stopped.
        host.try_load_proxy(but=reload.ProxyFileError)
        failpoint("stop_unrouted")
    store.write_settings(
        host.options.config_dir,
        {name: settings for name in names if (settings := host.deployments[name].settings) is not None},
    )
    failpoint("stop_recorded")
    numbers = {name: [revision.number for revision in host.deployments[name].revisions] for name in names}
    systemd.stop([drain_unit_name(name, number) for name in names for number in numbers[name]])
    systemd.disable_now([unit_name(name, number) for name in names for number in numbers[name]])
    for name in names:
        failpoint("stop_stopped")
        for number in numbers[name]:
            docker_engine.remove_container(host.client, container_name(name, number))
        host.set_ended(name)


def prune(host: RolloutHost, steps: t.Sequence[Step]) -> None:
    """Remove revisions that are no longer kept, and images that only they needed."""
    deployments = store.read(host.options.config_dir, sorted(host.deployments))
    pruned: list[Revision] = []
    for step in steps:
        if step.action == "remove" or step.name not in deployments or deployments[step.name].stopped:
            continue
        for revision in to_prune(deployments[step.name], host.options.keep_revisions):
            _remove_revision(host, step.name, revision)
            pruned.append(revision)
    gone = {id(revision) for revision in pruned}
    kept = [r for deployment in deployments.values() for r in deployment.revisions if id(r) not in gone]
    for image_id in unused_images(pruned, kept):
        docker_engine.remove_image(host.client, image_id)


def _remove_revision(host: RolloutHost, name: str, revision: Revision) -> None:
    options, number = host.options, revision.number
    systemd.disable([unit_name(name, number)] if revision.enabled else [])
    systemd.reset_failed([unit_name(name, number), drain_unit_name(name, number)])
    docker_engine.remove_container(host.client, container_name(name, number))
    _remove_dump(host, name, revision)
    store.remove_revision(options.config_dir, name, number)


def _remove_dump(host: RolloutHost, name: str, revision: Revision) -> None:
    # Its recorded path comes first: the option may have changed since, or may be unset.
    directory = host.options.snapshot_dir
    dump = revision.snapshot or (snapshot_path(directory, name, revision) if directory else None)
    if dump:
        store.remove_snapshot(dump, name, revision.number)
