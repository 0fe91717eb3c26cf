# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: claims
short_description: Claims of checked deployments, with the credentials that the containers of all hosts use
version_added: 0.1.0
author:
  - The selfhost.langgraph authors (@selfhost-langgraph)
description:
  - Returns the options C(databases) of M(selfhost.langgraph.redis_database) and M(selfhost.langgraph.postgres_database), so that a
    password is revoked only if no container on any host uses it.
  - For this it reads the registered results of a task of each host, one of M(selfhost.langgraph.deployment_check),
    M(selfhost.langgraph.deployment_rollout), or M(selfhost.langgraph.deployment_info) with
    O(selfhost.langgraph.deployment_info#module:credentials=true). A host without a registered result has not answered, and
    counts as using the previous passwords.
  - Hosts that share neither Redis nor Postgres with O(host) are left out.
positional: hosts, register, host, groups, redis, postgres, recorded
options:
  _input:
    description: The RV(selfhost.langgraph.deployment_check#module:deployments) of M(selfhost.langgraph.deployment_check).
    type: list
    elements: dict
    required: true
  hosts:
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
  redis:
    description:
      - The result of M(selfhost.langgraph.redis_database), once it has run. Postgres records its database numbers.
    type: dict
  postgres:
    description: The result of M(selfhost.langgraph.postgres_database), once it has run.
    type: dict
  recorded:
    description:
      - The RV(selfhost.langgraph.postgres_database_info#module:claims) of M(selfhost.langgraph.postgres_database_info). A stopped
        deployment is claimed only if it is one of them, so that its claim follows a change of the owner.
    type: list
    elements: dict
    default: []
"""

EXAMPLES = r"""
- name: Claim a Redis database for each deployment
  selfhost.langgraph.redis_database:
    databases: "{{ claims.redis }}"
  register: redis
  vars:
    claims: >-
      {{ checked.deployments
         | selfhost.langgraph.claims(groups['langgraph_hosts'] | map('extract', hostvars), 'checked', inventory_hostname, groups) }}
"""

RETURN = r"""
_value:
  description:
    - C(redis) and C(postgres) are the options of the two modules. They contain passwords.
    - C(retirable) are the names of deployments whose previous password is valid and that no revision uses any longer, and
      C(still_open) is one line per deployment whose previous password is valid. Both need O(redis) and O(postgres).
  type: dict
"""

import typing as t

from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.claims import claims


class FilterModule:
    """The filter claims."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filter by its name."""
        return {"claims": claims}
