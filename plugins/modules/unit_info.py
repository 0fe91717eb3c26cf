#!/usr/bin/python
# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: unit_info
short_description: Read whether units of systemd run with what their files say
version_added: 0.1.0
author:
  - The selfhost.langgraph authors (@selfhost-langgraph)
description:
  - Reports of each unit whether it exists, runs and starts at boot, and whether one of its files has changed after its process
    began. So a role need not remember that it wrote a file; a run that was killed before the restart is finished by the next one.
  - Looks at all units in one call of C(systemctl).
extends_documentation_fragment:
  - selfhost.langgraph._attributes
  - selfhost.langgraph._attributes.info_module
attributes:
  platform:
    platforms: linux
    support: full
options:
  units:
    description: The units to look at.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the unit, with its type.
        type: str
        required: true
      files:
        description: Files that its process reads when it starts. Of a directory, itself and what is directly in it. The unit's
          own file and its drop-ins are always looked at. One that is missing has not changed.
        type: list
        elements: path
        default: []
      reload_files:
        description: Files that its process reads again when it is reloaded.
        type: list
        elements: path
        default: []
"""

EXAMPLES = r"""
- name: Look at the registry and at what it runs with
  selfhost.langgraph.unit_info:
    units:
      - name: docker-registry.service
        files:
          - /etc/docker/registry/config.yml
  register: look

- name: Restart it where it has not read its settings
  ansible.builtin.systemd_service:
    name: docker-registry.service
    state: restarted
    daemon_reload: true
  when: look.units['docker-registry.service'].stale
"""

RETURN = r"""
units:
  description: What was found, by the name of the unit.
  returned: always
  type: dict
  contains:
    exists:
      description: Whether there is such a unit, be it masked. A stub that systemd makes for a script in C(/etc/init.d) is none.
      type: bool
    active:
      description: Whether it runs.
      type: bool
    starting:
      description: Whether its process runs and is not ready yet. Not so between two attempts to start it.
      type: bool
    enabled:
      description: Whether it starts at boot.
      type: bool
    started:
      description: When its process began, in seconds of the epoch; null where it does not run.
      type: float
    stale:
      description: Whether it runs and has to be restarted to run with what its files say.
      type: bool
    stale_because:
      description: The files that changed since its process began. V(NeedDaemonReload) where systemd itself has to read its unit
        again.
      type: list
      elements: str
    reload:
      description: Whether it runs and has to be reloaded, for one of O(units[].reload_files).
      type: bool
    reload_because:
      description: The files that changed since it was last started or reloaded. V(ReloadResult) where its last reload failed.
      type: list
      elements: str
  sample:
    docker-registry.service:
      exists: true
      active: true
      starting: false
      enabled: true
      started: 1795811503.719705
      stale: true
      stale_because: [/etc/docker/registry/config.yml]
      reload: false
      reload_because: []
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.selfhost.langgraph.plugins.module_utils._host import systemd, units


def main() -> None:
    """Look and report."""
    unit = {
        "name": {"type": "str", "required": True},
        "files": {"type": "list", "elements": "path", "default": []},
        "reload_files": {"type": "list", "elements": "path", "default": []},
    }
    module = AnsibleModule(
        argument_spec={"units": {"type": "list", "elements": "dict", "required": True, "options": unit}},
        supports_check_mode=True,
    )
    wanted = [
        units.Wanted(item["name"], tuple(item["files"]), tuple(item["reload_files"])) for item in module.params["units"]
    ]
    try:
        module.exit_json(units=units.look(wanted))
    except systemd.SystemdError as error:
        module.fail_json(msg=f"systemctl: {error}")


if __name__ == "__main__":
    main()
