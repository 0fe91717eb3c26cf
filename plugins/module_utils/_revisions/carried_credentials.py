# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The credentials in a host's containers, and from where and since when these may be connected."""

from __future__ import annotations

import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._common import credentials as _credentials
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.env_file import Variables
from ansible_collections.selfhost.langgraph.plugins.module_utils._host import docker_engine, tcp_ports
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.model import Deployment, container_name

# The label that langgraph-container.py sets on its containers.
CONFIG_LABEL = "selfhost.langgraph.config"


def carried(found: t.Mapping[str, Deployment], wanted: t.Mapping[str, Variables] | None = None) -> dict[str, t.Any]:
    """Return by deployment the login of each revision that has credentials in use; since when it may be connected
    (``since``, seconds since the epoch); and the addresses of host and containers.

    Each entry has the fingerprint of its passwords (``credential``). With ``wanted``, credentials by deployment, it has
    ``current`` instead: whether it has the wanted ones, which is not secret; False for a deployment that is not in ``wanted``.
    """
    containers = _containers()
    return {
        "deployments": {name: _entries(item, wanted) for name, item in found.items()},
        "since": _since(found, containers),
        "addresses": [*tcp_ports.addresses(), *sorted({address for item in containers for address in item.addresses})],
    }


def _since(found: t.Mapping[str, Deployment], containers: t.Iterable[docker_engine.Container]) -> dict[str, int]:
    """Return when the oldest running container of each deployment was created, without deployments that do not run."""
    created = {item.name: item.created for item in containers}
    since = {}
    for name, deployment in found.items():
        names = [container_name(name, revision.number) for revision in deployment.revisions]
        running = [created[item] for item in names if item in created]
        if running:
            since[name] = min(running)
    return since


def _entries(deployment: Deployment, wanted: t.Mapping[str, Variables] | None) -> list[dict[str, t.Any]]:
    serving = deployment.serving
    entries = _credentials.carried(deployment.revisions, serving.number if serving else None)
    if wanted is None:
        return entries
    known = deployment.name in wanted
    current = _credentials.note(wanted.get(deployment.name, {})).get("credential")
    return [
        {
            "revision": entry["revision"],
            "login": entry["login"],
            "current": known and entry["credential"] == current,
            "pool": entry["pool"],
        }
        for entry in entries
    ]


def _containers() -> list[docker_engine.Container]:
    if docker_engine.DOCKER_IMPORT_ERROR is not None:
        return []
    try:
        return docker_engine.running_containers(docker_engine.connect(), CONFIG_LABEL)
    except docker_engine.EngineError:
        # Without an engine, no container runs.
        return []
