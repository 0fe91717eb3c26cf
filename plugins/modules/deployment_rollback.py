#!/usr/bin/python
# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: deployment_rollback
short_description: Bring a LangGraph deployment back to a revision that served before
version_added: 0.1.0
author:
  - The selfhost.langgraph authors (@selfhost-langgraph)
description:
  - Brings one deployment of a host back to a kept revision, with the same rollout as M(selfhost.langgraph.deployment_rollout).
    The old revision starts next to the serving one, and clients reach it when it is healthy.
  - Its public address and its limits keep their current values.
  - Refuses if the schema of the deployment's database has changed since that revision, because migrations only go forward. The
    message names the migrations in between.
  - A host that does not have the deployment is left alone.
  - The inventory is not changed. The next run of P(selfhost.langgraph.langgraph#role) rolls forward again unless you change it.
requirements:
  - The Python libraries C(docker) and C(psycopg) on the host.
  - systemd.
extends_documentation_fragment:
  - selfhost.langgraph._attributes
  - selfhost.langgraph._rollout
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - Values of the environment are masked; a variable that changes is marked.
  idempotent:
    support: partial
    details:
      - It is idempotent with O(revision). Without it, each run goes one revision further back.
  platform:
    platforms: linux
    support: full
options:
  name:
    description: Name of the deployment.
    type: str
    required: true
  revision:
    description:
      - The revision to roll back to. The default is the highest revision below the serving one that has served.
    type: int
  allow_schema_mismatch:
    description:
      - Whether to roll back even if the schema of the database has changed since then, or is unknown.
    type: bool
    default: false
seealso:
  - module: selfhost.langgraph.deployment_rollout
  - module: selfhost.langgraph.deployment_info
"""

EXAMPLES = r"""
- name: Roll back to the previous revision
  selfhost.langgraph.deployment_rollback:
    name: support-bot

- name: Roll back to a revision by number
  selfhost.langgraph.deployment_rollback:
    name: support-bot
    revision: 3
"""

RETURN = r"""
deployments:
  description:
    - What was done, as M(selfhost.langgraph.deployment_rollout) returns it. Empty on a host that does not have the deployment.
  returned: always
  type: list
  elements: dict
  sample:
    - action: roll
      changed: true
      image_id: sha256:0f3a
      image_digest: null
      image_change: 9b1c to 0f3a
      interrupts: false
      name: support-bot
      reasons: [rollback from revision 4]
      revision: 3
      runs: {before: {running: 2}, after: {running: 2}}
      snapshot: null
carried:
  description:
    - The logins of the host's containers at the end. By deployment (C(deployments)), each revision that runs, drains, serves or
      starts by itself, with its Postgres roles, its Redis users, and the pool size that its environment sets. The roles and users
      are those of its container and those that a restart would use. Null in check mode.
    - The filter P(selfhost.langgraph.claims#filter) takes it.
  returned: always
  type: dict
  sample:
    deployments:
      support-bot:
        - {revision: 3, logins: [support_bot, support_bot.b], users: [support-bot, support-bot.b], pool: null}
        - {revision: 4, logins: [support_bot.b], users: [support-bot.b], pool: "40"}
problems:
  description: Why it was refused, as M(selfhost.langgraph.deployment_rollout) returns it.
  returned: failure, if the request was refused before anything was changed
  type: list
  elements: dict
failures:
  description: Why it failed, as M(selfhost.langgraph.deployment_rollout) returns it.
  returned: failure
  type: list
  elements: dict
"""

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.ansible_module import UnloggedModule, require
from ansible_collections.selfhost.langgraph.plugins.module_utils._host.docker_engine import DOCKER_IMPORT_ERROR
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.module import ROLLOUT_ARGUMENTS, run_module
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.rollback import roll_back
from ansible_collections.selfhost.langgraph.plugins.module_utils._server.schema import PSYCOPG_IMPORT_ERROR


def main() -> None:
    """Read the options and hand over."""
    module = UnloggedModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "revision": {"type": "int"},
            "allow_schema_mismatch": {"type": "bool", "default": False},
            **ROLLOUT_ARGUMENTS,
        },
        supports_check_mode=True,
    )
    require(module, ("docker", DOCKER_IMPORT_ERROR), wished=[("psycopg", PSYCOPG_IMPORT_ERROR)])
    run_module(module, roll_back)


if __name__ == "__main__":
    main()
