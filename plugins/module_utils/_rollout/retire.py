# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The end of revisions and deployments: drained, cleared away, removed with all they have, pruned where not kept."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.failpoints import reach
from ansible_collections.selfhost.langgraph.plugins.module_utils._haproxy import reload
from ansible_collections.selfhost.langgraph.plugins.module_utils._host import docker_engine, systemd
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions import store
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.model import (
    Revision,
    container_name,
    drain_unit_name,
    is_public,
    to_prune,
    unit_name,
    unused_images,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout import capacity
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.plan import Step
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.snapshot import snapshot_path
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.state import RolloutHost


def drain(host: RolloutHost, name: str, numbers: t.Sequence[int]) -> None:
    """Let revisions end in their own time, under systemd. Where no proxy holds sessions, they end now."""
    if not numbers:
        return
    host.drained.setdefault(name, set()).update(numbers)
    deployment = host.world[name]
    direct = (deployment.settings or {}).get("proxy") == "none"
    now = [r.number for r in deployment.revisions if r.number in numbers and (direct or is_public(r.slot))]
    systemd.disable_now([unit_name(name, number) for number in now])
    for number in now:
        docker_engine.remove_container(host.client, container_name(name, number))
    systemd.start([drain_unit_name(name, number) for number in numbers if number not in now])


def clear_the_way(host: RolloutHost, steps: t.Sequence[Step]) -> list[Step]:
    """End strays early where they hold the public port, or the last place among the revisions that may run.

    A place is one of its deployment, or one of all that may run beside those that serve.

    Give the steps whose strays are gone.
    """
    public, crowded = [], []
    starting = [step for step in steps if step.starts]
    full = len(capacity.fitting(starting, capacity.known(host.world), host.options.max_extra)) < len(starting)
    for step in steps:
        revisions = host.world[step.name].revisions if step.strays else ()
        if any(r.number in step.strays and is_public(r.slot) for r in revisions):
            public.append(step)
        elif (full and step.strays) or (step.starts and _beside(step, revisions) >= host.options.max_running):
            crowded.append(step)
    # The proxy sends nobody to what has the public port itself, and cannot be told anything while that has it.
    for step in public:
        drain(host, step.name, step.strays)
    if crowded and not host.let_go():
        return public
    for step in crowded:
        drain(host, step.name, step.strays)
    return [*public, *crowded]


def _beside(step: Step, revisions: t.Iterable[Revision]) -> int:
    """How many of its deployment's revisions run beside the one that a step is about."""
    return sum(revision.running for revision in revisions if revision.number != step.revision)


def remove(host: RolloutHost, names: t.Sequence[str]) -> None:
    """Take the way to it away, the record that it serves, then stop it, and delete its files last.

    A killed run is finished by the next, and until then nothing leads clients to what is half gone.
    """
    for name in names:
        host.world[name] = replace(host.world[name], settings=None)
    if names:
        # On a full disk too: then nothing is removed.
        host.let_go(but=reload.ProxyFileError)
        reach("remove_unrouted")
    numbers = {name: [revision.number for revision in host.world[name].revisions] for name in names}
    systemd.stop([drain_unit_name(name, number) for name in names for number in numbers[name]])
    for name in names:
        store.remove_settings(host.options.config_dir, name)
        reach("remove_unrecorded")
    systemd.disable_now([unit_name(name, number) for name in names for number in numbers[name]])
    for name in names:
        reach("remove_stopped")
        for number in numbers[name]:
            docker_engine.remove_container(host.client, container_name(name, number))
        reach("remove_cleared")
        # While their records are still there: a run that is killed here is finished by the next.
        for revision in host.world[name].revisions if host.options.remove_dumps else ():
            _remove_dump(host, name, revision)
        store.remove_deployment(host.options.config_dir, name)
        host.world.pop(name)


def prune(host: RolloutHost, steps: t.Sequence[Step]) -> None:
    """Remove what is older than what is kept, and images that only it needed."""
    world = store.read(host.options.config_dir, sorted(host.world))
    pruned: list[Revision] = []
    for step in steps:
        if step.action == "remove" or step.name not in world:
            continue
        for revision in to_prune(world[step.name], host.options.keep_revisions):
            _remove_revision(host, step.name, revision)
            pruned.append(revision)
    gone = {id(revision) for revision in pruned}
    kept = [r for deployment in world.values() for r in deployment.revisions if id(r) not in gone]
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
    # Where it was put then: the option may have another value by now, or none.
    folder = host.options.snapshot_dir
    dump = revision.snapshot or (snapshot_path(folder, name, revision) if folder else None)
    if dump:
        store.remove_snapshot(dump, name, revision.number)
