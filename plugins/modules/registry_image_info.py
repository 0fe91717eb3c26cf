#!/usr/bin/python
# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: registry_image_info
short_description: Read from registries which image a tag stands for
version_added: 0.1.0
author:
  - The selfhost.langgraph authors (@selfhost-langgraph)
description:
  - Returns the current digest of each image of a list in its registry, so that every host can run exactly the same image.
  - Queries the registries through the host's engine, with its certificates and mirrors. Pulls nothing and stores no login.
  - Fails with one line for each image that a registry does not provide. The line names the deployments, the cause and the remedy.
requirements:
  - The Python library C(docker) on the host (Debian's C(python3-docker)).
extends_documentation_fragment:
  - selfhost.langgraph._attributes
  - selfhost.langgraph._attributes.info_module
attributes:
  platform:
    platforms: linux
    support: full
options:
  images:
    description: The images to look up.
    type: list
    elements: dict
    required: true
    suboptions:
      image:
        description: Name of the image, with its registry and tag.
        type: str
        required: true
      deployments:
        description: Deployments that run it, for the messages.
        type: list
        elements: str
        default: []
      known:
        description: Digests of the same repository that the hosts already have; their layers do not count in RV(images.size).
        type: list
        elements: str
        default: []
      optional:
        description: Whether the registry may lack the image. It is left out of the result then.
        type: bool
        default: false
  registries:
    description: Logins of registries. A registry that is not listed is queried without a login.
    type: list
    elements: dict
    default: []
    suboptions:
      registry:
        description: Host of the registry, with its port if the image names have it; V(docker.io) for the engine's default.
        type: str
        required: true
      username:
        description: User to log in as.
        type: str
      password:
        description: Password or token of O(registries[].username).
        type: str
      credential_helper:
        description:
          - Program C(docker-credential-NAME) on the host that returns the login, for example V(ecr-login) for Amazon's registry.
        type: str
seealso:
  - module: selfhost.langgraph.deployment_rollout
  - module: community.docker.docker_image_pull
"""

EXAMPLES = r"""
- name: Read which image the tag stands for now
  selfhost.langgraph.registry_image_info:
    images:
      - image: registry.example.com/support-bot:1.4
        deployments: [support-bot]
    registries:
      - registry: registry.example.com
        username: deploy
        password: "{{ vault_registry_password }}"
"""

RETURN = r"""
images:
  description: The answers of the registries, by O(images[].image).
  returned: success
  type: dict
  contains:
    digest:
      description: The image by digest, as the engine pulls it.
      type: str
    architectures:
      description: Architectures that it is built for.
      type: list
      elements: str
    size:
      description: Bytes of a download; null if the client on the host cannot determine it.
      type: int
  sample:
    registry.example.com/support-bot:1.4:
      architectures: [amd64]
      digest: registry.example.com/support-bot@sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef
      size: 184033210
problems:
  description: What has to be corrected.
  returned: failure
  type: list
  elements: dict
  sample:
    - deployment: support-bot
      finding: "'registry.example.com/support-bot:1.4': the registry has no such image"
      option: image
      remedy: check name and tag, or push it first
"""

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.ansible_module import UnloggedModule, require
from ansible_collections.selfhost.langgraph.plugins.module_utils._host import docker_engine
from ansible_collections.selfhost.langgraph.plugins.module_utils._images import registry


def main() -> None:
    """Query the registries and report their answers."""
    module = UnloggedModule(
        argument_spec={
            "images": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "image": {"type": "str", "required": True},
                    "deployments": {"type": "list", "elements": "str", "default": []},
                    "known": {"type": "list", "elements": "str", "default": []},
                    "optional": {"type": "bool", "default": False},
                },
            },
            "registries": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "registry": {"type": "str", "required": True},
                    "username": {"type": "str"},
                    "password": {"type": "str", "no_log": True},
                    "credential_helper": {"type": "str"},
                },
            },
        },
        supports_check_mode=True,
    )
    require(module, ("docker", docker_engine.DOCKER_IMPORT_ERROR))
    try:
        answers, problems = registry.ask(docker_engine.connect(), module.params["images"], module.params["registries"])
    except docker_engine.EngineError as error:
        module.fail_json(msg=str(error))
    if problems:
        lines = "\n".join(str(problem) for problem in problems)
        module.fail_json(msg=lines, problems=[problem.as_dict() for problem in problems])
    # Nothing in it is secret. Masking would garble digests and names if a password is part of them.
    module.no_log_values = set()
    module.exit_json(images=answers, invocation={})


if __name__ == "__main__":
    main()
