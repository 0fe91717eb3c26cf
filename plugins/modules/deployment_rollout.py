#!/usr/bin/python
# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: deployment_rollout
short_description: Run LangGraph deployments as systemd-managed containers
version_added: 0.1.0
author:
  - The selfhost.langgraph authors (@selfhost-langgraph)
description:
  - Deploys a whole list of deployments on a host. Only a change of image, environment or resources creates a new revision of a
    deployment. Each revision is a container that the instance C(langgraph@NAME.N.service) of one systemd template unit
    creates, starts, watches and stops.
  - A new revision starts next to the old one at its own address on the deployments' network. When it is healthy, the proxy
    switches to it without losing a request. The old one keeps its open sessions, under C(langgraph-drain@NAME.N.service), and is
    stopped when the proxy no longer holds a session on it.
  - A revision that does not become healthy never serves. The module fails with the likely cause and the container's last log
    lines. The old revision continues to serve, and the failed one is kept for inspection.
  - The module can be killed at any moment and run again. Exactly one revision serves at every moment.
  - The cost is the same for one deployment and for many. One call reads all units, and one call reads all images.
  - The units and their helper come with the role P(selfhost.langgraph.langgraph#role), the proxy with
    P(selfhost.langgraph.proxy#role).
requirements:
  - The Python library C(docker) on the host (Debian's C(python3-docker)).
  - systemd.
  - The Python library C(psycopg) on the host, to record schema versions and to take snapshots.
extends_documentation_fragment:
  - selfhost.langgraph._attributes
  - selfhost.langgraph._attributes.action
  - selfhost.langgraph._rollout
attributes:
  action:
    support: full
    details:
      - The action plugin computes credentials, and reports every 15 seconds what the module waits for.
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
      - The deployments to run. A deployment on the host that is not in the list is left alone.
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
          - With V(stopped) its containers are stopped and removed, and its revisions and its claims stay. With V(present) again, the
            same revision starts.
          - With V(absent) its containers are stopped and removed with their units and files. Background runs get their grace
            period; open streams are cut. Its databases and its images stay. Its dumps stay too, unless O(remove_dumps) is set.
        type: str
        choices: [present, stopped, absent]
        default: present
      image:
        description:
          - Name of the image to run. It must be on the host. Required with O(deployments[].state=present).
        type: str
      port:
        description: Port of the host on which the server answers. Required with O(deployments[].state=present).
        type: int
      bind_address:
        description: Address of the host on which the server answers.
        type: str
        default: 127.0.0.1
      hostname:
        description: Host name by which the proxy distinguishes the deployment from others on the same port.
        type: str
      prefix:
        description: Path under which the server answers. Its environment sets the same path as E(MOUNT_PREFIX).
        type: str
      tls:
        description: Whether the proxy speaks TLS on the port.
        type: bool
        default: false
      may_reach:
        description:
          - Names of deployments whose public port its containers may reach. C(langgraph-firewall.service) enforces this.
          - A change takes effect at once for running containers and restarts none.
        type: list
        elements: str
        default: []
      environment:
        description:
          - The variables of the container, a mapping of names to values. It is part of the revision.
        type: json
      credentials:
        description:
          - The variables with the deployment's current addresses and passwords, E(DATABASE_URI) and E(REDIS_URI). They are not
            part of a revision. If they change, a new revision starts next to the serving one. A rollback starts an older revision
            with the current ones.
          - If it is empty, these variables are taken out of O(deployments[].environment).
        type: json
      redis_password:
        description: Password of its Redis user, for O(redis). It stays on the control node.
        type: str
      postgres_password:
        description: Password of its Postgres role, for O(postgres). It stays on the control node.
        type: str
      drain_seconds:
        description: Seconds that the server has to end after the stop signal.
        type: int
        default: 180
      memory:
        description: Maximum memory of the container, in the engine's notation, for example V(512m).
        type: str
      cpus:
        description: Maximum number of CPUs of the container.
        type: float
      user:
        description: User in the container, V(UID) or V(UID:GID). Default is that of the image.
        type: str
      read_only:
        description: Whether the container's file system is read-only, except for C(/tmp).
        type: bool
        default: false
  redis:
    description:
      - The Redis of the deployments. With it and O(postgres), O(deployments[].credentials) are computed on the control node.
    type: dict
    suboptions:
      databases:
        description: The RV(selfhost.langgraph.redis_database#module:databases) of M(selfhost.langgraph.redis_database).
        type: dict
        required: true
      host:
        description: Host at which containers reach it.
        type: str
        required: true
      port:
        description: Its port.
        type: int
        default: 6379
      tls:
        description: Whether containers connect with TLS.
        type: bool
        default: false
      admin_uri:
        description: URI with the only login of a Redis without users.
        type: str
  postgres:
    description: The Postgres of the deployments. Required together with O(redis).
    type: dict
    suboptions:
      databases:
        description: The RV(selfhost.langgraph.postgres_database#module:databases) of M(selfhost.langgraph.postgres_database).
        type: dict
        required: true
      host:
        description: Host at which containers reach it.
        type: str
        required: true
      port:
        description: Its port.
        type: int
        default: 5432
      sslmode:
        description: The C(sslmode) of its clients.
        type: str
        default: prefer
  network:
    description: The engine's network for the containers.
    type: str
    default: langgraph
  only_credentials:
    description:
      - Whether only O(deployments[].credentials) is changed. The serving revision keeps its image, its environment and its
        settings, whatever else O(deployments) asks for.
      - A deployment without a serving revision is refused, and so is one whose files were changed by hand.
    type: bool
    default: false
  hold_rollbacks:
    description:
      - Whether a deployment that M(selfhost.langgraph.deployment_rollback) has rolled back keeps the image, environment and resources
        that serve, whatever O(deployments) asks for. Its address, its limits and its credentials still follow O(deployments).
      - With V(false) it is rolled forward, with a warning.
    type: bool
    default: false
  remove_dumps:
    description:
      - Whether to remove the dumps of its database with a deployment that has O(deployments[].state=absent). These are the dumps
        that were taken before its revisions started. Use it when the database is removed too.
    type: bool
    default: false
  image_ids:
    description:
      - The image that each name in O(deployments[].image) stands for, as an id or as C(NAME@DIGEST). The fact C(image_ids) of
        the role P(selfhost.langgraph.image#role) contains the images that were pinned for all hosts.
      - A name that is missing here is looked up in the engine, and runs the image that has this name on the host.
      - Check mode treats the images as present, because an earlier task of the play provides them.
    type: dict
    default: {}
  proxy:
    description:
      - With V(haproxy), the host's proxy answers on the port of a deployment, and a new revision interrupts nothing.
      - With V(none), the container itself is published there. A new revision, port or address then stops the old container
        first, and clients are refused until the new one answers.
      - Changing it interrupts every deployment once.
    type: str
    choices: [haproxy, none]
    default: haproxy
  healthy_deadline:
    description: Seconds that a revision may take from its start until it is healthy.
    type: int
    default: 300
  drain_limit:
    description:
      - Seconds for which a revision that no longer serves may keep its open sessions, mainly streams. After that it is stopped,
        and the remaining sessions are cut.
    type: int
    default: 900
seealso:
  - module: selfhost.langgraph.deployment_rollback
  - module: selfhost.langgraph.health
  - module: selfhost.langgraph.deployment_info
"""

EXAMPLES = r"""
- name: Run two deployments
  selfhost.langgraph.deployment_rollout:
    deployments:
      - name: support-bot
        image: support-bot:1.4.2
        port: 8123
        environment:
          LANGSMITH_API_KEY: "{{ vault_langsmith_api_key }}"
          LOG_LEVEL: INFO
        credentials:
          DATABASE_URI: "{{ vault_support_bot_database_uri }}"
          REDIS_URI: "{{ vault_support_bot_redis_uri }}"
      - name: research-agent
        image: research-agent:0.3.0
        port: 8124
        environment: "{{ research_agent_environment }}"
        credentials: "{{ research_agent_credentials }}"
        memory: 2g

- name: Stop a deployment, and keep its revisions and its databases
  selfhost.langgraph.deployment_rollout:
    deployments:
      - name: support-bot
        state: stopped
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
        - V(create) is a first revision, V(roll) a new revision next to the old one, V(route) a new public address without a
          new container. V(restart) interrupts the deployment, V(start) starts one that was down, V(wait) waits for one that was
          already starting. V(keep) leaves the container alone, V(remove) removes the deployment.
      type: str
    reasons:
      description: What differed. Variables are listed by name, never with a value.
      type: list
      elements: str
    changed:
      description: Whether anything in the deployment changes.
      type: bool
    interrupts:
      description: Whether clients are refused for a while.
      type: bool
    revision:
      description: The revision that serves afterwards.
      type: int
    image_id:
      description: Id of the image that it runs. In check mode, the digest if the image still has to be pulled.
      type: str
    image_digest:
      description: Digest of the image in its registry; null if it did not come from a registry.
      type: str
    image_change:
      description: The short ids of the image before and after; null if it does not change.
      type: str
    runs:
      description:
        - Runs in flight by status, C(before) the new revision started and C(after) the switch, as the server's API reports
          them; null if it does not. With O(wait_for_drain=true), also C(drained), the status of the runs that were in flight when
          the old revision was stopped, and how many of them started again.
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
  description: What has to be corrected, one entry per problem.
  returned: failure, if the request was refused before anything was changed
  type: list
  elements: dict
  contains:
    deployment:
      description: Name of the deployment.
      type: str
    option:
      description: Option that is wrong.
      type: str
    finding:
      description: What is wrong with it.
      type: str
    remedy:
      description: What to do.
      type: str
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
      description: The log line that shows the cause, else the last one.
      type: str
    log:
      description: Last log lines of the container, with the values of its environment masked.
      type: list
      elements: str
"""

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.ansible_module import UnloggedModule, require
from ansible_collections.selfhost.langgraph.plugins.module_utils._host.docker_engine import DOCKER_IMPORT_ERROR
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.module import (
    ROLLOUT_ARGUMENTS,
    converge,
    run_module,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._server.schema import PSYCOPG_IMPORT_ERROR

REDIS = {
    "databases": {"type": "dict", "required": True},
    "host": {"type": "str", "required": True},
    "port": {"type": "int", "default": 6379},
    "tls": {"type": "bool", "default": False},
    "admin_uri": {"type": "str", "no_log": True},
}
POSTGRES = {
    "databases": {"type": "dict", "required": True},
    "host": {"type": "str", "required": True},
    "port": {"type": "int", "default": 5432},
    "sslmode": {"type": "str", "default": "prefer"},
}


def main() -> None:
    """Read the options and hand over."""
    deployment = {
        "name": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["present", "stopped", "absent"], "default": "present"},
        "image": {"type": "str"},
        "port": {"type": "int"},
        "bind_address": {"type": "str", "default": "127.0.0.1"},
        "hostname": {"type": "str"},
        "prefix": {"type": "str"},
        "tls": {"type": "bool", "default": False},
        "may_reach": {"type": "list", "elements": "str", "default": []},
        "environment": {"type": "json", "no_log": True},
        "credentials": {"type": "json", "no_log": True},
        "redis_password": {"type": "str", "no_log": True},
        "postgres_password": {"type": "str", "no_log": True},
        "drain_seconds": {"type": "int", "default": 180},
        "memory": {"type": "str"},
        "cpus": {"type": "float"},
        "user": {"type": "str"},
        "read_only": {"type": "bool", "default": False},
    }
    module = UnloggedModule(
        argument_spec={
            "deployments": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": deployment,
                "required_if": [("state", "present", ("image", "port"))],
            },
            # The action plugin computes the credentials with both; they do not reach the host.
            "redis": {"type": "dict", "options": REDIS},
            "postgres": {"type": "dict", "options": POSTGRES},
            "network": {"type": "str", "default": "langgraph"},
            "only_credentials": {"type": "bool", "default": False},
            "hold_rollbacks": {"type": "bool", "default": False},
            "remove_dumps": {"type": "bool", "default": False},
            "image_ids": {"type": "dict", "default": {}},
            "proxy": {"type": "str", "choices": ["haproxy", "none"], "default": "haproxy"},
            "healthy_deadline": {"type": "int", "default": 300},
            "drain_limit": {"type": "int", "default": 900},
            **ROLLOUT_ARGUMENTS,
        },
        required_together=[("redis", "postgres")],
        supports_check_mode=True,
    )
    require(module, ("docker", DOCKER_IMPORT_ERROR), wished=[("psycopg", PSYCOPG_IMPORT_ERROR)])
    run_module(module, converge)


if __name__ == "__main__":
    main()
