# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: status_table
short_description: Table of deployments and their revisions for users
version_added: 0.1.0
author:
  - The selfhost.langgraph authors (@selfhost-langgraph)
description:
  - Returns one line per revision, with its state and since when, its health and image, and who created it and why.
  - The playbooks C(selfhost.langgraph.status) and C(selfhost.langgraph.rollback) print it.
positional: health
options:
  _input:
    description:
      - The RV(selfhost.langgraph.deployment_info#module:deployments) of M(selfhost.langgraph.deployment_info).
    type: list
    elements: dict
    required: true
  health:
    description: The RV(selfhost.langgraph.health#module:health) of M(selfhost.langgraph.health).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the deployments and their revisions
  ansible.builtin.debug:
    msg: "{{ host.deployments | selfhost.langgraph.status_table(health.health) }}"
"""

RETURN = r"""
_value:
  description: The lines of the table.
  type: list
  elements: str
"""

import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import printable
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._tables import align

COLUMNS = ("deployment", "revision", "state", "sessions", "since", "health", "image", "by", "why")


def status_table(
    deployments: t.Sequence[t.Mapping[str, t.Any]], health: t.Mapping[str, t.Mapping[str, t.Any]]
) -> list[str]:
    """Return the status of a host as the lines of a table. ``health`` is the ``health`` that the module health returned."""
    rows = [tuple(column.upper() for column in COLUMNS)]
    for deployment in deployments:
        for revision in deployment["revisions"]:
            rows.append(_row(deployment, revision, health.get(deployment["name"])))
    return [*align(rows), *(_stopped(deployment) for deployment in deployments if deployment.get("stopped"))]


def _stopped(deployment: t.Mapping[str, t.Any]) -> str:
    """Return the line on a stopped deployment: by whom, and what it keeps."""
    numbers = ", ".join(str(revision["number"]) for revision in reversed(deployment["revisions"]))
    return (
        f"{deployment['name']} was stopped by {deployment['stopped'].get('by') or 'unknown'} at {deployment['stopped'].get('at')}; it"
        f" keeps revisions {numbers or 'none'}, its Postgres database and its Redis database number"
    )


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
        printable(_why(revision, (deployment.get("rolled_back") or {}) if serves else {})),
    )


def _why(revision: t.Mapping[str, t.Any], rolled_back: t.Mapping[str, t.Any]) -> str:
    """Return the rollback to it, the runs that its drain lost, or why its start failed, else why it was created."""
    if rolled_back:
        return f"rolled back from {rolled_back['from']} by {rolled_back['by'] or 'unknown'}"
    lost = ((revision["drain"] or {}).get("runs") or {}).get("lost")
    if lost:
        return f"{len(lost)} runs lost"
    if revision["state"] == "failed" and revision["cause"]:
        return str(revision["cause"])
    return ", ".join(revision["reasons"] or ())


class FilterModule:
    """The filter status_table."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filter by its name."""
        return {"status_table": status_table}
