#!/usr/bin/python
# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_engine
short_description: Manage the options of a host's Docker engine
version_added: 0.1.0
author:
  - The selfhost.langgraph authors (@selfhost-langgraph)
description:
  - Adds options to the C(daemon.json) of a host's engine, and applies them to the running engine. Other options in the file are
    left as they are. An option that somebody else has set to another value is refused before anything changes.
  - From version 23 on, the engine's own program validates the file before it replaces the old one.
  - The options of the running engine decide, not the content of a file. A run that was killed is finished by the next one.
  - An engine that was not installed for the deployments is reloaded and never restarted. An engine that was installed for them is
    restarted if an option needs it.
extends_documentation_fragment:
  - selfhost.langgraph._engine
  - selfhost.langgraph._attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
  platform:
    platforms: linux
    support: full
seealso:
  - module: selfhost.langgraph.docker_engine_info
"""

EXAMPLES = r"""
- name: Keep containers running while the engine restarts
  selfhost.langgraph.docker_engine:
    live_restore: true
"""

RETURN = r"""
written:
  description: Whether C(daemon.json) was changed.
  returned: success
  type: bool
read_again:
  description: Options for which the engine was reloaded.
  returned: success
  type: list
  elements: str
  sample: [live-restore]
restarted_for:
  description: Options for which the engine was restarted.
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
    """Compare the options, and apply the differences."""
    module = AnsibleModule(argument_spec=engine_service.ENGINE_ARGS, supports_check_mode=True)
    seen = engine_service.look()
    problems = list(engine_service.problems(module.params, seen))
    if problems:
        module.fail_json(msg="\n".join(problems), problems=problems)
    plan = engine_service.make_plan(module.params, seen)
    if not module.check_mode:
        try:
            engine_service.carry_out(plan, seen)
        except engine_service.EngineServiceError as error:
            module.fail_json(msg=str(error))
    module.exit_json(
        changed=plan.changed,
        written=plan.text is not None,
        read_again=plan.reload,
        restarted_for=plan.restart,
    )


if __name__ == "__main__":
    main()
