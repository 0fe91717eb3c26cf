#!/usr/bin/python
# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: unit_info
short_description: Read whether systemd units run with their current files
version_added: 0.1.0
author:
  - The selfhost.langgraph authors (@selfhost-langgraph)
description:
  - Reports for each unit whether it exists, runs and starts at boot, and whether one of its files has changed after its process
    started. So a role need not remember that it wrote a file; a run that was killed before the restart is finished by the next.
  - Reads all units in one call of C(systemctl).
extends_documentation_fragment:
  - selfhost.langgraph._attributes
  - selfhost.langgraph._attributes.info_module
attributes:
  platform:
    platforms: linux
    support: full
options:
  units:
    description: The units to read.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the unit, with its type.
        type: str
        required: true
      files:
        description: Files that its process reads when it starts. For a directory, itself and its direct entries count. The unit's
          own file and its drop-ins are always included. A missing file counts as unchanged.
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
- name: Check whether the registry runs with its current settings
  selfhost.langgraph.unit_info:
    units:
      - name: docker-registry.service
        files:
          - /etc/docker/registry/config.yml
  register: look

- name: Restart it if it has not read its settings
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
      description: Whether the unit exists, even if it is masked. A stub that systemd generates for a script in C(/etc/init.d) does
        not count.
      type: bool
    active:
      description: Whether it runs.
      type: bool
    starting:
      description: Whether its process runs and is not ready yet. False between two attempts to start it.
      type: bool
    enabled:
      description: Whether it starts at boot.
      type: bool
    started:
      description: When its process started, in seconds since the epoch; null if it does not run.
      type: float
    stale:
      description: Whether it runs and has to be restarted to use its current files.
      type: bool
    stale_because:
      description: The files that changed since its process started. V(NeedDaemonReload) if systemd itself has to reload the unit.
      type: list
      elements: str
    reload:
      description: Whether it runs and has to be reloaded, for one of O(units[].reload_files).
      type: bool
    reload_because:
      description: The files that changed since it was last started or reloaded. V(ReloadResult) if its last reload failed.
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
    """Read the units and report them."""
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
