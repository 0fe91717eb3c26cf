# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: credentials_in_use
short_description: Credentials that the containers of all hosts use
version_added: 0.1.0
author:
  - The selfhost.langgraph authors (@selfhost-langgraph)
description:
  - Collects the registered results of a task of each host, one of M(selfhost.langgraph.deployment_check),
    M(selfhost.langgraph.deployment_rollout), or M(selfhost.langgraph.deployment_info) with
    O(selfhost.langgraph.deployment_info#module:credentials=true). A host without a registered result has not answered, and
    counts as using the previous passwords.
  - Hosts that share neither Redis nor Postgres with O(host) are left out.
  - The role P(selfhost.langgraph.langgraph#role) revokes a password once no container uses it.
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
    description: Name of the host whose Redis and Postgres are considered.
    type: str
    required: true
  groups:
    description: The groups of the inventory.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Collect the credentials in use
  ansible.builtin.set_fact:
    in_use: >-
      {{ groups['langgraph_hosts'] | map('extract', hostvars)
         | selfhost.langgraph.credentials_in_use('checked', inventory_hostname, groups) }}
"""

RETURN = r"""
_value:
  description: By host, the credentials that its containers use; null if it has not answered.
  type: dict
"""

import typing as t

from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.rotation import credentials_in_use


class FilterModule:
    """The filter credentials_in_use."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filter by its name."""
        return {"credentials_in_use": credentials_in_use}
