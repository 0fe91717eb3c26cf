#!/usr/bin/python
# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: deployment_rollout
short_description: Hold LangGraph deployments as containers that systemd owns
version_added: 0.1.0
author:
  - The selfhost.langgraph authors (@selfhost-langgraph)
description:
  - Holds a whole list of deployments on a host. Another image, environment or resource makes a new revision of that
    deployment, and nothing else does. Each revision is a container that the instance C(langgraph@NAME.N.service) of one
    systemd template unit creates, starts, watches and stops.
  - A new revision starts beside the old one on a free port of the loopback. When it is healthy the proxy switches to it
    without losing a request. The old one goes on with what it has, under C(langgraph-drain@NAME.N.service), and is
    stopped when the proxy holds no session on it any more.
  - A revision that does not become healthy never serves. The module fails with the likely cause and the container's own
    last lines, the old revision goes on, and the failed one is kept for inspection.
  - It can be killed at any moment and run again. Whatever the moment, exactly one revision serves.
  - The cost is the same for one deployment and for many, one call reads the units, one the images.
  - The units and their helper come with the role P(selfhost.langgraph.langgraph#role), the proxy with
    P(selfhost.langgraph.proxy#role).
requirements:
  - The Python library C(docker) on the host (Debian's C(python3-docker)).
  - systemd.
  - The Python library C(psycopg) on the host, where schema versions are to be recorded and snapshots to be taken.
extends_documentation_fragment:
  - selfhost.langgraph._attributes
  - selfhost.langgraph._attributes.action
  - selfhost.langgraph._rollout
attributes:
  action:
    support: full
    details:
      - That part says every 15 seconds what is waited for.
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - Values of the environment are masked; a variable that changes is marked.
  idempotent:
    support: full
  platform:
    platforms: linux
    support: full
options:
  deployments:
    description:
      - The deployments to hold. A deployment of the host that is not in the list is left alone.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the deployment.
        type: str
        required: true
      state:
        description:
          - With V(present) the deployment runs.
          - With V(absent) its containers are stopped and removed with their units and files. Background runs get their grace;
            open streams are cut. Its databases and its images stay, and its dumps but for O(remove_dumps).
        type: str
        choices: [present, absent]
        default: present
      image:
        description:
          - Image to run. It must be on the host. Required with O(deployments[].state=present).
        type: str
      port:
        description: Port of the host on which the server answers. Required with O(deployments[].state=present).
        type: int
      bind_address:
        description: Address of the host on which the server answers.
        type: str
        default: 127.0.0.1
      hostname:
        description: Host name by which the proxy tells the deployment from others on the same port.
        type: str
      prefix:
        description: Path under which the server answers, which its environment has as E(MOUNT_PREFIX) too.
        type: str
      tls:
        description: Whether the proxy speaks TLS on the port.
        type: bool
        default: false
      may_reach:
        description:
          - Names of deployments whose public port its containers reach, which C(langgraph-firewall.service) goes by.
          - Changing it holds at once for containers that run, and touches none.
        type: list
        elements: str
        default: []
      environment:
        description:
          - Content of the container's environment file, one C(NAME=value) a line. It is part of the revision.
        type: str
        default: ''
      credentials:
        description:
          - Content of a second environment file with what the deployment's addresses and passwords are today, E(DATABASE_URI)
            and E(REDIS_URI). It is no part of a revision. Another content starts a new one beside what serves, and a rollback
            starts an older one with the content of today.
          - Where it is empty, these variables are taken out of O(deployments[].environment).
        type: str
        default: ''
      drain_seconds:
        description: Seconds that the server has between the signal to stop and its end.
        type: int
        default: 180
      memory:
        description: Most memory that the container may use, as the engine writes it, for example V(512m).
        type: str
      cpus:
        description: Most CPUs that the container may use.
        type: float
      user:
        description: User in the container, V(UID) or V(UID:GID). Default is that of the image.
        type: str
      read_only:
        description: Whether the container's file system is read-only, but for C(/tmp).
        type: bool
        default: false
  network:
    description: The engine's network for the containers.
    type: str
    default: langgraph
  only_credentials:
    description:
      - Whether nothing is changed but O(deployments[].credentials). What serves keeps its image, its environment and its settings,
        whatever else O(deployments) ask for.
      - A deployment that has no revision that serves, or one with files that were changed by hand, is refused.
    type: bool
    default: false
  remove_dumps:
    description:
      - Whether a deployment with O(deployments[].state=absent) takes the dumps of its database with it, those that were taken
        before one of its revisions. For where the database goes too.
    type: bool
    default: false
  coming_images:
    description:
      - References with ids, or digests, of images that an earlier task of the play brings. Check mode takes them for present.
    type: dict
    default: {}
  proxy:
    description:
      - With V(haproxy), the proxy of the host answers on the port of a deployment, and a new revision interrupts nothing.
      - With V(none), the container itself is published there. A new revision, another port or address then stops the
        old container first, and clients are refused until the new one answers.
      - Changing it interrupts every deployment once.
    type: str
    choices: [haproxy, none]
    default: haproxy
  healthy_deadline:
    description: Seconds that a revision has from its start until it is healthy.
    type: int
    default: 300
  drain_limit:
    description:
      - Seconds for which a revision that serves no more may keep the sessions that it has, streams above all. Then it is
        stopped, and what is left is cut.
    type: int
    default: 900
seealso:
  - module: selfhost.langgraph.deployment_rollback
  - module: selfhost.langgraph.health
  - module: selfhost.langgraph.deployment_info
"""

EXAMPLES = r"""
- name: Hold two deployments
  selfhost.langgraph.deployment_rollout:
    deployments:
      - name: support-bot
        image: support-bot:1.4.2
        port: 8123
        environment: "{{ support_bot_environment }}"
      - name: research-agent
        image: research-agent:0.3.0
        port: 8124
        environment: "{{ research_agent_environment }}"
        memory: 2g

- name: Stop a deployment and take it off the host, with its databases left as they are
  selfhost.langgraph.deployment_rollout:
    deployments:
      - name: support-bot
        state: absent
"""

RETURN = r"""
deployments:
  description: What was done to each deployment and why, in the order of the list.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Name of the deployment.
      type: str
    action:
      description:
        - V(create) is a first revision, V(roll) a new one beside the old one, V(route) another public address without
          another container. V(restart) interrupts the deployment, V(start) brings up one that was down, V(wait) waits for
          one that was starting already. V(keep) leaves the container alone, V(remove) takes all of it away.
      type: str
    reasons:
      description: What differed. Variables by name, never with a value.
      type: list
      elements: str
    changed:
      description: Whether anything of it changes.
      type: bool
    interrupts:
      description: Whether clients are refused for a while.
      type: bool
    revision:
      description: The revision that serves afterwards.
      type: int
    image_id:
      description: Id of the image that it runs. In check mode the digest, where the image has to be pulled yet.
      type: str
    image_digest:
      description: What its registry calls the image; null where it came another way.
      type: str
    image_change:
      description: The image before and after, in short; null where it stays.
      type: str
    runs:
      description:
        - Runs in flight by status, C(before) the new revision started and C(after) the switch, as the server's own API
          tells; null where it does not. With O(wait_for_drain=true), also C(drained), what became of those that were in
          flight when the old revision was stopped, and how many started again.
      type: dict
    snapshot:
      description: The dump of the database that was taken before the new revision started.
      type: str
  sample:
    - action: roll
      changed: true
      image_id: sha256:0f3a
      image_digest: null
      image_change: 9b1c to 0f3a
      interrupts: false
      name: support-bot
      reasons: [image_id, variable LOG_LEVEL]
      revision: 4
      runs: {before: {running: 2}, after: {running: 2}}
      snapshot: null
carried:
  description:
    - What the containers of the host carry at the end. By deployment (C(deployments)), each revision that runs, drains, serves or
      starts by itself, with the Postgres role that it logs in as, whether its passwords are those asked for, and the pool that its
      environment sets. Beside them the
      C(addresses) of the host and of its containers. Null in check mode.
    - The filter P(selfhost.langgraph.credentials_in_use#filter) takes it.
  returned: always
  type: dict
  sample:
    addresses: [172.29.0.1, 172.29.0.2, 192.0.2.10]
    deployments:
      support-bot:
        - {revision: 3, login: support_bot, current: false, pool: null}
        - {revision: 4, login: support_bot.b, current: true, pool: "40"}
failures:
  description: The deployments that did not become healthy.
  returned: failure
  type: list
  elements: dict
  contains:
    name:
      description: Name of the deployment.
      type: str
    revision:
      description: The revision that failed.
      type: int
    serving:
      description: The revision that continues to serve, if any.
      type: int
    code:
      description: Likely cause, as a stable word.
      type: str
    cause:
      description: Likely cause, as a sentence.
      type: str
    line:
      description: The line of its log that tells the cause, else the last one.
      type: str
    log:
      description: Last lines of the container, with the values of its environment masked.
      type: list
      elements: str
"""

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.ansible_module import QuietModule, require
from ansible_collections.selfhost.langgraph.plugins.module_utils._host.docker_engine import DOCKER_IMPORT_ERROR
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.module import (
    ROLLOUT_ARGUMENTS,
    converge,
    run_module,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._server.schema import PSYCOPG_IMPORT_ERROR


def main() -> None:
    """Read the options and hand over."""
    deployment = {
        "name": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "image": {"type": "str"},
        "port": {"type": "int"},
        "bind_address": {"type": "str", "default": "127.0.0.1"},
        "hostname": {"type": "str"},
        "prefix": {"type": "str"},
        "tls": {"type": "bool", "default": False},
        "may_reach": {"type": "list", "elements": "str", "default": []},
        "environment": {"type": "str", "default": "", "no_log": True},
        "credentials": {"type": "str", "default": "", "no_log": True},
        "drain_seconds": {"type": "int", "default": 180},
        "memory": {"type": "str"},
        "cpus": {"type": "float"},
        "user": {"type": "str"},
        "read_only": {"type": "bool", "default": False},
    }
    module = QuietModule(
        argument_spec={
            "deployments": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": deployment,
                "required_if": [("state", "present", ("image", "port"))],
            },
            "network": {"type": "str", "default": "langgraph"},
            "only_credentials": {"type": "bool", "default": False},
            "remove_dumps": {"type": "bool", "default": False},
            "coming_images": {"type": "dict", "default": {}},
            "proxy": {"type": "str", "choices": ["haproxy", "none"], "default": "haproxy"},
            "healthy_deadline": {"type": "int", "default": 300},
            "drain_limit": {"type": "int", "default": 900},
            **ROLLOUT_ARGUMENTS,
        },
        supports_check_mode=True,
    )
    require(module, ("docker", DOCKER_IMPORT_ERROR), wished=[("psycopg", PSYCOPG_IMPORT_ERROR)])
    run_module(module, converge)


if __name__ == "__main__":
    main()
