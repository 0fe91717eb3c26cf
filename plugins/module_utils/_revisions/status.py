# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The status of a host for the user and for the check: deployments, revisions, drains in progress. No secrets."""

from __future__ import annotations

import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.address import health_url
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.model import ADDRESS, Deployment, Revision

RECORD = ("image", "image_id", "image_digest", "created", "created_by", "reasons", "schema_before")
OUTCOME = ("result", "at", "schema", "cause", "line")


def state_of(revision: Revision, serving: int | None) -> str:
    """Return one word: serving, draining, failed, starting, running (left by an interrupted rollout), stopped, or new."""
    if revision.number == serving:
        return "serving"
    if revision.draining:
        return "draining"
    if revision.active == "activating":
        return "starting"
    if revision.running:
        return "running"
    return {"failed": "failed", "served": "stopped"}.get(revision.result or "", "new")


def describe(
    deployment: Deployment, drains: t.Mapping[int, t.Mapping[str, t.Any]], sessions: t.Callable[[str, int], int]
) -> dict[str, t.Any]:
    """Return one deployment with its revisions, the newest first.

    ``drains`` are the reports of its revisions' drains, by number; ``sessions`` counts the connections to an address and port.
    """
    settings, serving, last = deployment.settings or {}, deployment.serving, deployment.last
    record = (last.record if last else None) or {}
    number = None if deployment.stopped else settings.get("serving")
    drain_seconds = [int((revision.record or {}).get("drain_seconds") or 0) for revision in deployment.revisions]
    return {
        "name": deployment.name,
        **{key: settings.get(key) for key in ("proxy", *ADDRESS, "since", "rolled_back", "stopped")},
        "serving": number,
        "last": settings.get("serving"),
        "image": record.get("image"),
        "image_id": record.get("image_id"),
        "drain_seconds": max(drain_seconds, default=0),
        "active": serving.active if serving else "inactive",
        "enabled": serving.enabled if serving else False,
        "health": _health(deployment) if number else None,
        "revisions": [
            _revision(revision, number, drains.get(revision.number), sessions)
            for revision in sorted(deployment.revisions, key=lambda item: item.number, reverse=True)
        ],
    }


def _health(deployment: Deployment) -> dict[str, t.Any]:
    """Return the entry of the module health."""
    settings = deployment.settings or {}
    address: t.Any = [settings.get(key) for key in ("proxy", "tls", "bind_address", "port", "prefix")]
    return {"name": deployment.name, "url": health_url(*address), "host": settings.get("hostname")}


def _revision(
    revision: Revision,
    serving: int | None,
    drain: t.Mapping[str, t.Any] | None,
    sessions: t.Callable[[str, int], int],
) -> dict[str, t.Any]:
    endpoint = (revision.endpoint or {}) if revision.running else {}
    return {
        "number": revision.number,
        "state": state_of(revision, serving),
        "active": revision.active,
        **{key: (revision.record or {}).get(key) for key in RECORD},
        **{key: (revision.outcome or {}).get(key) for key in OUTCOME},
        "address": endpoint.get("address"),
        "port": endpoint.get("port"),
        "sessions": sessions(endpoint["address"], int(endpoint["port"])) if endpoint else 0,
        "drain": dict(drain) if drain else None,
        "snapshot": revision.snapshot,
    }
