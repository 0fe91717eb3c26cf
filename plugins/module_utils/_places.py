# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Where containers are published: a place for each that starts, who has to leave one first, and who is put back.

Behind the proxy each container has a port of its own on the loopback, so two revisions run side by side. One that
itself has the public port does not go together with what follows: it is interrupted.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.selfhost.langgraph.plugins.module_utils import _haproxy, _ports, _revision_store, _systemd
from ansible_collections.selfhost.langgraph.plugins.module_utils._plan import Step
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions import (
    LOOPBACK_PORTS,
    Deployment,
    Revision,
    Wanted,
    is_in_place,
    is_public,
    unit_name,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout_host import RolloutError, RolloutHost


class Places:
    """The places that one rollout gives to containers and takes from them."""

    def __init__(self, host: RolloutHost, wanted: t.Mapping[str, Wanted]) -> None:
        self._host, self._wanted = host, wanted
        self._ports: set[int] = set()
        # Deployments that cannot have two revisions side by side, as they were.
        self._interrupted: dict[str, Deployment] = {}
        # Revisions whose containers run elsewhere than they shall, as they were.
        self._moved: dict[str, Revision] = {}

    def give_slot(self, step: Step) -> None:
        """Give a place to what has to start: the one that it has where that will do."""
        wanted, revision = self._wanted[step.name], self._host.revision(step)
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
            _revision_store.stage_slot(self._host.options.config_dir, step.name, revision.number, slot)
            if in_place or (fresh and not revision.running):
                _revision_store.put_slot(self._host.options.config_dir, step.name, revision.number)
            else:
                # The file says where the container is until that has stopped.
                _revision_store.keep_slot(self._host.options.config_dir, step.name, revision.number)
                self._moved[step.name] = revision
                revision = replace(revision, active="inactive")
            self._host.replace_revision(step.name, replace(revision, slot=slot))

    def _free_port(self) -> int:
        taken = self._ports | set(_ports.listening())
        for deployment in self._host.world.values():
            taken |= {int(revision.slot["port"]) for revision in deployment.revisions if revision.slot}
        port = next((port for port in LOOPBACK_PORTS if port not in taken), None)
        if port is None:
            raise RolloutError(f"no free port from {LOOPBACK_PORTS.start} to {LOOPBACK_PORTS.stop - 1} on the loopback")
        self._ports.add(port)
        return port

    def is_direct(self, step: Step) -> bool:
        """Whether the container itself has the public port, before or afterwards."""
        world, serving = self._host.world, self._host.serving(step)
        settings = (world[step.name].settings if step.name in world else None) or {}
        modes = (settings.get("proxy"), self._wanted[step.name].settings["proxy"])
        return "none" in modes or is_public(serving.slot if serving else None)

    def interrupt(self, steps: t.Sequence[Step]) -> None:
        """Stop first what cannot run beside what follows: all of them, so that two may exchange their ports."""
        world = self._host.world
        for step in steps:
            if self._host.serving(step) and (
                step.action == "restart" or (step.action == "roll" and self.is_direct(step))
            ):
                self._interrupted[step.name] = world[step.name]
        for name, deployment in self._interrupted.items():
            # A proxy that goes lets go of the port before the container takes it. One that a container had is kept for it.
            settings = deployment.settings or {}
            direct = {"proxy": "none", "kept": settings.get("proxy") == "none"}
            world[name] = replace(deployment, settings={**settings, **direct})
        if any(step.starts and self.is_direct(step) for step in steps):
            # On a full disk it would keep the ports that containers are to have.
            self._host.let_go(but=_haproxy.ProxyFileError)
        self._stop_and_move()

    def put_all_back(self) -> None:
        """Start again all that was interrupted, where what was to follow cannot."""
        for name, before in self._interrupted.items():
            if before.serving:
                self.put_back(name, before.serving)
        # It may have let go of them.
        self._host.let_go()

    def _stop_and_move(self) -> None:
        serving = ((name, deployment.serving) for name, deployment in self._interrupted.items())
        stopping = [*self._moved.items(), *((name, revision) for name, revision in serving if revision)]
        _systemd.stop(list(dict.fromkeys(unit_name(name, revision.number) for name, revision in stopping)))
        for name, revision in self._moved.items():
            _revision_store.put_slot(self._host.options.config_dir, name, revision.number)

    def is_interrupted(self, name: str) -> bool:
        """Whether the deployment was stopped for what follows."""
        return name in self._interrupted

    def put_back(self, name: str, serving: Revision) -> bool:
        """Start again what was interrupted, where it was; False where that was no place for it before."""
        self._host.world[name] = before = self._interrupted[name]
        moved = self._moved.get(name)
        if moved and moved.number == serving.number:
            if not is_in_place(moved.slot, before.settings or {}):
                return False
            _systemd.stop([unit_name(name, serving.number)])
            _revision_store.put_slot_back(self._host.options.config_dir, name, serving.number)
            self._host.replace_revision(name, moved)
        _systemd.start([unit_name(name, serving.number)])
        return True
