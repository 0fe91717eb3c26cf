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
  - Checks the whole list of a host's deployments, each by itself, all with one another, and against what the host
    reports of its ports, its images and the deployments that it has.
  - Fails with one line for each mistake, which names the deployment, the option and the remedy, and never a secret.
  - Gives the deployments completed with every default, and with the passwords that are derived from O(secret_key).
  - Changes nothing, on the control node or on the host.
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
      - The secret from which every password is derived that no option gives, at least 32 characters.
      - The same key gives the same passwords on every control node, so that none has to be stored. Another key changes
        the passwords of all deployments and restarts them.
    type: str
    required: true
  previous_secret_key:
    description:
      - The O(secret_key) of before a change, at least 32 characters. It proves that claims which were made with it are ours.
      - Empty where there was none, or where every claim has been adopted.
    type: str
    default: ""
  environment:
    description:
      - Name of the environment, such as V(staging). It sets inventories apart that have the same O(secret_key), and is
        part of RV(owner).
    type: str
    default: ""
  only:
    description:
      - Names of the deployments to return. All of O(deployments) are checked, as what one needs depends on the others. Names
        that are not among them are ignored, as another host may have these. Empty stands for all.
    type: list
    elements: str
    default: []
  only_deployed:
    description: Whether to return those alone that serve on the host already, and are to be there.
    type: bool
    default: false
  bind_address:
    description: Address of the host on which servers answer where O(deployments[].bind_address) says nothing else.
    type: str
    default: 127.0.0.1
  config_dir:
    description: Folder of the host that holds a folder for each deployment.
    type: path
    default: /etc/langgraph
  files:
    description: Files of the host to hash on the same way, so that what is up to date there need not be shipped.
    type: list
    elements: path
    default: []
  image_builds:
    description:
      - Application folders on the control node that images are built from, each a mapping with the suboptions of
        O(selfhost.langgraph.image_build#module:builds), and two of its own. With C(merge_env=true), the C(env) of its
        C(langgraph.json), which is no part of an image, is given to the deployments that run it. C(push) says whether it is
        pushed to its registry, by default where its name has one.
      - Their images count as being on the host. Nothing is built here; each C(langgraph.json) is read and must be JSON.
      - A base image that floats, and an C(env) that is not merged, are warned about.
    type: raw
    default: []
  image_archives:
    description:
      - Files on the control node that C(docker save) wrote. Their images count as being on the host, because they will
        be loaded. A relative path is looked for beside the inventory, in the current folder and where tasks look.
    type: list
    elements: path
    default: []
  image_pull:
    description:
      - With V(always) or V(missing), images that no folder and no archive gives are pulled later.
      - With V(never), they are refused where the host does not have them.
    type: str
    choices: [always, missing, never]
    default: always
  max_connections:
    description: The C(max_connections) of a Postgres that the collection does not size. The pools must fit in it.
    type: int
  redis_databases:
    description: How many numbers Redis has, the reserved 0 included. The deployments must fit in it.
    type: int
  data_proxy:
    description:
      - What P(selfhost.langgraph.data_proxy_plan#filter) gives for the host. Mistakes of the inventory that it found are refused, and
        ports on which another program listens.
    type: dict
    default: {}
  proxy:
    description:
      - What answers on the deployments' ports, V(haproxy) or V(none). Host names, TLS and deployments that share a port need
        the proxy.
    type: str
    choices: [haproxy, none]
    default: haproxy
  max_running_revisions:
    description: How many revisions of a deployment may run at the same time; each has a pool of its own.
    type: int
    default: 3
  max_extra_revisions:
    description: How many revisions of all deployments of the host may run beside those that serve, 1 at least.
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
    - The filters of the collection turn it into what the other modules take.
  returned: success
  type: list
  elements: dict
images:
  description:
    - What images the deployments need, where each comes from and what the host has under its name. Hidden from every output.
    - The filters P(selfhost.langgraph.images_to_resolve#filter) and P(selfhost.langgraph.image_plan#filter) take it.
  returned: success
  type: list
  elements: dict
engine:
  description: What the host's engine has, and what matters of it for images. Hidden from every output.
  returned: success
  type: dict
builds:
  description:
    - Those of O(image_builds) that a deployment of the host needs, as M(selfhost.langgraph.image_build) takes them. Hidden
      from every output.
  returned: success
  type: list
  elements: dict
pushes:
  description:
    - Images of RV(builds) that go to a registry, as M(selfhost.langgraph.registry_image_info) takes them. Hidden from every
      output.
  returned: success
  type: list
  elements: dict
carried:
  description:
    - What the containers of the host carry, as M(selfhost.langgraph.deployment_info) returns it. Hidden from every output.
    - The filter P(selfhost.langgraph.credentials_in_use#filter) takes it.
  returned: success
  type: dict
files:
  description: SHA-256 of each of O(files); null where it is missing, or not root's with mode 0644. Hidden from every output.
  returned: success
  type: dict
missing_libraries:
  description: Python libraries that have to be installed on the host. Hidden from every output.
  returned: success
  type: list
  elements: str
longest_drain:
  description: Seconds that the slowest deployment of the host may drain, in the list or not. Hidden from every output.
  returned: success
  type: int
owner:
  description:
    - Fingerprint of O(secret_key) and O(environment), under which the deployments own what they claim. It is no secret.
      Hidden from every output.
  returned: success
  type: str
  sample: J0pZrX2m3b9Yw1VtQeKfLg
previous_owners:
  description: The same for O(previous_secret_key), where there is one. Hidden from every output.
  returned: success
  type: list
  elements: str
problems:
  description: What has to be put right.
  returned: failure
  type: list
  elements: dict
  contains:
    deployment:
      description: Name of the deployment, or its place in the list where it has none.
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
