#!/usr/bin/python
# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_database_info
short_description: List the claims of a Redis server, their size, and orphans
version_added: 0.1.0
author:
  - The selfhost.langgraph authors (@selfhost-langgraph)
description:
  - Lists every deployment that has a database on this server, with its keys and clients, and orphans.
  - The number of round trips does not depend on the number of claims.
extends_documentation_fragment:
  - selfhost.langgraph._redis
  - selfhost.langgraph._attributes
  - selfhost.langgraph._attributes.info_module
attributes:
  platform:
    platforms: all
    support: full
options:
  known_claims:
    description:
      - The claims that Postgres records, usually RV(selfhost.langgraph.postgres_database_info#module:claims). With it, claims
        that are in only one of the two records are found too.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the deployment.
        type: str
        required: true
      redis_db:
        description: Its Redis database number; null if it has none.
        type: int
      database:
        description: Not used; accepted so that the list can be passed on unchanged.
        type: str
      role:
        description: Not used; accepted so that the list can be passed on unchanged.
        type: str
      redis_server:
        description:
          - UUID of the Redis server that has the database. Claims of other servers are ignored.
          - Null counts as this server.
        type: str
      redis_address:
        description: Address of that server.
        type: str
      owner:
        description: Fingerprint of the inventory that made the claim.
        type: str
  address:
    description:
      - How the deployments reach this server, as in M(selfhost.langgraph.redis_database). An empty server without a UUID, at
        an address in O(known_claims), has lost its data.
    type: str
seealso:
  - module: selfhost.langgraph.redis_database
  - module: selfhost.langgraph.postgres_database_info
"""

EXAMPLES = r"""
- name: List the claims in Redis
  selfhost.langgraph.redis_database_info:
    login_unix_socket: /run/langgraph-redis/redis.sock
    login_user: langgraph-admin
    login_password_file: /etc/langgraph-redis/admin.password
    known_claims: "{{ postgres.claims }}"
  register: redis
"""

RETURN = r"""
claims:
  description: The deployments, sorted by name.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the deployment.
      type: str
    redis_db:
      description: Its Redis database number.
      type: int
    key_count:
      description: How many keys are in its database.
      type: int
    clients:
      description: How many clients are connected as its user or to its database; null if the server does not report it.
      type: int
    user:
      description: Whether its Redis user exists; null if the server does not report it.
      type: bool
    owner:
      description: Fingerprint of the inventory that made the claim; null if an earlier version made it.
      type: str
  sample:
    - {name: support-bot, redis_db: 1, key_count: 12, clients: 4, user: true, owner: null}
orphans:
  description:
    - Databases without a claim, and claims without a database. The kind is V(keys_without_claim), and with O(known_claims) also
      V(claim_without_database), V(database_without_claim), if Redis has lost the record, and V(disagreement).
  returned: success
  type: list
  elements: dict
  sample:
    - {kind: keys_without_claim, name: null, redis_db: 7, key_count: 3}
number_limit:
  description: How many databases the server has, including the reserved 0.
  returned: success
  type: int
  sample: 256
server:
  description: UUID of the server, stored in its database 0; null if it has none yet.
  returned: success
  type: str
  sample: 5b3e1f9c-0f3e-4b7e-9d53-0a3f0b7e9f11
server_version:
  description: Version that the server reports.
  returned: success
  type: str
  sample: 8.0.2
"""

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.connection import (
    KNOWN_CLAIM,
    REDIS_ARGS,
    REDIS_EXCLUSIVE,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.info import inspect
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.module import run_module
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.ansible_module import UnloggedModule


def main() -> None:
    """Run the module."""
    module = UnloggedModule(
        argument_spec={
            **REDIS_ARGS,
            "known_claims": {"type": "list", "elements": "dict", "options": KNOWN_CLAIM},
            "address": {"type": "str"},
        },
        mutually_exclusive=REDIS_EXCLUSIVE,
        supports_check_mode=True,
    )
    run_module(module, inspect)


if __name__ == "__main__":
    main()
