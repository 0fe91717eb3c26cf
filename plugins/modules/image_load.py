#!/usr/bin/python
# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_load
short_description: Ship images to the host and load them, without the layers that it has
version_added: 0.1.0
author:
  - The selfhost.langgraph authors (@selfhost-langgraph)
description:
  - Ships images from archives on the control node that C(docker save) wrote, and loads them. Layers that the host's engine
    has from another image stay behind.
  - An archive travels in parts of 128 MB, each with its checksum. A run that was interrupted goes on with the part where it
    ended, if it is repeated within a day.
  - The space on the host is checked before anything is shipped. A load that fails leaves nothing.
requirements:
  - The Python library C(docker) on the host (Debian's C(python3-docker)).
extends_documentation_fragment:
  - selfhost.langgraph._attributes
  - selfhost.langgraph._attributes.action
attributes:
  action:
    support: full
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
  platform:
    platforms: linux
    support: full
options:
  images:
    description: The images that the host shall have. One that it has, by name and id, is left alone.
    type: list
    elements: dict
    required: true
    suboptions:
      archive:
        description: Path of the archive on the control node.
        type: path
        required: true
      image:
        description: Name of the image in the archive, which it has on the host too.
        type: str
        required: true
      image_id:
        description: Id of the image. The default is that of the archive.
        type: str
      deployments:
        description: Deployments that run it, for the messages.
        type: list
        elements: str
        default: []
      spool:
        description: Folder of the host that has the archive in parts. The part on the control node sets it.
        type: path
      checksums:
        description: SHA-256 of each part, by its name. The part on the control node sets it.
        type: dict
        default: {}
      content:
        description: What is in the image, whatever its id is. The part on the control node sets it.
        type: str
seealso:
  - module: community.docker.docker_image_export
  - module: community.docker.docker_image_load
"""

EXAMPLES = r"""
- name: Ship the application's image
  selfhost.langgraph.image_load:
    images:
      - archive: images/support-bot.tar
        image: support-bot:1.4.2
"""

RETURN = r"""
images:
  description: What was loaded, or would be in check mode.
  returned: success
  type: list
  elements: dict
  contains:
    image:
      description: Name of the image.
      type: str
    image_id:
      description: Id of the image.
      type: str
    layers:
      description: How many layers it has.
      type: int
    layers_there:
      description: How many of them the host had.
      type: int
    shipped:
      description: Bytes that had to be shipped.
      type: int
"""

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.ansible_module import require
from ansible_collections.selfhost.langgraph.plugins.module_utils._host import docker_engine
from ansible_collections.selfhost.langgraph.plugins.module_utils._host import spool as _spool
from ansible_collections.selfhost.langgraph.plugins.module_utils._images import load

SHIPPED_OPTIONS: dict[str, dict[str, t.Any]] = {
    "spool": {"type": "path"},
    "checksums": {"type": "dict", "default": {}},
    "content": {"type": "str"},
}


def main() -> None:
    """Load what has been shipped."""
    module = AnsibleModule(
        argument_spec={
            "images": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {**load.IMAGE_OPTIONS, **SHIPPED_OPTIONS},
            }
        },
        supports_check_mode=True,
    )
    require(module, ("docker", docker_engine.DOCKER_IMPORT_ERROR))
    shipped = [image for image in module.params["images"] if image["spool"] and not module.check_mode]
    try:
        spool = _spool.check()
        for image in shipped:
            if os.path.dirname(image["spool"]) != spool:
                module.fail_json(msg=f"images: '{image['spool']}' is not a directory in '{spool}'")
            options = (image[key] for key in ("image", "image_id", "content", "spool", "checksums"))
            load.load(docker_engine.connect(), *options)
        _spool.remove_stale()
    except (docker_engine.EngineError, load.LoadError, _spool.SpoolError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(shipped))


if __name__ == "__main__":
    main()
