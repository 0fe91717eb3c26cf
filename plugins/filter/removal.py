# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: removal
short_description: What the removal of a deployment would lose, and whether it may be done
version_added: 0.1.0
author:
  - The selfhost.langgraph authors (@selfhost-langgraph)
description:
  - Judges the removal of a deployment from what all hosts of the run have found.
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
- name: Judge it
  ansible.builtin.debug:
    msg: >-
      {{ groups['langgraph_hosts'] | map('extract', hostvars)
         | selfhost.langgraph.removal('support-bot', ansible_play_hosts, groups) }}
"""

RETURN = r"""
_value:
  description: The judgement.
  type: dict
  contains:
    unknown:
      description: Refusal of a name that no host and no record has; empty where one has it.
      type: str
    elsewhere:
      description: Refusal where hosts with the same services do not take part; empty where all do.
      type: str
    strangers:
      description: Refusal where keys of others are in its Redis number; empty where there are none.
      type: str
    leaders:
      description: One host of the run for each pair of Redis and Postgres. It drops what is there.
      type: list
      elements: str
    would:
      description: What would be lost, in one sentence for people.
      type: str
    done:
      description: What is gone, in one sentence for people.
      type: str
"""

import typing as t

from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.removal import removal


class FilterModule:
    """The filter removal."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Name the filter."""
        return {"removal": removal}
