#!/usr/bin/python
# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_layers_info
short_description: Read which layers of images the host has
version_added: 0.1.0
author:
  - The selfhost.langgraph authors (@selfhost-langgraph)
description:
  - Returns for each image how many of its layers, from the lowest up, the host's engine already has from other images. Only the
    rest has to be shipped. Returns the free space too.
  - M(selfhost.langgraph.image_load) uses it.
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
    description: The images to look for.
    type: list
    elements: dict
    required: true
    suboptions:
      image:
        description: Wanted name of the image.
        type: str
        required: true
      image_id:
        description: Id of the image.
        type: str
        required: true
      content:
        description: Identifier of the image's content, as M(selfhost.langgraph.image_build) returns it. Its id may differ between
          engines.
        type: str
        default: ""
      layers:
        description: Digests of its layers, the lowest first, as in its configuration.
        type: list
        elements: str
        required: true
"""

EXAMPLES = r"""
- name: Read how much of an image the host has
  selfhost.langgraph.image_layers_info:
    images:
      - image: support-bot:1.4.2
        image_id: sha256:48b0ab8bb9a16a999193430dba4a21ad4a53d61fd760347f465440bc9d69206e
        layers:
          - sha256:1f8fd0b1a2a9f7b7a8f14ac1ee05e2d2f5c0d7ea1c0f7a2f6bb0e9f4e7c56f2a
"""

RETURN = r"""
present:
  description: Names of the images that the host already has, with the same id or content.
  returned: success
  type: list
  elements: str
spooled:
  description: SHA-256 of each part of an archive that an interrupted transfer left on the host, by its path.
  returned: success
  type: dict
there:
  description: How many of an image's first layers the host has, by id of the image.
  returned: success
  type: dict
root:
  description: Directory of the engine.
  returned: success
  type: str
free:
  description: Free bytes in the directory of the engine.
  returned: success
  type: int
spool:
  description:
    - Directory for parts of archives until they are loaded. It need not exist yet. The module fails if another user could write
      to it or replace it.
  returned: success
  type: str
spool_free:
  description: Free bytes in the spool directory; null if it is on the same disk as the engine.
  returned: success
  type: int
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.ansible_module import require
from ansible_collections.selfhost.langgraph.plugins.module_utils._host import disk, docker_engine
from ansible_collections.selfhost.langgraph.plugins.module_utils._host import spool as _spool
from ansible_collections.selfhost.langgraph.plugins.module_utils._images import load


def main() -> None:
    """Read and report."""
    module = AnsibleModule(
        argument_spec={
            "images": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "image": {"type": "str", "required": True},
                    "image_id": {"type": "str", "required": True},
                    "content": {"type": "str", "default": ""},
                    "layers": {"type": "list", "elements": "str", "required": True},
                },
            }
        },
        supports_check_mode=True,
    )
    require(module, ("docker", docker_engine.DOCKER_IMPORT_ERROR))
    try:
        client = docker_engine.connect()
        root = docker_engine.engine(client)["root"]
        present = load.present(client, module.params["images"])
        missing = [image for image in module.params["images"] if image["image"] not in present]
        there = load.layers_there(client, missing) if missing else {}
        spool = _spool.check()
        spooled = load.waiting(spool) if missing else {}
    except (docker_engine.EngineError, _spool.SpoolError) as error:
        module.fail_json(msg=str(error))
    apart = os.stat(root).st_dev != os.stat(disk.existing(spool)).st_dev
    spool_free = disk.free_bytes(spool) if apart else None
    free = {"root": root, "free": disk.free_bytes(root), "spool": spool, "spool_free": spool_free}
    module.exit_json(present=present, there=there, spooled=spooled, **free)


if __name__ == "__main__":
    main()
