# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: data_proxy_plan
short_description: Listeners of a host's data proxy, with their clients and backends
version_added: 0.1.0
author:
  - The selfhost.langgraph authors (@selfhost-langgraph)
description:
  - Computes the listeners of the role P(selfhost.langgraph.data_proxy#role) from the inventory. Services that are set by URI have none.
  - The role P(selfhost.langgraph.langgraph#role) passes them to M(selfhost.langgraph.deployment_check), which refuses ports that
    another program uses.
positional: host, groups, played, sockets
options:
  _input:
    description: The variables of every host of the inventory.
    type: list
    elements: dict
    required: true
  host:
    description: Name of the host whose listeners are computed.
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
  sockets:
    description:
      - The RV(selfhost.langgraph.deployment_info#module:sockets) of M(selfhost.langgraph.deployment_info), to find ports that
        another program uses.
    type: list
    elements: dict
    default: []
"""

EXAMPLES = r"""
- name: Show where the data proxy listens
  ansible.builtin.debug:
    msg: >-
      {{ groups['all'] | map('extract', hostvars)
         | selfhost.langgraph.data_proxy_plan(inventory_hostname, groups, ansible_play_hosts_all) }}
"""

RETURN = r"""
_value:
  description:
    - C(listeners), each with C(name), C(address), C(port), C(server) (a socket, or an address with its port), C(local) (whether that is a
      socket), C(host) (the host of the server, if that is another one) and C(sources) (the addresses that may connect; empty for the
      gateway, which the firewall protects).
    - C(unknown), names of hosts whose addresses must be gathered before the listeners are complete.
    - C(problems), one line per error in the inventory, and per port that another program uses.
  type: dict
"""

import typing as t

from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.data_proxy import data_proxy_plan


class FilterModule:
    """The filter data_proxy_plan."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filter by its name."""
        return {"data_proxy_plan": data_proxy_plan}
