# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: deployed_targets
short_description: Options of health from the deployments of a host
version_added: 0.1.0
author:
  - The selfhost.langgraph authors (@selfhost-langgraph)
description:
  - Returns the O(selfhost.langgraph.health#module:deployments) of M(selfhost.langgraph.health) from the serving deployments of a host.
  - The role P(selfhost.langgraph.langgraph#role) uses it if there is no list of deployments.
options:
  _input:
    description:
      - The RV(selfhost.langgraph.deployment_info#module:deployments) of M(selfhost.langgraph.deployment_info).
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Check the health of all deployments
  selfhost.langgraph.health:
    deployments: "{{ host.deployments | selfhost.langgraph.deployed_targets }}"
"""

RETURN = r"""
_value:
  description: One entry for each deployment that serves.
  type: list
  elements: dict
"""

import typing as t

from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.module_options import targets


class FilterModule:
    """The filter deployed_targets."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filter by its name."""
        return {"deployed_targets": targets}
