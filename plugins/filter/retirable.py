# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: retirable
short_description: Deployments whose previous password can be revoked
version_added: 0.1.0
author:
  - The selfhost.langgraph authors (@selfhost-langgraph)
description:
  - Returns the deployments with a valid previous password that no revision on any host uses.
  - The role P(selfhost.langgraph.langgraph#role) passes them to the claim modules, which revoke these passwords.
positional: use, postgres, redis
options:
  _input:
    description: The RV(selfhost.langgraph.deployment_check#module:deployments) of M(selfhost.langgraph.deployment_check).
    type: list
    elements: dict
    required: true
  use:
    description: The result of P(selfhost.langgraph.credentials_in_use#filter).
    type: dict
    required: true
  postgres:
    description: The RV(selfhost.langgraph.postgres_database#module:databases) of M(selfhost.langgraph.postgres_database).
    type: dict
    required: true
  redis:
    description: The RV(selfhost.langgraph.redis_database#module:databases) of M(selfhost.langgraph.redis_database).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the deployments with a password to revoke
  ansible.builtin.debug:
    msg: "{{ checked.deployments | selfhost.langgraph.retirable(in_use, postgres.databases, redis.databases) | map(attribute='name') }}"
"""

RETURN = r"""
_value:
  description: These deployments.
  type: list
  elements: dict
"""

import typing as t

from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.rotation import retirable


class FilterModule:
    """The filter retirable."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filter by its name."""
        return {"retirable": retirable}
