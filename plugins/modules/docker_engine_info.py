#!/usr/bin/python
# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_engine_info
short_description: Check whether a host's Docker engine can be used for LangGraph deployments
version_added: 0.1.0
author:
  - The selfhost.langgraph authors (@selfhost-langgraph)
description:
  - Checks the engine of a host, whoever installed it, and fails with one line for each reason why it cannot have the options
    or the network that the deployments need.
  - Works on a host without an engine, and needs no Python library on it.
extends_documentation_fragment:
  - selfhost.langgraph._engine
  - selfhost.langgraph._attributes
  - selfhost.langgraph._attributes.info_module
attributes:
  platform:
    platforms: linux
    support: full
options:
  network:
    description: The network of the deployments. Without it, addresses are not checked.
    type: dict
    suboptions:
      name:
        description: Name of the network.
        type: str
        required: true
      subnet:
        description: Its IPv4 addresses.
        type: str
        required: true
      gateway:
        description: Address of the host in it.
        type: str
        required: true
      bridge:
        description: Name of its interface on the host.
        type: str
        required: true
seealso:
  - module: selfhost.langgraph.docker_engine
"""

EXAMPLES = r"""
- name: Check whether the engine of this host can be used
  selfhost.langgraph.docker_engine_info:
    network:
      name: langgraph
      subnet: 172.29.0.0/16
      gateway: 172.29.0.1
      bridge: langgraph0
  register: engine
"""

RETURN = r"""
found:
  description: Whether the host has an engine, which means a C(docker.service).
  returned: success
  type: bool
running:
  description: Whether it runs.
  returned: success
  type: bool
version:
  description: Its version; empty if there is no engine.
  returned: success
  type: str
  sample: 28.1.1
installed_for_deployments:
  description: Whether the role P(selfhost.langgraph.docker#role) installed it.
  returned: success
  type: bool
missing_commands:
  description: Programs that the deployments' units need and that the engine's packages did not install.
  returned: success
  type: list
  elements: str
problems:
  description: What has to be corrected.
  returned: failure
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.selfhost.langgraph.plugins.module_utils._host import engine_service


def main() -> None:
    """Read the engine's state and report it."""
    network = {name: {"type": "str", "required": True} for name in ("name", "subnet", "gateway", "bridge")}
    module = AnsibleModule(
        argument_spec={**engine_service.ENGINE_ARGS, "network": {"type": "dict", "options": network}},
        supports_check_mode=True,
    )
    seen = engine_service.look((module.params["network"] or {}).get("name", ""))
    problems = list(engine_service.problems(module.params, seen))
    if problems:
        module.fail_json(msg="\n".join(problems), problems=problems)
    module.exit_json(
        found=seen.found,
        running=seen.running,
        version=seen.engine.version,
        installed_for_deployments=seen.engine.ours,
        missing_commands=engine_service.missing_commands(seen),
    )


if __name__ == "__main__":
    main()
