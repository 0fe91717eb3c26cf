# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: credentials_in_use
short_description: What the containers of all hosts carry
version_added: 0.1.0
author:
  - The selfhost.langgraph authors (@selfhost-langgraph)
description:
  - Collects what a task of each host has registered, M(selfhost.langgraph.deployment_check),
    M(selfhost.langgraph.deployment_rollout), or M(selfhost.langgraph.deployment_info) with
    O(selfhost.langgraph.deployment_info#module:credentials=true). A host that has registered nothing has not answered, and
    counts as carrying the passwords of before.
  - Hosts that share neither Redis nor Postgres with the one that asks are left out.
  - The role P(selfhost.langgraph.langgraph#role) revokes a password once nothing carries it.
positional: register, host, groups
options:
  _input:
    description: The variables of each host that runs deployments.
    type: list
    elements: dict
    required: true
  register:
    description: Name of the variable that the task of each host registers.
    type: str
    required: true
  host:
    description: Name of the host that asks.
    type: str
    required: true
  groups:
    description: The groups of the inventory.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: What is in use?
  ansible.builtin.set_fact:
    in_use: >-
      {{ groups['langgraph_hosts'] | map('extract', hostvars)
         | selfhost.langgraph.credentials_in_use('checked', inventory_hostname, groups) }}
"""

RETURN = r"""
_value:
  description: By host, what its containers carry; null where it has not answered.
  type: dict
"""

import typing as t

from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.rotation import credentials_in_use


class FilterModule:
    """The filter credentials_in_use."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Name the filter."""
        return {"credentials_in_use": credentials_in_use}
