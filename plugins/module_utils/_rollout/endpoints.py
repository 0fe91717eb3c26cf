# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Endpoints of containers: assign one to each that starts, stop what has to leave its endpoint first, and restore it.

Behind the proxy nothing is published: each container has its own address on the deployments' network, so two revisions
run side by side. A container with its own public port cannot run together with its successor: it is interrupted.
"""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._common import credentials as _credentials
from ansible_collections.selfhost.langgraph.plugins.module_utils._haproxy import reload
from ansible_collections.selfhost.langgraph.plugins.module_utils._host import docker_engine, systemd
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions import store
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.model import (
    CONTAINER_PORT,
    Deployment,
    Revision,
    Wanted,
    container_of,
    is_at_wanted_endpoint,
    is_public,
    unit_name,
    with_limits,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.plan import Step
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.state import RolloutError, RolloutHost


class Endpoints:
    """The endpoints that one rollout assigns to containers."""

    def __init__(self, host: RolloutHost, wanted: t.Mapping[str, Wanted]) -> None:
        self._host, self._wanted = host, wanted
        self._addresses: set[str] = set()
        self._networks: dict[str, tuple[str, set[str]]] = {}
        # Deployments that cannot run two revisions side by side, in their previous state.
        self._interrupted: dict[str, Deployment] = {}
        # Revisions whose containers run at another endpoint than wanted, in their previous state.
        self._moved: dict[str, Revision] = {}

    def assign(self, step: Step) -> None:
        """Assign an endpoint to a container that has to start; keep its present one if possible."""
        wanted, revision = self._wanted[step.name], self._host.revision(step)
        fresh, in_place = step.action in ("create", "roll"), is_at_wanted_endpoint(revision.endpoint, wanted.settings)
        if wanted.settings["proxy"] == "none":
            endpoint = {"address": wanted.settings["bind_address"], "port": wanted.settings["port"]}
        elif revision.endpoint and in_place and (revision.running or not fresh):
            endpoint = dict(revision.endpoint)
        else:
            endpoint = self._new_endpoint(network_of(revision))
        endpoint = with_limits(endpoint, wanted.settings) | self._note(wanted, revision)
        if endpoint != revision.endpoint:
            store.stage_endpoint(self._host.options.config_dir, step.name, revision.number, endpoint)
            if in_place or (fresh and not revision.running):
                store.commit_endpoint(self._host.options.config_dir, step.name, revision.number)
            else:
                # The file keeps the container's present endpoint until the container has stopped.
                store.keep_endpoint(self._host.options.config_dir, step.name, revision.number)
                self._moved[step.name] = revision
                self._host.set_active(step.name, revision.number, "inactive")
            self._host.set_endpoint(step.name, revision.number, endpoint)

    @staticmethod
    def _note(wanted: Wanted, revision: Revision) -> dict[str, str]:
        """Return the note of the credentials that its container has, or will be created with."""
        if wanted.credentials and not revision.running:
            return _credentials.note(wanted.credentials)
        return (
            {key: revision.endpoint[key] for key in _credentials.NOTED if key in revision.endpoint}
            if revision.endpoint
            else {}
        )

    def _new_endpoint(self, network: str) -> dict[str, t.Any]:
        """Return an endpoint with an unused address: neither recorded for a kept revision nor used by any container.

        If there is none, take one that only a stopped revision has; that revision gets another when it starts again.
        """
        if network not in self._networks:
            self._networks[network] = docker_engine.network(self._host.client, network)
        subnet, taken = self._networks[network]
        known = {
            r.endpoint["address"]
            for deployment in self._host.deployments.values()
            for r in deployment.revisions
            if r.endpoint
        }
        address = free_address(subnet, self._addresses | taken | known) or self._left_address(subnet, taken)
        if address is None:
            raise RolloutError(
                f"no address is free in the upper half of {subnet}, the subnet of the network '{network}'; set a larger subnet "
                "(docker_network_subnet)"
            )
        self._addresses.add(address)
        return {"address": address, "port": CONTAINER_PORT, "network": network}

    def _left_address(self, subnet: str, taken: t.Container[str]) -> str | None:
        """Take the address of a revision that neither runs nor starts; its record is removed, as no two records may share one."""
        for name, deployment in self._host.deployments.items():
            for revision in deployment.revisions:
                endpoint = revision.endpoint or {}
                busy = revision.running or revision.enabled or revision.draining or revision == deployment.serving
                if busy or not endpoint.get("network") or endpoint["address"] in self._addresses:
                    continue
                if endpoint["address"] not in taken and ipaddress.ip_address(
                    endpoint["address"]
                ) in ipaddress.ip_network(subnet):
                    store.remove_endpoint(self._host.options.config_dir, name, revision.number)
                    self._host.set_endpoint(name, revision.number, None)
                    return str(endpoint["address"])
        return None

    def is_direct(self, step: Step) -> bool:
        """Return whether the container itself has the public port, before or after the step."""
        deployments, serving = self._host.deployments, self._host.serving(step)
        settings = (deployments[step.name].settings if step.name in deployments else None) or {}
        modes = (settings.get("proxy"), self._wanted[step.name].settings["proxy"])
        return "none" in modes or is_public(serving.endpoint if serving else None)

    def interrupt(self, steps: t.Sequence[Step]) -> None:
        """Stop all containers that cannot run together with their successors, so that two may exchange their ports."""
        for step in steps:
            if self._host.serving(step) and (
                step.action == "restart" or (step.action == "roll" and self.is_direct(step))
            ):
                self._interrupted[step.name] = self._host.deployments[step.name]
        for name in self._interrupted:
            # The proxy releases a port before a container takes it.
            self._host.release_port(name)
        if any(step.starts and self.is_direct(step) for step in steps):
            # On a full disk the proxy would keep the ports that the containers need.
            self._host.try_load_proxy(but=reload.ProxyFileError)
        self._stop_and_move()

    def restore_all(self) -> None:
        """Start again everything that was interrupted, if the successors cannot start."""
        for name, before in self._interrupted.items():
            if before.serving:
                self.restore(name, before.serving)
        # The proxy may have released their ports.
        self._host.try_load_proxy()

    def _stop_and_move(self) -> None:
        serving = ((name, deployment.serving) for name, deployment in self._interrupted.items())
        stopping = [*self._moved.items(), *((name, revision) for name, revision in serving if revision)]
        systemd.stop(list(dict.fromkeys(unit_name(name, revision.number) for name, revision in stopping)))
        for name, revision in self._moved.items():
            store.commit_endpoint(self._host.options.config_dir, name, revision.number)

    def is_interrupted(self, name: str) -> bool:
        """Return whether the deployment was stopped for its successor."""
        return name in self._interrupted

    def restore(self, name: str, serving: Revision) -> bool:
        """Start an interrupted revision again at its previous endpoint; False if that endpoint was already wrong before."""
        before = self._interrupted[name]
        self._host.restore_deployment(before)
        moved = self._moved.get(name)
        if moved and moved.number == serving.number:
            if not is_at_wanted_endpoint(moved.endpoint, before.settings or {}):
                return False
            systemd.stop([unit_name(name, serving.number)])
            store.restore_endpoint(self._host.options.config_dir, name, serving.number)
            self._host.put_revision(name, moved)
        systemd.start([unit_name(name, serving.number)])
        return True


def network_of(revision: Revision) -> str:
    """Return the network that a revision's container joins."""
    network = container_of(revision.record or {}).network
    if not network:
        raise RolloutError(f"revision {revision.number} has no record of its network")
    return network


def free_address(subnet: str, taken: t.Container[str]) -> str | None:
    """Return the first free address in the upper half of a subnet; the engine assigns its own from the lower end."""
    network = ipaddress.IPv4Network(subnet)
    first, last = int(network.network_address), int(network.broadcast_address)
    addresses = (str(ipaddress.IPv4Address(number)) for number in range((first + last + 1) // 2 + 1, last))
    return next((address for address in addresses if address not in taken), None)
