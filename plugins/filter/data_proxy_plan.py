# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: data_proxy_plan
short_description: Where the data proxy of a host listens, for whom, and where it leads
version_added: 0.1.0
author:
  - The selfhost.langgraph authors (@selfhost-langgraph)
description:
  - Works out the listeners of the role P(selfhost.langgraph.data_proxy#role) from the inventory. Services that are given by URI have none.
  - The role P(selfhost.langgraph.langgraph#role) has M(selfhost.langgraph.deployment_check) refuse ports of them that another
    program has.
positional: host, groups, played
options:
  _input:
    description: The variables of every host of the inventory.
    type: list
    elements: dict
    required: true
  host:
    description: Name of the host that the listeners are for.
    type: str
    required: true
  groups:
    description: The groups of the inventory.
    type: dict
    required: true
  played:
    description: Names of the hosts in the play. One that is in no group of the collection runs deployments.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Where does the data proxy listen?
  ansible.builtin.debug:
    msg: >-
      {{ groups['all'] | map('extract', hostvars)
         | selfhost.langgraph.data_proxy_plan(inventory_hostname, groups, ansible_play_hosts_all) }}
"""

RETURN = r"""
_value:
  description:
    - C(listeners), each with C(name), C(address), C(port), C(server) (a socket, or an address with its port), C(local) (whether that is a
      socket) and C(sources) (the addresses that may connect; empty for the gateway, which the firewall guards).
    - C(unknown), names of hosts whose addresses have to be learned before the listeners are complete.
    - C(problems), one line for each mistake of the inventory.
  type: dict
"""

import typing as t

from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.data_proxy import data_proxy_plan


class FilterModule:
    """The filter data_proxy_plan."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Name the filter."""
        return {"data_proxy_plan": data_proxy_plan}
