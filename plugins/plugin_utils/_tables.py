# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Tables for people: what a play says at its end, and what a host has."""

from __future__ import annotations

import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import printable

Deployments = t.Sequence[t.Mapping[str, t.Any]]
STATUS_COLUMNS = ("deployment", "revision", "state", "sessions", "since", "health", "image", "by", "why")


def status_table(
    deployments: t.Sequence[t.Mapping[str, t.Any]], health: t.Mapping[str, t.Mapping[str, t.Any]]
) -> list[str]:
    """The status of a host as lines for people. ``health`` is what the module health returned."""
    rows = [tuple(column.upper() for column in STATUS_COLUMNS)]
    for deployment in deployments:
        for revision in deployment["revisions"]:
            rows.append(_row(deployment, revision, health.get(deployment["name"])))
    return align(rows)


def align(rows: t.Sequence[t.Sequence[str]]) -> list[str]:
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
        printable(_why(revision)),
    )


def _why(revision: t.Mapping[str, t.Any]) -> str:
    """What a person would ask next: why a start failed, what a drain lost, else why the revision was made."""
    lost = ((revision["drain"] or {}).get("runs") or {}).get("lost")
    if lost:
        return f"{len(lost)} runs lost"
    if revision["state"] == "failed" and revision["cause"]:
        return str(revision["cause"])
    return ", ".join(revision["reasons"] or ())


DEPLOYMENT_COLUMNS = ("deployment", "url", "redis db", "postgres database", "image", "revision", "health")


def deployment_table(
    deployments: Deployments,
    numbers: t.Mapping[str, t.Mapping[str, t.Any]],
    health: t.Mapping[str, t.Mapping[str, t.Any]],
    services: t.Sequence[t.Mapping[str, t.Any]] = (),
) -> list[str]:
    """The final table, a text a line, for people, and below it what changes.

    ``health`` is what the module health returned, ``services`` the ``deployments`` of deployment_rollout: what was done,
    or in check mode would be, and why.
    """
    rows = [tuple(column.upper() for column in DEPLOYMENT_COLUMNS)]
    done = {service["name"]: service for service in services}
    for deployment in deployments:
        name = deployment["name"]
        revision = str(done.get(name, {}).get("revision") or "-")
        if deployment["state"] == "absent":
            rows.append((name, "-", "-", deployment["database"], "-", "-", "stopped"))
            continue
        answer = health.get(name)
        state = "-" if answer is None else "healthy" if answer["ok"] else "UNHEALTHY"
        number = str(numbers.get(name, {}).get("redis_db") or "-")
        rows.append(
            (name, _shown_url(deployment), number, deployment["database"], deployment["image"], revision, state)
        )
    return [*align(rows), *_changes(services)]


def _shown_url(deployment: t.Mapping[str, t.Any]) -> str:
    name = deployment.get("hostname")
    return f"{deployment['url']} ({name})" if name else str(deployment["url"])


def _changes(services: t.Sequence[t.Mapping[str, t.Any]]) -> t.Iterator[str]:
    """What happens to each deployment that does not just go on, and why.

    ``bot: roll to revision 4 (image 48b0ab8bb9a1 to 9c217d3f6a02); runs in flight before: 2 running, after: 1 pending, 2 running``
    """
    for service in services:
        if not service["changed"]:
            continue
        to = {"create": " revision", "roll": " to revision"}.get(service["action"], "")
        to = f"{to} {service['revision']}" if to else ""
        change = service.get("image_change")
        reasons = [f"image {change}" if reason == "image_id" and change else reason for reason in service["reasons"]]
        why = f" ({', '.join(reasons)})" if reasons else ""
        cost = ", which interrupts it" if service["interrupts"] else ""
        yield f"{service['name']}: {service['action']}{to}{why}{cost}{_in_flight(service.get('runs') or {})}"


def _in_flight(counted: t.Mapping[str, t.Any]) -> str:
    """Runs in flight before and after a switch, where the server told both."""
    told = [counts for moment in ("before", "after") if (counts := counted.get(moment)) is not None]
    if len(told) < 2:
        return ""
    before, after = (", ".join(f"{count} {status}" for status, count in counts.items()) or "none" for counts in told)
    return f"; runs in flight before: {before}, after: {after}"
