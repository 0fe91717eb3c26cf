# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: removal
short_description: Data that the removal of a deployment would delete, and whether it is allowed
version_added: 0.1.0
author:
  - The selfhost.langgraph authors (@selfhost-langgraph)
description:
  - Decides whether a deployment may be removed, from the findings of all hosts of the run.
  - The role P(selfhost.langgraph.langgraph#role) uses it in its entry point C(remove).
positional: name, run, groups
options:
  _input:
    description: The variables of all hosts that may have the deployment.
    type: list
    elements: dict
    required: true
  name:
    description: Name of the deployment.
    type: str
    required: true
  run:
    description: Names of the hosts that take part in the run.
    type: list
    elements: str
    required: true
  groups:
    description: The groups of the inventory.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what the removal would delete
  ansible.builtin.debug:
    msg: >-
      {{ groups['langgraph_hosts'] | map('extract', hostvars)
         | selfhost.langgraph.removal('support-bot', ansible_play_hosts, groups) }}
"""

RETURN = r"""
_value:
  description: The decision and its messages.
  type: dict
  contains:
    unknown:
      description: Refusal of a name that no host and no record has; empty if one has it.
      type: str
    elsewhere:
      description: Refusal if hosts with the same services do not take part; empty if all do.
      type: str
    strangers:
      description: Refusal if its Redis database contains keys of others; empty if there are none.
      type: str
    leaders:
      description: One host of the run per pair of Redis and Postgres. It deletes the data there.
      type: list
      elements: str
    would:
      description: Message about the data that would be deleted.
      type: str
    done:
      description: Message about the data that was deleted.
      type: str
"""

import typing as t

from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.removal import removal


class FilterModule:
    """The filter removal."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filter by its name."""
        return {"removal": removal}
