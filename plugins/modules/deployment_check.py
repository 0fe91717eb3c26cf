#!/usr/bin/python
# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: deployment_check
short_description: Check a list of LangGraph deployments before anything changes
version_added: 0.1.0
author:
  - The selfhost.langgraph authors (@selfhost-langgraph)
description:
  - Checks the whole list of a host's deployments. Each is checked by itself, against the others, and against the host's ports,
    images and existing deployments.
  - Fails with one line per mistake. The line names the deployment, the option and the remedy, and never contains a secret.
  - Returns the deployments completed with every default and with the passwords that are derived from O(secret_key).
  - Changes nothing on the control node or on the host.
extends_documentation_fragment:
  - selfhost.langgraph._deployment
  - selfhost.langgraph._attributes
  - selfhost.langgraph._attributes.action
  - selfhost.langgraph._attributes.info_module
attributes:
  action:
    support: full
  platform:
    platforms: linux
    support: full
options:
  secret_key:
    description:
      - The secret from which every password is derived that no option sets, at least 32 characters.
      - The same key yields the same passwords on every control node, so no password has to be stored. A new key changes the
        passwords of all deployments and restarts them.
    type: str
    required: true
  previous_secret_key:
    description:
      - The previous O(secret_key) after a change, at least 32 characters. It proves that claims made with it are ours.
      - Empty if there was none, or if every claim has been adopted.
    type: str
    default: ""
  environment:
    description:
      - Name of the environment, such as V(staging). It distinguishes inventories with the same O(secret_key), and is part of
        RV(owner).
    type: str
    default: ""
  only:
    description:
      - Names of the deployments to return. All of O(deployments) are checked, because the needs of one depend on the others.
        Unknown names are ignored, because another host may have these deployments. Empty means all.
    type: list
    elements: str
    default: []
  only_deployed:
    description: Whether to return only present deployments that already serve on the host.
    type: bool
    default: false
  bind_address:
    description: Address of the host on which servers answer, unless O(deployments[].bind_address) sets another one.
    type: str
    default: 127.0.0.1
  config_dir:
    description: Directory on the host with one directory per deployment.
    type: path
    default: /etc/langgraph
  files:
    description: Files on the host to hash in the same call, so that up-to-date files need not be copied.
    type: list
    elements: path
    default: []
  sources:
    description: Files on the host, each with its source on the control node, to be compared in the same call.
    type: dict
    default: {}
  image_builds:
    description:
      - Application directories on the control node from which images are built, each a mapping with the suboptions of
        O(selfhost.langgraph.image_build#module:builds), and two of its own. With C(merge_env=true), the C(env) of its
        C(langgraph.json), which is not part of an image, is passed to the deployments that run it. C(push) sets whether the image
        is pushed to its registry; by default it is pushed if its name has a registry.
      - Their images count as being on the host. Nothing is built here; each C(langgraph.json) is read and must be JSON.
      - The module warns about a base image that is not pinned, and about an C(env) that is not merged.
    type: raw
    default: []
  image_archives:
    description:
      - Files on the control node that C(docker save) wrote. Their images count as being on the host, because they will
        be loaded. A relative path is searched next to the inventory, in the current directory and in Ansible's search path.
    type: list
    elements: path
    default: []
  image_pull:
    description:
      - With V(always) or V(missing), images that come from no directory and no archive are pulled later.
      - With V(never), they are refused if the host does not have them.
    type: str
    choices: [always, missing, never]
    default: always
  max_connections:
    description: The C(max_connections) of a Postgres that the collection does not size. The pools must fit in it.
    type: int
  redis_databases:
    description: How many databases Redis has, including the reserved database 0. The deployments must fit in it.
    type: int
  data_proxy:
    description:
      - The result of P(selfhost.langgraph.data_proxy_plan#filter) for the host. The module refuses inventory mistakes that the
        filter found, and ports on which another program listens.
    type: dict
    default: {}
  limit:
    description:
      - Names of the hosts in this run, if the user limited it. A host whose Redis or Postgres is on a host that is not in it is
        refused if that host closes its connections.
    type: list
    elements: str
    default: []
  proxy:
    description:
      - What answers on the deployments' ports, V(haproxy) or V(none). Host names, TLS and deployments that share a port need
        the proxy.
    type: str
    choices: [haproxy, none]
    default: haproxy
  max_running_revisions:
    description: How many revisions of a deployment may run at the same time; each has its own pool.
    type: int
    default: 3
  max_extra_revisions:
    description: How many revisions of all deployments of the host may run in addition to the serving ones, at least 1.
    type: int
    default: 8
seealso:
  - module: selfhost.langgraph.deployment_rollout
  - module: selfhost.langgraph.redis_database
  - module: selfhost.langgraph.postgres_database
"""

EXAMPLES = r"""
- name: Check two deployments
  selfhost.langgraph.deployment_check:
    deployments:
      - name: support-bot
        image: support-bot:1.4.2
        port: 8123
        langsmith_api_key: "{{ vault_langsmith_api_key }}"
      - name: research-agent
        image: research-agent:0.3.0
        port: 8124
        env_file: research-agent.env
        extensions: [vector]
        bg_job_isolated_loops: true
        env:
          OPENAI_API_KEY: "{{ vault_openai_api_key }}"
    secret_key: "{{ vault_langgraph_secret_key }}"
  register: checked
"""

RETURN = r"""
deployments:
  description:
    - The deployments, complete, in the list's order. Hidden from every output, because it holds secrets.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the deployment.
      type: str
    state:
      description: V(present) or V(absent).
      type: str
    image:
      description: Its image.
      type: str
    build:
      description: Directory on the control node from which the image is built; null if it is not built from one of its own.
      type: str
    database:
      description: Its Postgres database, and the role that owns it.
      type: str
    redis:
      description: An entry of O(selfhost.langgraph.redis_database#module:databases).
      type: dict
    postgres:
      description: An entry of O(selfhost.langgraph.postgres_database#module:databases).
      type: dict
    rollout:
      description: An entry of O(selfhost.langgraph.deployment_rollout#module:deployments).
      type: dict
    health:
      description: An entry of O(selfhost.langgraph.health#module:deployments); null if the deployment is absent.
      type: dict
images:
  description:
    - The images that the deployments run, each once, with the names of its C(deployments) and the directory of its C(build).
      C(pull) is false if the image serves on the host and was built or copied rather than pulled. Hidden from every output.
    - The role P(selfhost.langgraph.image#role) takes it as O(selfhost.langgraph.image#role:main:image_needs).
  returned: success
  type: list
  elements: dict
listed_images:
  description:
    - The images that the lists of all hosts have, of deployments that this run leaves out too. Hidden from every output.
    - The role P(selfhost.langgraph.image#role) takes it as O(selfhost.langgraph.image#role:main:image_listed).
  returned: success
  type: list
  elements: str
carried:
  description:
    - The credentials in the host's containers, as M(selfhost.langgraph.deployment_info) returns them. Hidden from every output.
    - The filter P(selfhost.langgraph.claims#filter) takes it.
  returned: success
  type: dict
files:
  description: SHA-256 of each of O(files) and O(sources); null if it is missing, or if its owner is not root or its mode is not
    0644. Hidden from every output.
  returned: success
  type: dict
stale_files:
  description: Those of O(sources) that are missing on the host or differ from their source. Hidden from every output.
  returned: success
  type: list
  elements: str
missing_libraries:
  description: Python libraries that have to be installed on the host. Hidden from every output.
  returned: success
  type: list
  elements: str
longest_drain:
  description: The longest time in seconds that a deployment of the host may drain, listed or not. Hidden from every output.
  returned: success
  type: int
owner:
  description:
    - Fingerprint of O(secret_key) and O(environment), which identifies the owner of the deployments' claims. It is not a secret.
      Hidden from every output.
  returned: success
  type: str
  sample: J0pZrX2m3b9Yw1VtQeKfLg
previous_owners:
  description: The same for O(previous_secret_key), if it is set. Hidden from every output.
  returned: success
  type: list
  elements: str
problems:
  description: What has to be corrected.
  returned: failure
  type: list
  elements: dict
  contains:
    deployment:
      description: Name of the deployment, or its position in the list if it has none.
      type: str
    option:
      description: Option that is wrong; C(env.NAME) for a variable.
      type: str
    finding:
      description: What is wrong with it.
      type: str
    remedy:
      description: What to do.
      type: str
  sample:
    - deployment: support-bot
      finding: "'support' does not begin with a slash"
      option: mount_prefix
      remedy: write /support
"""
