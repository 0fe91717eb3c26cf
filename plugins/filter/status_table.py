# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: status_table
short_description: Table of deployments and their revisions for users
version_added: 0.1.0
author:
  - The selfhost.langgraph authors (@selfhost-langgraph)
description:
  - Returns one line per revision, with its state and since when, its health and image, and who created it and why.
  - The playbooks C(selfhost.langgraph.status) and C(selfhost.langgraph.rollback) print it.
positional: health
options:
  _input:
    description:
      - The RV(selfhost.langgraph.deployment_info#module:deployments) of M(selfhost.langgraph.deployment_info).
    type: list
    elements: dict
    required: true
  health:
    description: The RV(selfhost.langgraph.health#module:health) of M(selfhost.langgraph.health).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the deployments and their revisions
  ansible.builtin.debug:
    msg: "{{ host.deployments | selfhost.langgraph.status_table(health.health) }}"
"""

RETURN = r"""
_value:
  description: The lines of the table.
  type: list
  elements: str
"""

import typing as t

from ansible_collections.selfhost.langgraph.plugins.plugin_utils._tables import status_table


class FilterModule:
    """The filter status_table."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filter by its name."""
        return {"status_table": status_table}
