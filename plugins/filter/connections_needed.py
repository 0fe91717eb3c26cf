# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: connections_needed
short_description: Number of Postgres connections that the deployments of all hosts may open at once
version_added: 0.1.0
author:
  - The selfhost.langgraph authors (@selfhost-langgraph)
description:
  - Adds up the connections of one revision of every deployment on each host, and those of the revisions that run next to it for
    a while, at most C(langgraph_max_extra_revisions) per host and C(langgraph_max_running_revisions) per deployment.
  - It uses only the inventory, so that a run with C(--limit) returns the same number.
  - The playbook C(selfhost.langgraph.site) sizes Postgres with it.
positional: server, groups
options:
  _input:
    description: The variables of each host that runs deployments.
    type: list
    elements: dict
    required: true
  server:
    description: Inventory name of the host whose Postgres is sized. Only hosts that use it count. Without it, all hosts count.
    type: str
  groups:
    description: The groups of the inventory, which determine the services of a host that does not set them. Used with O(server).
    type: dict
"""

EXAMPLES = r"""
- name: Show the number of connections
  ansible.builtin.debug:
    msg: "{{ groups['langgraph_hosts'] | map('extract', hostvars) | selfhost.langgraph.connections_needed(inventory_hostname, groups) }}"
"""

RETURN = r"""
_value:
  description: The sum.
  type: int
"""

import typing as t

from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.connection_budget import (
    connections_needed,
)


class FilterModule:
    """The filter connections_needed."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filter by its name."""
        return {"connections_needed": connections_needed}
