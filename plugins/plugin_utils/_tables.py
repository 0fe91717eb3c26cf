# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Tables for users: the summary at the end of a play, and the status of a host."""

from __future__ import annotations

import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import printable

Deployments = t.Sequence[t.Mapping[str, t.Any]]
STATUS_COLUMNS = ("deployment", "revision", "state", "sessions", "since", "health", "image", "by", "why")


def status_table(
    deployments: t.Sequence[t.Mapping[str, t.Any]], health: t.Mapping[str, t.Mapping[str, t.Any]]
) -> list[str]:
    """Return the status of a host as the lines of a table. ``health`` is the ``health`` that the module health returned."""
    rows = [tuple(column.upper() for column in STATUS_COLUMNS)]
    for deployment in deployments:
        for revision in deployment["revisions"]:
            rows.append(_row(deployment, revision, health.get(deployment["name"])))
    return align(rows)


def align(rows: t.Sequence[t.Sequence[str]]) -> list[str]:
    """Return rows with an equal number of cells as lines, each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]


def _row(
    deployment: t.Mapping[str, t.Any], revision: t.Mapping[str, t.Any], answer: t.Mapping[str, t.Any] | None
) -> tuple[str, ...]:
    """Return a row; only the last cell may contain a space, because Ansible's YAML output breaks lines at spaces."""
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
    """Return the runs that a drain lost, or why a start failed, else why the revision was created."""
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
    """Return the lines of the final table, and below it the changes.

    ``health`` is the ``health`` that the module health returned, ``services`` the ``deployments`` of deployment_rollout:
    the changes that were made, or in check mode would be, and their reasons.
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
            (
                name,
                _shown_url(deployment["health"]),
                number,
                deployment["database"],
                deployment["image"],
                revision,
                state,
            )
        )
    return [*align(rows), *_changes(services)]


def _shown_url(target: t.Mapping[str, t.Any]) -> str:
    return f"{target['url']} ({target['host']})" if target["host"] else str(target["url"])


def _changes(services: t.Sequence[t.Mapping[str, t.Any]]) -> t.Iterator[str]:
    """Return a line for each changed deployment: its action and the reasons.

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
    """Return the runs in flight before and after a cutover, if the server reported both."""
    reported = [counts for moment in ("before", "after") if (counts := counted.get(moment)) is not None]
    if len(reported) < 2:
        return ""
    before, after = (
        ", ".join(f"{count} {status}" for status, count in counts.items()) or "none" for counts in reported
    )
    return f"; runs in flight before: {before}, after: {after}"
