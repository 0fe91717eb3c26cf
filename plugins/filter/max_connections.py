# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: max_connections
short_description: The size of a Postgres for so many connections
version_added: 0.1.0
author:
  - The selfhost.langgraph authors (@selfhost-langgraph)
description:
  - Gives what Postgres allows already where that is enough, else 100, 200, 400 and so on, so that a fifth is left free. Each change
    restarts Postgres and interrupts every deployment, so it never goes down by itself.
positional: observed
options:
  _input:
    description: Connections that all deployments together may hold, as P(selfhost.langgraph.connections_needed#filter) gives them.
    type: int
    required: true
  observed:
    description: What Postgres allows already; V(0) where there is none yet.
    type: int
    default: 0
"""

EXAMPLES = r"""
- name: How large would Postgres be?
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
        """Name the filter."""
        return {"max_connections": max_connections}
