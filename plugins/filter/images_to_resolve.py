# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: images_to_resolve
short_description: Images to resolve in registries
version_added: 0.1.0
author:
  - The selfhost.langgraph authors (@selfhost-langgraph)
description:
  - Returns the images of all hosts that come from registries, each once, in the format of
    O(selfhost.langgraph.registry_image_info#module:images).
  - The role P(selfhost.langgraph.image#role) uses it.
positional: pull, pinned
options:
  _input:
    description: The RV(selfhost.langgraph.image_info#module:images) of every host.
    type: list
    elements: list
    required: true
  pull:
    description: V(always) resolves every tag, V(missing) only images that hosts lack or have in different versions.
    type: str
    required: true
  pinned:
    description: Images that are pinned already, with their digests; they are not resolved again.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Resolve the images in their registries
  selfhost.langgraph.registry_image_info:
    images: "{{ [found.images] | selfhost.langgraph.images_to_resolve('always') }}"
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
        """Return the filter by its name."""
        return {"images_to_resolve": to_resolve}
