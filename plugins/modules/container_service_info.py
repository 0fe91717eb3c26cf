#!/usr/bin/python
# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: container_service_info
short_description: List the LangGraph deployments, images and taken ports of a host
version_added: 0.1.0
author:
  - The selfhost.langgraph authors (@selfhost-langgraph)
description:
  - Lists the deployments that M(selfhost.langgraph.container_service) holds on a host, with their units' state, and what
    a new deployment must know of the host, which images it has and which of its ports are taken by whom.
  - Works on a host that has no Docker engine yet; it has no images then.
extends_documentation_fragment:
  - selfhost.langgraph._attributes
  - selfhost.langgraph._attributes.info_module
attributes:
  platform:
    platforms: linux
    support: full
options:
  config_dir:
    description: Folder of the host that holds a folder for each deployment.
    type: path
    default: /etc/langgraph
  files:
    description: Files of the host to hash, so that what is up to date need not be shipped.
    type: list
    elements: path
    default: []
"""

EXAMPLES = r"""
- name: What runs on this host?
  selfhost.langgraph.container_service_info:
  register: host
"""

RETURN = r"""
deployments:
  description: The deployments of the host, by name.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Name of the deployment.
      type: str
    image:
      description: Image as the user wrote it.
      type: str
    image_id:
      description: Id of the image.
      type: str
    port:
      description: Port of the host.
      type: int
    drain_seconds:
      description: How long it may drain when it is stopped.
      type: int
    active:
      description: systemd's ActiveState of its unit.
      type: str
    enabled:
      description: Whether it starts at boot.
      type: bool
images:
  description: References of the images that are on the host, with their ids.
  returned: always
  type: dict
files:
  description: SHA-256 of each of O(files); null where it is missing, or not root's with mode 0644.
  returned: always
  type: dict
listening:
  description: TCP ports that a program listens on, with its name.
  returned: always
  type: dict
  sample: {"22": sshd}
"""

import hashlib
import os
import stat

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.selfhost.langgraph.plugins.module_utils import _docker, _ports
from ansible_collections.selfhost.langgraph.plugins.module_utils._container_service import deployed


def images() -> dict[str, str]:
    """References to ids; a host without an engine has none."""
    if _docker.DOCKER_IMPORT_ERROR is not None:
        return {}
    try:
        return _docker.image_ids(_docker.connect())
    except _docker.EngineError:
        return {}


def fingerprint(path: str) -> str | None:
    """Hash a file that only root can have written; anything else has to be written anew."""
    try:
        found = os.lstat(path)
        if found.st_mode != stat.S_IFREG | 0o644 or found.st_uid != 0 or found.st_gid != 0:
            return None
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return None


def main() -> None:
    """Read and report."""
    module = AnsibleModule(
        argument_spec={
            "config_dir": {"type": "path", "default": "/etc/langgraph"},
            "files": {"type": "list", "elements": "path", "default": []},
        },
        supports_check_mode=True,
    )
    module.exit_json(
        deployments=deployed(module.params["config_dir"]),
        images=images(),
        files={path: fingerprint(path) for path in module.params["files"]},
        listening={str(port): program for port, program in _ports.listening().items()},
    )


if __name__ == "__main__":
    main()
