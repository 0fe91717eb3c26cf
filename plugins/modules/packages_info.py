#!/usr/bin/python
# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: packages_info
short_description: Read which Debian packages are missing and what apt would do to install them
version_added: 0.1.0
author:
  - The selfhost.langgraph authors (@selfhost-langgraph)
description:
  - Reports which of a list of packages are missing, and what C(apt-get) would install, upgrade, remove and downgrade for them. Only
    missing packages are requested, so no installed package would be upgraded for its own sake.
  - Also reports which units of the packages do not exist yet and have to be kept from starting.
  - The role P(selfhost.langgraph.packages#role) uses it. It needs no library on the host.
extends_documentation_fragment:
  - selfhost.langgraph._attributes
  - selfhost.langgraph._attributes.info_module
attributes:
  platform:
    platforms: debian
    support: full
options:
  names:
    description: The packages, as C(apt-get) takes them, C(name) or C(name=version).
    type: list
    elements: str
    required: true
  quiet_units:
    description: Units of the packages that must not start, unless they already exist.
    type: list
    elements: str
    default: []
  marker_dir:
    description: Directory on the host with one file for each unit that the role currently holds.
    type: path
    default: /var/lib/langgraph/held-units
  files:
    description: Files of the host to report the SHA-256 of.
    type: list
    elements: path
    default: []
"""

EXAMPLES = r"""
- name: Read which packages are missing for Redis
  selfhost.langgraph.packages_info:
    names: [redis-server, python3-redis]
    quiet_units: [redis-server.service]
  register: look
"""

RETURN = r"""
missing:
  description: Those of O(names) that are not installed, or not completely.
  returned: always
  type: list
  elements: str
interrupted:
  description: Whether a dpkg was interrupted, or is running now.
  returned: always
  type: bool
held:
  description: Those of O(quiet_units) that an earlier run still holds.
  returned: always
  type: list
  elements: str
files:
  description: SHA-256 of each of O(files); null where it is missing.
  returned: always
  type: dict
hold:
  description: Those of O(quiet_units) that have to be held while something is installed.
  returned: always
  type: list
  elements: str
install:
  description: Packages that apt would install or upgrade, with what they depend on.
  returned: always
  type: list
  elements: str
listed:
  description: Whether apt can install them all. False if the host has no package lists.
  returned: always
  type: bool
refusal:
  description: One line that says why they must not be installed, if apt cannot do it, would remove or downgrade something, or
    would upgrade a package whose services are running.
  returned: always
  type: str
  sample: installing docker.io would make apt remove containerd.io, docker-ce, which other software of the host may need; nothing
    was installed; see 'apt-get --simulate install docker.io', and change these packages yourself if nothing needs them
"""

import hashlib
import os
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.command import run
from ansible_collections.selfhost.langgraph.plugins.module_utils._host import apt, systemd, units

ENVIRONMENT = {"LC_ALL": "C", "LANGUAGE": "C"}


def entries(directory: str) -> set[str]:
    """List a directory that may be missing."""
    try:
        return set(os.listdir(directory))
    except FileNotFoundError:
        return set()


def fingerprint(path: str) -> str | None:
    """Return the SHA-256 of a file; None if it is missing."""
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except FileNotFoundError:
        return None


def look(names: t.Sequence[str], quiet_units: t.Sequence[str], marker_dir: str) -> dict[str, t.Any]:
    """Return what is missing, and what its installation would change."""
    queried = run([*apt.QUERY, *map(apt.package, names)], environment=ENVIRONMENT) if names else None
    missing = apt.missing(names, queried.stdout if queried else "")
    marked = entries(marker_dir)
    answer: dict[str, t.Any] = {
        **{"missing": missing, "held": [unit for unit in quiet_units if unit in marked], "hold": []},
        **{"interrupted": False, "install": [], "listed": True, "refusal": ""},
    }
    if not missing:
        return answer
    simulated = run([*apt.SIMULATE, *missing], environment=ENVIRONMENT)
    plan = apt.read_simulation(simulated.stdout, simulated.stderr, simulated.returncode)
    restarted = apt.disturbed(apt.files_of(plan.upgrade), systemd.running_services()) if plan.upgrade else []
    shown = systemd.show(quiet_units, units.PROPERTIES)
    exist = {unit: units.read_unit(shown.get(unit, {})).exists for unit in quiet_units}
    return answer | {
        "interrupted": bool(entries(apt.JOURNAL)),
        "install": plan.install or missing,
        "listed": not plan.error,
        "refusal": apt.refusal(missing, plan, restarted),
        "hold": apt.to_hold(exist, marked),
    }


def main() -> None:
    """Read the packages and report them."""
    module = AnsibleModule(
        argument_spec={
            "names": {"type": "list", "elements": "str", "required": True},
            "quiet_units": {"type": "list", "elements": "str", "default": []},
            "marker_dir": {"type": "path", "default": "/var/lib/langgraph/held-units"},
            "files": {"type": "list", "elements": "path", "default": []},
        },
        supports_check_mode=True,
    )
    options = module.params
    try:
        module.exit_json(
            **look(options["names"], options["quiet_units"], options["marker_dir"]),
            files={path: fingerprint(path) for path in options["files"]},
        )
    except (OSError, systemd.SystemdError) as error:
        module.fail_json(msg=f"cannot query the packages: {error}")


if __name__ == "__main__":
    main()
