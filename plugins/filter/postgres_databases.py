# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: postgres_databases
short_description: Options of postgres_database from checked deployments
version_added: 0.1.0
author:
  - The selfhost.langgraph authors (@selfhost-langgraph)
description:
  - Returns the O(selfhost.langgraph.postgres_database#module:databases) of M(selfhost.langgraph.postgres_database), from checked
    deployments and their Redis database numbers.
  - The role P(selfhost.langgraph.langgraph#role) uses it.
positional: numbers, server, address, use
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
  server:
    description: The RV(selfhost.langgraph.redis_database#module:server) of M(selfhost.langgraph.redis_database).
    type: str
  address:
    description: The RV(selfhost.langgraph.redis_database#module:address) of M(selfhost.langgraph.redis_database).
    type: str
  use:
    description:
      - The result of P(selfhost.langgraph.credentials_in_use#filter). Without it, the credentials in use are unknown, and no
        password is revoked.
    type: dict
"""

EXAMPLES = r"""
- name: Create a database for each deployment
  selfhost.langgraph.postgres_database:
    databases: "{{ checked.deployments | selfhost.langgraph.postgres_databases(redis.databases, redis.server, redis.address) }}"
"""

RETURN = r"""
_value:
  description: One entry for each deployment that is present.
  type: list
  elements: dict
"""

import typing as t

from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.module_options import postgres_databases


class FilterModule:
    """The filter postgres_databases."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filter by its name."""
        return {"postgres_databases": postgres_databases}
