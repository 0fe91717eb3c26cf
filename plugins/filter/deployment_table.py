# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: deployment_table
short_description: Table of deployments for users
version_added: 0.1.0
author:
  - The selfhost.langgraph authors (@selfhost-langgraph)
description:
  - Returns one line per deployment, with its URL, Redis database number, Postgres database, image, revision and health, and
    below them one line per change. For new deployments on the loopback of the host, the last line has the C(ssh) command that
    reaches them.
  - The role P(selfhost.langgraph.langgraph#role) uses it.
positional: numbers, health, services, check_mode, connection
options:
  _input:
    description: The RV(selfhost.langgraph.deployment_check#module:deployments) of M(selfhost.langgraph.deployment_check).
    type: list
    elements: dict
    required: true
  numbers:
    description: The RV(selfhost.langgraph.redis_database#module:databases) of M(selfhost.langgraph.redis_database).
    type: dict
    required: true
  health:
    description: The RV(selfhost.langgraph.health#module:health) of M(selfhost.langgraph.health).
    type: dict
    required: true
  services:
    description:
      - The RV(selfhost.langgraph.deployment_rollout#module:deployments) of M(selfhost.langgraph.deployment_rollout), the changes
        that were made, or in check mode would be.
    type: list
    elements: dict
    default: []
  check_mode:
    description: Whether the changes were not made. The columns then state what image and revision would be.
    type: bool
    default: false
  connection:
    description: How Ansible connects to the host, as C(type), C(host), C(user) and C(port). Without it, no C(ssh) command is printed.
    type: dict
"""

EXAMPLES = r"""
- name: Show the deployments
  ansible.builtin.debug:
    msg: "{{ checked.deployments | selfhost.langgraph.deployment_table(redis.databases, health.health) }}"
"""

RETURN = r"""
_value:
  description: The lines of the table.
  type: list
  elements: str
"""

import typing as t

from ansible_collections.selfhost.langgraph.plugins.plugin_utils._tables import deployment_table


class FilterModule:
    """The filter deployment_table."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filter by its name."""
        return {"deployment_table": deployment_table}
