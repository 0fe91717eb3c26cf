#!/usr/bin/python
# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: health
short_description: Wait until LangGraph Servers are healthy
version_added: 0.1.0
author:
  - The selfhost.langgraph authors (@selfhost-langgraph)
description:
  - Waits for a whole list of deployments at once until C(/ok) answers with HTTP status 200 and JSON whose C(ok) is true. Then
    it checks each once more with C(check_db=1), which includes the Postgres database.
  - Supports both formats of the answer, that of servers up to 0.15 and that of 0.16 and later.
  - Fails with the likely cause and the last log lines of the container for each deployment that is not healthy.
extends_documentation_fragment:
  - selfhost.langgraph._attributes
  - selfhost.langgraph._attributes.info_module
attributes:
  platform:
    platforms: linux
    support: full
options:
  deployments:
    description: The deployments to check.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the deployment.
        type: str
        required: true
      url:
        description: URL of the server, without C(/ok), as the host itself reaches it. Its certificate is not verified.
        type: str
        required: true
      host:
        description: Host name to send in the request, if the proxy distinguishes deployments by it.
        type: str
  timeout:
    description: Seconds to wait for all of them.
    type: int
    default: 60
  check_db:
    description: Whether to check the database too.
    type: bool
    default: true
  config_dir:
    description: Directory on the host with the deployments' environments; needed to mask their values in log lines.
    type: path
    default: /etc/langgraph
"""

EXAMPLES = r"""
- name: Check that both deployments are healthy
  selfhost.langgraph.health:
    deployments:
      - name: support-bot
        url: http://127.0.0.1:8123
      - name: research-agent
        url: http://127.0.0.1:8124
"""

RETURN = r"""
health:
  description: Name of each deployment with what it answered.
  returned: always
  type: dict
  contains:
    ok:
      description: Whether it is healthy.
      type: bool
    status:
      description: HTTP status of its last answer; null if it did not answer.
      type: int
  sample:
    support-bot: {ok: true, status: 200}
failures:
  description: The deployments that are not healthy.
  returned: failure
  type: list
  elements: dict
  contains:
    name:
      description: Name of the deployment.
      type: str
    revision:
      description: The revision that serves.
      type: int
    code:
      description: Likely cause, as a stable word.
      type: str
    cause:
      description: Likely cause, as a sentence.
      type: str
    line:
      description: The log line that shows the cause, else the last one.
      type: str
    log:
      description: Last log lines of the container, with the values of its environment masked.
      type: list
      elements: str
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.selfhost.langgraph.plugins.module_utils._host import systemd
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions import store
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.model import unit_name
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.failures import collect_failure, summarize
from ansible_collections.selfhost.langgraph.plugins.module_utils._server import health as _health


def examine(targets: t.Mapping[str, _health.Target], timeout: int, check_db: bool) -> dict[str, _health.Answer]:
    """Return the last answer of each server: to ``/ok`` if that fails, else to ``/ok?check_db=1``."""
    plain = {name: _health.Target(f"{target.url}/ok", target.host) for name, target in targets.items()}
    answers = _health.wait_for(plain, timeout)
    if check_db:
        ready = [name for name, answer in answers.items() if answer.ok]
        deep = {name: _health.Target(f"{targets[name].url}/ok?check_db=1", targets[name].host) for name in ready}
        answers.update(_health.wait_for(deep, 0))
    return answers


def explain_all(answers: t.Mapping[str, _health.Answer], config_dir: str) -> list[dict[str, t.Any]]:
    """Return why each of these deployments is not healthy, from its serving revision."""
    failures = []
    for name, deployment in store.read(config_dir, list(answers)).items():
        serving = deployment.serving
        number = serving.number if serving else 0
        unit = unit_name(name, number)
        state = systemd.unit_states([unit])[unit]
        secrets = {**(serving.environment or {}), **deployment.credentials} if serving else {}
        memory = serving.content.memory if serving and serving.content else ""
        failures.append(collect_failure(name, number, state, answers[name], secrets, memory=memory))
    return failures


def main() -> None:
    """Check all deployments, and report the cause for those that are not healthy."""
    deployment = {
        "name": {"type": "str", "required": True},
        "url": {"type": "str", "required": True},
        "host": {"type": "str"},
    }
    module = AnsibleModule(
        argument_spec={
            "deployments": {"type": "list", "elements": "dict", "required": True, "options": deployment},
            "timeout": {"type": "int", "default": 60},
            "check_db": {"type": "bool", "default": True},
            "config_dir": {"type": "path", "default": "/etc/langgraph"},
        },
        supports_check_mode=True,
    )
    targets = {
        item["name"]: _health.Target(item["url"].rstrip("/"), item["host"]) for item in module.params["deployments"]
    }
    answers = examine(targets, module.params["timeout"], module.params["check_db"])
    health = {name: {"ok": answer.ok, "status": answer.status} for name, answer in answers.items()}
    sick = {name: answer for name, answer in answers.items() if not answer.ok}
    if sick:
        failures = explain_all(sick, module.params["config_dir"])
        module.fail_json(msg=summarize(failures), health=health, failures=failures)
    module.exit_json(health=health)


if __name__ == "__main__":
    main()
