# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: connections_needed
short_description: Connections to Postgres that the deployments of all hosts may hold at once
version_added: 0.1.0
author:
  - The selfhost.langgraph authors (@selfhost-langgraph)
description:
  - Adds up what one revision of every deployment may open on each host, and what the revisions may that run beside those for a
    while, at most C(langgraph_max_extra_revisions) on a host and C(langgraph_max_running_revisions) of a deployment.
  - It goes by the inventory alone, so that a run with C(--limit) gives the same number.
  - The playbook C(selfhost.langgraph.site) sizes Postgres with it.
positional: server, groups
options:
  _input:
    description: The variables of each host that runs deployments.
    type: list
    elements: dict
    required: true
  server:
    description: Inventory name of the host whose Postgres is to be sized. Only hosts that use that one count. Left out, all do.
    type: str
  groups:
    description: The groups of the inventory, which say what a host uses that does not say it itself. It goes with O(server).
    type: dict
"""

EXAMPLES = r"""
- name: How many connections may there be?
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
        """Name the filter."""
        return {"connections_needed": connections_needed}
