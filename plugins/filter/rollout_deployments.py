# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: rollout_deployments
short_description: Options of deployment_rollout from checked and claimed deployments
version_added: 0.1.0
author:
  - The selfhost.langgraph authors (@selfhost-langgraph)
description:
  - Returns the O(selfhost.langgraph.deployment_rollout#module:deployments) of M(selfhost.langgraph.deployment_rollout), with the content
    of both environment files of each container.
  - The role P(selfhost.langgraph.langgraph#role) uses it.
positional: numbers, redis, postgres, logins
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
  redis:
    description: How containers reach Redis, with the keys C(host), C(port), C(tls) and, if it has no users, C(admin_uri).
    type: dict
    required: true
  postgres:
    description: How containers reach Postgres, with the keys C(host), C(port) and C(sslmode).
    type: dict
    required: true
  logins:
    description:
      - The RV(selfhost.langgraph.postgres_database#module:databases) of M(selfhost.langgraph.postgres_database), which contain the
        login that each deployment uses. Without it, each uses the owner of its database.
    type: dict
"""

EXAMPLES = r"""
- name: Roll out new and changed deployments
  selfhost.langgraph.deployment_rollout:
    deployments: "{{ checked.deployments
      | selfhost.langgraph.rollout_deployments(redis.databases, redis=redis_address, postgres=postgres_address) }}"
"""

RETURN = r"""
_value:
  description: One entry for each deployment.
  type: list
  elements: dict
"""

import typing as t

from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.module_options import rollout_deployments


class FilterModule:
    """The filter rollout_deployments."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filter by its name."""
        return {"rollout_deployments": rollout_deployments}
