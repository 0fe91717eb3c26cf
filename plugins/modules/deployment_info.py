#!/usr/bin/python
# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: deployment_info
short_description: List the LangGraph deployments, images and taken ports of a host
version_added: 0.1.0
author:
  - The selfhost.langgraph authors (@selfhost-langgraph)
description:
  - Lists the deployments that M(selfhost.langgraph.deployment_rollout) runs on a host, with their revisions, the serving
    revision and its start time, and drains in progress. Also lists the images on the host, and its taken ports with the
    programs that use them.
  - Works on a host without a Docker engine; the list of images is empty then.
extends_documentation_fragment:
  - selfhost.langgraph._attributes
  - selfhost.langgraph._attributes.info_module
attributes:
  platform:
    platforms: linux
    support: full
options:
  config_dir:
    description: Directory on the host with one directory per deployment.
    type: path
    default: /etc/langgraph
  files:
    description: Files on the host to hash, so that up-to-date files need not be shipped.
    type: list
    elements: path
    default: []
  credentials:
    description:
      - Whether to report the logins of the containers and fingerprints of their keys, RV(carried) and RV(aes_keys). A key that a
        person chose might be guessed from its fingerprint; so hide the result with C(no_log).
    type: bool
    default: false
  data_servers:
    description: Redis and Postgres servers of other hosts to connect to, for RV(refused_by).
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Which of the two it is.
        type: str
        required: true
        choices: [postgres, redis]
      address:
        description: Its IP address.
        type: str
        required: true
      port:
        description: Its TCP port.
        type: int
        required: true
"""

EXAMPLES = r"""
- name: List the deployments on this host
  selfhost.langgraph.deployment_info:
  register: host
"""

RETURN = r"""
deployments:
  description: The deployments of the host, by name.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Name of the deployment.
      type: str
    image:
      description: Image of the serving revision, as the user wrote it.
      type: str
    image_id:
      description: Id of that image.
      type: str
    proxy:
      description: What answers on its port, V(haproxy) or V(none) (the container itself).
      type: str
    port:
      description: Port of the host.
      type: int
    bind_address:
      description: Address of the host.
      type: str
    hostname:
      description: Host name by which the proxy distinguishes it, if any.
      type: str
    prefix:
      description: Path by which the proxy distinguishes it, if any.
      type: str
    tls:
      description: Whether the proxy uses TLS.
      type: bool
    serving:
      description: Number of the revision that serves; null if the deployment is stopped.
      type: int
    last:
      description: Number of the revision that serves, or served until the deployment was stopped.
      type: int
    since:
      description: When it began to serve.
      type: str
    rolled_back:
      description: From which revision, by whom and when it was rolled back to the one that serves; null if it was not.
      type: dict
    stopped:
      description: By whom and when it was stopped; null if it is not.
      type: dict
    drain_seconds:
      description: The longest time in seconds that one of its revisions may take to end its runs when it is stopped.
      type: int
    active:
      description: systemd's ActiveState of the serving revision's unit.
      type: str
    enabled:
      description: Whether that unit starts at boot.
      type: bool
    health:
      description: An entry of O(selfhost.langgraph.health#module:deployments); null if no revision serves.
      type: dict
    revisions:
      description: Its revisions, the newest first.
      type: list
      elements: dict
      contains:
        number:
          description: Its number.
          type: int
        state:
          description:
            - V(serving), V(draining), V(starting), V(failed) (it never became healthy), V(stopped) (it has served), or
              V(running) and V(new), which an interrupted run leaves and the next run continues with.
          type: str
        active:
          description: systemd's ActiveState of its unit.
          type: str
        image:
          description: Its image as the user wrote it.
          type: str
        image_id:
          description: Id of its image.
          type: str
        image_digest:
          description: Digest of the image in its registry; null if it did not come from a registry.
          type: str
        created:
          description: When it was created.
          type: str
        created_by:
          description: Who asked for it.
          type: str
        reasons:
          description: How it differs from the previous revision. Variables are listed by name, never with a value.
          type: list
          elements: str
        schema_before:
          description: Version of the database's schema before it first started.
          type: str
        result:
          description: V(served) or V(failed); null while it starts for the first time.
          type: str
        at:
          description: When the result was recorded.
          type: str
        schema:
          description: Version of the database's schema when it last began to serve.
          type: str
        cause:
          description: Likely cause of the failure.
          type: str
        line:
          description: The log line that shows the cause.
          type: str
        address:
          description: Address at which its container answers while it runs. On the deployments' network, each has its own.
          type: str
        port:
          description: Port at which its container answers there.
          type: int
        sessions:
          description: Connections to it that the proxy holds.
          type: int
        drain:
          description: When its drain began and ended, how many sessions were cut, and the status of the runs in flight.
          type: dict
        snapshot:
          description: The dump of the database that was taken before it started; null if there is none.
          type: str
images:
  description: References of the images on the host, with their ids.
  returned: always
  type: dict
architecture:
  description: Architecture of the host, as images name it.
  returned: always
  type: str
  sample: amd64
files:
  description: SHA-256 of each of O(files); null if it is missing, or if its owner is not root or its mode is not 0644.
  returned: always
  type: dict
missing_libraries:
  description: Python libraries that the modules need and that the host does not have.
  returned: always
  type: list
  elements: str
carried:
  description: The logins of the host's containers.
  returned: O(credentials=true)
  type: dict
  contains:
    deployments:
      description:
        - By deployment, each revision that runs, drains, serves or starts by itself, with its Postgres roles (C(logins)),
          its Redis users (C(users)), and the pool size that its environment sets (C(pool)); null if it sets none. The roles and
          users are those of its container and those that a restart would use.
      type: dict
aes_keys:
  description: Fingerprint of the AES key with which each deployment serves, or served until it was stopped; null if it has none.
  returned: O(credentials=true)
  type: dict
refused_by:
  description: Names of those O(data_servers) that close each connection of this host without an answer.
  returned: always
  type: list
  elements: str
listening:
  description: TCP ports in use, each with the name of the program that listens there, or of the container that publishes it.
  returned: always
  type: dict
  sample: {"22": sshd}
sockets:
  description: The same as a list, each with its C(address), C(port), C(program) and C(user).
  returned: always
  type: list
  elements: dict
  sample: [{"address": 0.0.0.0, "port": 22, "program": sshd, "user": root}]
"""

import typing as t
from dataclasses import replace

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.selfhost.langgraph.plugins.module_utils._common import credentials as _credentials
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.ansible_module import require
from ansible_collections.selfhost.langgraph.plugins.module_utils._host import data_servers, docker_engine, tcp_ports
from ansible_collections.selfhost.langgraph.plugins.module_utils._host.files import fingerprint
from ansible_collections.selfhost.langgraph.plugins.module_utils._images.on_host import read_engine
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions import status, store
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.carried_credentials import carried
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.model import Deployment
from ansible_collections.selfhost.langgraph.plugins.module_utils._server import schema as _schema


def read(config_dir: str) -> dict[str, Deployment]:
    """Read the deployments of the host."""
    return store.read(config_dir, store.deployment_names(config_dir))


def aes_keys(found: t.Mapping[str, Deployment]) -> dict[str, str | None]:
    """Return the fingerprint of the AES key with which each deployment serves, or served until it was stopped."""
    return {
        name: _credentials.aes_fingerprint((revision.environment or {}).get("LANGGRAPH_AES_KEY"))
        for name, revision in ((name, deployment.last) for name, deployment in found.items())
        if revision is not None
    }


def deployments(config_dir: str, found: t.Mapping[str, Deployment]) -> list[dict[str, t.Any]]:
    """Describe the host's deployments, sorted by name."""
    described, sessions = [], tcp_ports.session_counter()
    for name, deployment in found.items():
        numbers = [revision.number for revision in deployment.revisions]
        drains = store.read_drains(config_dir, name, numbers)
        if deployment.settings is not None or deployment.revisions:
            described.append(status.describe(_with_dumps_that_are_there(deployment), drains, sessions))
    return described


def _with_dumps_that_are_there(deployment: Deployment) -> Deployment:
    """Leave out dumps that do not exist: a dump is recorded before it is taken, and may have been removed by hand."""
    revisions = tuple(
        revision if revision.snapshot and store.exists(revision.snapshot) else replace(revision, snapshot=None)
        for revision in deployment.revisions
    )
    return replace(deployment, revisions=revisions)


def missing_libraries() -> list[str]:
    """List the libraries that an earlier task has to install; the engine's library comes with the engine."""
    return ["psycopg"] if _schema.PSYCOPG_IMPORT_ERROR is not None else []


_SERVER = {
    "name": {"type": "str", "required": True, "choices": ["postgres", "redis"]},
    "address": {"type": "str", "required": True},
    "port": {"type": "int", "required": True},
}


def main() -> None:
    """Read the host and report it."""
    module = AnsibleModule(
        argument_spec={
            "config_dir": {"type": "path", "default": "/etc/langgraph"},
            "files": {"type": "list", "elements": "path", "default": []},
            "credentials": {"type": "bool", "default": False},
            "data_servers": {"type": "list", "elements": "dict", "default": [], "options": _SERVER},
        },
        supports_check_mode=True,
    )
    require(module, wished=[("docker", docker_engine.DOCKER_IMPORT_ERROR), ("psycopg", _schema.PSYCOPG_IMPORT_ERROR)])
    engine = read_engine()
    try:
        found = read(module.params["config_dir"])
    except PermissionError as error:
        module.fail_json(
            msg=f"only root may read {error.filename}; connect as root, or set ansible_become: true for the host"
        )
    sockets = [*engine["published"], *tcp_ports.sockets()]
    secret = {"carried": carried(found), "aes_keys": aes_keys(found)} if module.params["credentials"] else {}
    module.exit_json(
        **secret,
        deployments=deployments(module.params["config_dir"], found),
        missing_libraries=missing_libraries(),
        images=engine["images"],
        architecture=engine["architecture"],
        files={path: fingerprint(path) for path in module.params["files"]},
        listening={str(item["port"]): item["program"] for item in sockets},
        sockets=sockets,
        refused_by=data_servers.refused(module.params["data_servers"]),
    )


if __name__ == "__main__":
    main()
