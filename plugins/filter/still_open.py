# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: still_open
short_description: Of which deployments a password of before still opens, and until when
version_added: 0.1.0
author:
  - The selfhost.langgraph authors (@selfhost-langgraph)
description:
  - Gives a line for each deployment of which a password of before is still open, with the revisions and hosts that have it in
    use.
positional: use, postgres, redis
options:
  _input:
    description: The RV(selfhost.langgraph.deployment_check#module:deployments) of M(selfhost.langgraph.deployment_check).
    type: list
    elements: dict
    required: true
  use:
    description: What P(selfhost.langgraph.credentials_in_use#filter) gives.
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
- name: What is still open?
  ansible.builtin.debug:
    msg: "{{ checked.deployments | selfhost.langgraph.still_open(in_use, postgres.databases, redis.databases) }}"
"""

RETURN = r"""
_value:
  description: A line for each.
  type: list
  elements: str
"""

import typing as t

from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.rotation import still_open


class FilterModule:
    """The filter still_open."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Name the filter."""
        return {"still_open": still_open}
