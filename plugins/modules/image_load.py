#!/usr/bin/python
# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_load
short_description: Ship images to the host and load them, without the layers that it already has
version_added: 0.1.0
author:
  - The selfhost.langgraph authors (@selfhost-langgraph)
description:
  - Ships images from archives on the control node that C(docker save) wrote, and loads them. Layers that the host's engine has
    from another image are not shipped.
  - An archive is sent in parts of 128 MB, each with its checksum. An interrupted run continues with the part where it ended, if
    it is repeated within a day.
  - The space on the host is checked before anything is shipped. A failed load leaves nothing behind.
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
    description: The images to load. An image that the host already has, by name and id, is left alone.
    type: list
    elements: dict
    required: true
    suboptions:
      archive:
        description: Path of the archive on the control node.
        type: path
        required: true
      image:
        description: Name of the image in the archive and on the host.
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
        description: Directory on the host with the parts of the archive. The action plugin sets it.
        type: path
      checksums:
        description: SHA-256 of each part, by its name. The action plugin sets it.
        type: dict
        default: {}
      content:
        description: Identifier of the image's content, independent of its id. The action plugin sets it.
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
      description: How many of them the host already had.
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
    """Load the images that have been shipped."""
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
