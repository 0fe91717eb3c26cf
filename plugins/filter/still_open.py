# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: still_open
short_description: Deployments whose previous password is still valid, and until when
version_added: 0.1.0
author:
  - The selfhost.langgraph authors (@selfhost-langgraph)
description:
  - Returns one line per deployment whose previous password is still valid, with the revisions and hosts that use it.
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
- name: Show which previous passwords are still valid
  ansible.builtin.debug:
    msg: "{{ checked.deployments | selfhost.langgraph.still_open(in_use, postgres.databases, redis.databases) }}"
"""

RETURN = r"""
_value:
  description: One line per deployment.
  type: list
  elements: str
"""

import typing as t

from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.rotation import still_open


class FilterModule:
    """The filter still_open."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filter by its name."""
        return {"still_open": still_open}
