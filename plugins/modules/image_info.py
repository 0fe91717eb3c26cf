#!/usr/bin/python
# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_info
short_description: Find the sources of images, and read which of them a host has
version_added: 0.1.0
author:
  - The selfhost.langgraph authors (@selfhost-langgraph)
description:
  - Determines whether each image of a list is built, comes from an archive or a registry, or must already be on the host.
  - Reads which of them the host's engine has, and the engine's properties that images depend on. A host without an engine has
    no images.
  - Fails with one line per image that the host cannot get, such as an archive for another architecture. The line names the
    deployments, the cause and the remedy.
  - Changes nothing on the control node or on the host.
requirements:
  - The Python library C(docker) on the host (Debian's C(python3-docker)), to read its images.
extends_documentation_fragment:
  - selfhost.langgraph._attributes
  - selfhost.langgraph._attributes.action
  - selfhost.langgraph._attributes.info_module
attributes:
  action:
    support: full
  platform:
    platforms: linux
    support: full
options:
  images:
    description: The images that the host needs.
    type: list
    elements: dict
    default: []
    suboptions:
      image:
        description: Name of the image, or its id on the host.
        type: str
        required: true
      deployments:
        description: Deployments that run it, for the messages.
        type: list
        elements: str
        default: []
      build:
        description: Directory that it is built from. It has no effect here; O(builds) has the builds.
        type: str
      pull:
        description: Whether it may come from its registry, as O(pull) says. With V(false) it does not.
        type: bool
        default: true
  builds:
    description:
      - Images that are built, each a mapping as in O(selfhost.langgraph.deployment_check#module:image_builds). Nothing is built
        here.
    type: raw
    default: []
  archives:
    description:
      - Files on the control node that C(docker save) wrote. A relative path is searched next to the inventory, in the current
        directory and in Ansible's search path.
    type: list
    elements: path
    default: []
  pull:
    description:
      - With V(always) or V(missing), images that come from no build and no archive come from their registries.
      - With V(never), they are refused if the host does not have them.
    type: str
    choices: [always, missing, never]
    default: always
  identify:
    description:
      - References to identify by their content too, because an image has different ids in the engine's own store and in that of
        containerd. The action plugin sets it.
    type: list
    elements: str
    default: []
seealso:
  - module: selfhost.langgraph.registry_image_info
  - module: selfhost.langgraph.image_load
"""

EXAMPLES = r"""
- name: Read which images the host has
  selfhost.langgraph.image_info:
    images:
      - image: registry.example.com/support-bot:1.4.2
        deployments: [support-bot]
    archives: [images/research-agent.tar]
  register: found
"""

RETURN = r"""
images:
  description:
    - Each of O(images) with its source, and the images of that name on the host.
    - The filters P(selfhost.langgraph.images_to_resolve#filter) and P(selfhost.langgraph.image_plan#filter) take it.
  returned: success
  type: list
  elements: dict
  contains:
    image:
      description: Name of the image, as it is written.
      type: str
    deployments:
      description: Deployments that run it.
      type: list
      elements: str
    source:
      description: Where it comes from, V(build), V(archive), V(registry) or V(host).
      type: str
    on_host:
      description: Id of the image that has this name on the host; null if there is none.
      type: str
    digests:
      description: Digests of the same repository on the host.
      type: list
      elements: str
engine:
  description: Properties of the host's engine that images depend on.
  returned: success
  type: dict
  contains:
    images:
      description: References of the images on the host, with their ids; for O(identify), their content identifiers too.
      type: dict
    architecture:
      description: Architecture of the host, as images name it.
      type: str
    root:
      description: Directory of the engine; null if there is no engine yet.
      type: str
    free:
      description: Free bytes in it; null if there is no engine yet.
      type: int
    published:
      description: TCP ports that its running containers publish, each with C(address), C(port), C(program) and C(user).
      type: list
      elements: dict
    certificates:
      description: Registries whose certificates it trusts, with the SHA-256 of each certificate.
      type: dict
pushes:
  description:
    - Images of O(builds) that go to a registry, in the format of O(selfhost.langgraph.registry_image_info#module:images).
  returned: success
  type: list
  elements: dict
problems:
  description: What has to be corrected.
  returned: failure
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.ansible_module import require
from ansible_collections.selfhost.langgraph.plugins.module_utils._host import docker_engine
from ansible_collections.selfhost.langgraph.plugins.module_utils._images.on_host import read_engine


def main() -> None:
    """Read the engine; the action plugin does the rest on the control node."""
    module = AnsibleModule(
        argument_spec={
            "images": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "image": {"type": "str", "required": True},
                    "deployments": {"type": "list", "elements": "str", "default": []},
                    "build": {"type": "str"},
                    "pull": {"type": "bool", "default": True},
                },
            },
            "builds": {"type": "raw", "default": []},
            "archives": {"type": "list", "elements": "path", "default": []},
            "pull": {"type": "str", "choices": ["always", "missing", "never"], "default": "always"},
            "identify": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    require(module, wished=[("docker", docker_engine.DOCKER_IMPORT_ERROR)])
    module.exit_json(engine=read_engine(module.params["identify"]))


if __name__ == "__main__":
    main()
