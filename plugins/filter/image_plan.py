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
  - Pins every image, once for all hosts, and returns the images that one host must pull, load or tag to run exactly those.
  - The role P(selfhost.langgraph.image#role) uses it.
positional: hosts, engine, resolved, built, built_here
options:
  _input:
    description: The RV(selfhost.langgraph.deployment_check#module:images) of M(selfhost.langgraph.deployment_check) of the host.
    type: list
    elements: dict
    required: true
  hosts:
    description: The same list for every host of the play.
    type: list
    elements: list
    required: true
  engine:
    description: The RV(selfhost.langgraph.deployment_check#module:engine) of the host.
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
  built_here:
    description: Whether this host has built the images.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Find the images that the host lacks
  ansible.builtin.set_fact:
    lacking: "{{ checked.images
      | selfhost.langgraph.image_plan([checked.images], checked.engine, asked.images, {}) }}"
"""

RETURN = r"""
_value:
  description:
    - C(pull), C(load), C(save) and C(tag) are the actions, C(coming) the image of each reference after them, C(problems) the
      reasons why they are impossible.
  type: dict
"""

import typing as t

from ansible_collections.selfhost.langgraph.plugins.plugin_utils._images.plan import plan_images


class FilterModule:
    """The filter image_plan."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filter by its name."""
        return {"image_plan": plan_images}
