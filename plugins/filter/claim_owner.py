# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: claim_owner
short_description: Fingerprint that identifies an inventory as the owner of its claims
version_added: 0.1.0
author:
  - The selfhost.langgraph authors (@selfhost-langgraph)
description:
  - Derives the owner of claims from the secret key on the control node, so that the key itself stays there.
  - The fingerprint is not secret. It reveals nothing about the key.
positional: environment
options:
  _input:
    description: The secret key of the inventory.
    type: str
    required: true
  environment:
    description: Name of the environment, which distinguishes inventories with the same key; it may be empty.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Release only our own claim
  selfhost.langgraph.redis_database:
    databases:
      - name: support-bot
        state: absent
        confirm: support-bot
    owner: "{{ langgraph_secret_key | selfhost.langgraph.claim_owner('production') }}"
"""

RETURN = r"""
_value:
  description: 22 characters of the URL-safe alphabet.
  type: str
"""

import typing as t

from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.passwords import owner_fingerprint


def claim_owner(secret_key: str, environment: str) -> str:
    """Return the fingerprint."""
    return owner_fingerprint(str(secret_key), str(environment))


class FilterModule:
    """The filter claim_owner."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filter by its name."""
        return {"claim_owner": claim_owner}
