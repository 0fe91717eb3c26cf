# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a host has, told to people and to the check: deployments, their revisions, drains in progress. No secrets."""

from __future__ import annotations

import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import shown
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.model import (
    ADDRESS,
    Deployment,
    Revision,
    public_url,
)

RECORD = ("image", "image_id", "image_digest", "created", "created_by", "reasons", "schema_before")
OUTCOME = ("result", "at", "schema", "cause", "line")


def state_of(revision: Revision, serving: int | None) -> str:
    """One word: serving, draining, failed, starting, running (an interrupted rollout's), stopped, or new."""
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
    """One deployment with its revisions, the newest first.

    ``drains`` is what the drains of its revisions reported, by number; ``sessions`` counts the connections to an address and port.
    """
    settings, serving = deployment.settings or {}, deployment.serving
    record = (serving.record if serving else None) or {}
    drain_seconds = [int((revision.record or {}).get("drain_seconds") or 0) for revision in deployment.revisions]
    return {
        "name": deployment.name,
        **{key: settings.get(key) for key in ("proxy", *ADDRESS, "serving", "since")},
        "image": record.get("image"),
        "image_id": record.get("image_id"),
        "drain_seconds": max(drain_seconds, default=0),
        "active": serving.active if serving else "inactive",
        "enabled": serving.enabled if serving else False,
        "revisions": [
            _revision(revision, settings.get("serving"), drains.get(revision.number), sessions)
            for revision in sorted(deployment.revisions, key=lambda item: item.number, reverse=True)
        ],
    }


def _revision(
    revision: Revision,
    serving: int | None,
    drain: t.Mapping[str, t.Any] | None,
    sessions: t.Callable[[str, int], int],
) -> dict[str, t.Any]:
    slot = (revision.slot or {}) if revision.running else {}
    return {
        "number": revision.number,
        "state": state_of(revision, serving),
        "active": revision.active,
        **{key: (revision.record or {}).get(key) for key in RECORD},
        **{key: (revision.outcome or {}).get(key) for key in OUTCOME},
        "address": slot.get("address"),
        "port": slot.get("port"),
        "sessions": sessions(slot["address"], int(slot["port"])) if slot else 0,
        "drain": dict(drain) if drain else None,
        "snapshot": revision.snapshot,
    }


def targets(deployments: t.Sequence[t.Mapping[str, t.Any]]) -> list[dict[str, t.Any]]:
    """The option ``deployments`` of the module health, from what describe() told of those that serve."""
    return [
        {
            "name": item["name"],
            # A server itself keeps /ok at its root; the proxy answers with it under the prefix.
            "url": public_url(
                item["tls"], item["bind_address"], item["port"], None if item["proxy"] == "none" else item["prefix"]
            ),
            "host": item["hostname"],
        }
        for item in deployments
        if item["serving"]
    ]


COLUMNS = ("deployment", "revision", "state", "sessions", "since", "health", "image", "by", "why")


def table(deployments: t.Sequence[t.Mapping[str, t.Any]], health: t.Mapping[str, t.Mapping[str, t.Any]]) -> list[str]:
    """The status of a host as lines for people. ``health`` is what the module health returned."""
    rows = [tuple(column.upper() for column in COLUMNS)]
    for deployment in deployments:
        for revision in deployment["revisions"]:
            rows.append(_row(deployment, revision, health.get(deployment["name"])))
    return aligned(rows)


def aligned(rows: t.Sequence[t.Sequence[str]]) -> list[str]:
    """Rows of as many cells as lines of text, each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]


def _row(
    deployment: t.Mapping[str, t.Any], revision: t.Mapping[str, t.Any], answer: t.Mapping[str, t.Any] | None
) -> tuple[str, ...]:
    """A line; no cell but the last has a space, at which Ansible's YAML would break the line."""
    serves = revision["state"] == "serving"
    return (
        deployment["name"],
        str(revision["number"]),
        revision["state"],
        str(revision["sessions"]) if revision["port"] else "-",
        str((deployment["since"] if serves else revision["at"]) or revision["created"] or "-"),
        ("healthy" if answer["ok"] else "UNHEALTHY") if serves and answer else "-",
        str(revision["image"] or "-"),
        str(revision["created_by"] or "-"),
        shown(_why(revision)),
    )


def _why(revision: t.Mapping[str, t.Any]) -> str:
    """What a person would ask next: why a start failed, what a drain lost, else why the revision was made."""
    lost = ((revision["drain"] or {}).get("runs") or {}).get("lost")
    if lost:
        return f"{len(lost)} runs lost"
    if revision["state"] == "failed" and revision["cause"]:
        return str(revision["cause"])
    return ", ".join(revision["reasons"] or ())
