# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: images_to_resolve
short_description: Which images to ask registries for
version_added: 0.1.0
author:
  - The selfhost.langgraph authors (@selfhost-langgraph)
description:
  - Gives the images of all hosts that come from registries, each once, in the form of
    O(selfhost.langgraph.registry_image_info#module:images).
  - The role P(selfhost.langgraph.image#role) uses it between two of its steps.
positional: pull, pinned
options:
  _input:
    description: The RV(selfhost.langgraph.deployment_check#module:images) of every host.
    type: list
    elements: list
    required: true
  pull:
    description: V(always) asks for every tag, V(missing) only for what hosts lack or have differently.
    type: str
    required: true
  pinned:
    description: Images that are settled already, with what they stand for; they are not asked for again.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Ask the registries
  selfhost.langgraph.registry_image_info:
    images: "{{ [checked.images] | selfhost.langgraph.images_to_resolve('always') }}"
"""

RETURN = r"""
_value:
  description: One entry for each image.
  type: list
  elements: dict
"""

import typing as t

from ansible_collections.selfhost.langgraph.plugins.plugin_utils._images.plan import to_resolve


class FilterModule:
    """The filter images_to_resolve."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Name the filter."""
        return {"images_to_resolve": to_resolve}
