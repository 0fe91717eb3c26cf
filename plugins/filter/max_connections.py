# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: max_connections
short_description: The value of max_connections for a number of connections
version_added: 0.1.0
author:
  - The selfhost.langgraph authors (@selfhost-langgraph)
description:
  - Returns the observed value if it is enough, else 100, 200, 400 and so on, with a reserve of a fifth. Each change restarts
    Postgres and interrupts every deployment, so the value is never lowered.
positional: observed
options:
  _input:
    description: Connections that all deployments together may open, the result of P(selfhost.langgraph.connections_needed#filter).
    type: int
    required: true
  observed:
    description: The present C(max_connections) of Postgres; V(0) if it is not installed yet.
    type: int
    default: 0
"""

EXAMPLES = r"""
- name: Show the value of max_connections
  ansible.builtin.debug:
    msg: "{{ 384 | selfhost.langgraph.max_connections(400) }}"  # 400
"""

RETURN = r"""
_value:
  description: The value of C(max_connections).
  type: int
"""

import typing as t

from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.connection_budget import max_connections


class FilterModule:
    """The filter max_connections."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filter by its name."""
        return {"max_connections": max_connections}
