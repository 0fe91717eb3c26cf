# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: image_plan
short_description: Images that a host lacks of those that all hosts will run
version_added: 0.1.0
author:
  - The selfhost.langgraph authors (@selfhost-langgraph)
description:
  - Pins every image, once for all hosts, and returns the images that one host must pull, load or tag to run exactly those, and
    the id of each.
  - The role P(selfhost.langgraph.image#role) uses it.
positional: hosts, engine, resolved, built
options:
  _input:
    description: The RV(selfhost.langgraph.image_info#module:images) of M(selfhost.langgraph.image_info) of the host.
    type: list
    elements: dict
    required: true
  hosts:
    description: The same list for every host of the play.
    type: list
    elements: list
    required: true
  engine:
    description: The RV(selfhost.langgraph.image_info#module:engine) of the host.
    type: dict
    required: true
  resolved:
    description: The RV(selfhost.langgraph.registry_image_info#module:images) of M(selfhost.langgraph.registry_image_info).
    type: dict
    required: true
  built:
    description: The RV(selfhost.langgraph.image_build#module:images) of M(selfhost.langgraph.image_build).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Find the images that the host lacks
  ansible.builtin.set_fact:
    lacking: "{{ found.images
      | selfhost.langgraph.image_plan([found.images], found.engine, asked.images, {}) }}"
"""

RETURN = r"""
_value:
  description:
    - C(pull), C(load), C(save) and C(tag) are the actions, C(ids) the id of each image after them, or its C(NAME@DIGEST) until
      it is pulled, C(problems) the reasons why they are impossible.
  type: dict
"""

import typing as t

from ansible_collections.selfhost.langgraph.plugins.plugin_utils._images.plan import plan_images


class FilterModule:
    """The filter image_plan."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filter by its name."""
        return {"image_plan": plan_images}
