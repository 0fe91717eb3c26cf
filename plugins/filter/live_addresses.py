# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: live_addresses
short_description: Addresses from which containers may connect
version_added: 0.1.0
author:
  - The selfhost.langgraph authors (@selfhost-langgraph)
description:
  - Returns the addresses of the hosts and of their containers, if every host has answered.
  - The role P(selfhost.langgraph.langgraph#role) passes them to M(selfhost.langgraph.redis_database), which closes connections
    from other addresses that were opened with a revoked password.
options:
  _input:
    description: The result of P(selfhost.langgraph.credentials_in_use#filter).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the addresses of containers
  ansible.builtin.debug:
    msg: "{{ in_use | selfhost.langgraph.live_addresses }}"
"""

RETURN = r"""
_value:
  description: The addresses; null if a host has not answered.
  type: list
  elements: str
"""

import typing as t

from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.rotation import live_addresses


class FilterModule:
    """The filter live_addresses."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filter by its name."""
        return {"live_addresses": live_addresses}
