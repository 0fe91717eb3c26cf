# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: taken_ports
short_description: Ports of the data proxy that another program uses
version_added: 0.1.0
author:
  - The selfhost.langgraph authors (@selfhost-langgraph)
description:
  - Returns one line per listener that cannot start, because another program listens on its address or on all addresses.
positional: sockets, host
options:
  _input:
    description: The C(listeners) that P(selfhost.langgraph.data_proxy_plan#filter) returns.
    type: list
    elements: dict
    required: true
  sockets:
    description: The RV(selfhost.langgraph.deployment_info#module:sockets) of M(selfhost.langgraph.deployment_info).
    type: list
    elements: dict
    required: true
  host:
    description: Name of the host, for the messages.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show the ports in use
  ansible.builtin.debug:
    msg: "{{ plan.listeners | selfhost.langgraph.taken_ports(host.sockets, inventory_hostname) }}"
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: str
"""

import typing as t

from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.data_proxy import taken_ports


class FilterModule:
    """The filter taken_ports."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filter by its name."""
        return {"taken_ports": taken_ports}
