#!/usr/bin/python
# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: postgres_database_info
short_description: List the claims that a Postgres server records
version_added: 0.1.0
author:
  - The selfhost.langgraph authors (@selfhost-langgraph)
description:
  - Lists the deployments that have a database on this server, with the Redis database numbers that are recorded for them. Pass
    RV(claims) to O(selfhost.langgraph.redis_database#module:known_claims), so that no claim is lost with Redis.
extends_documentation_fragment:
  - selfhost.langgraph._postgres
  - selfhost.langgraph._attributes
  - selfhost.langgraph._attributes.info_module
attributes:
  platform:
    platforms: posix
    support: full
options:
  sizes:
    description:
      - Whether to return the size, rows and clients of each database, and orphans. This takes a connection to each database,
        because rows can only be counted from inside.
    type: bool
    default: false
  names:
    description:
      - Deployments of which the owner is checked. RV(foreign) has a line for each that belongs to another inventory.
    type: list
    elements: str
    default: []
  owner:
    description: Fingerprint of the inventory that asks, as of O(selfhost.langgraph.postgres_database#module:owner).
    type: str
  previous_owners:
    description: Fingerprints of the same inventory with its previous secret keys.
    type: list
    elements: str
    default: []
  take_over:
    description: Whether the claims of other inventories are accepted.
    type: bool
    default: false
  fail_if_unavailable:
    description:
      - If V(false), a server that cannot be reached, or a missing client library, is reported in RV(unavailable), and there are no
        other results.
    type: bool
    default: true
seealso:
  - module: selfhost.langgraph.postgres_database
  - module: selfhost.langgraph.redis_database
"""

EXAMPLES = r"""
- name: List the claims in Postgres
  selfhost.langgraph.postgres_database_info:
    peer_user: langgraph-postgres
    login_unix_socket: /run/langgraph-postgres
  register: postgres
"""

RETURN = r"""
unavailable:
  description: Why the claims could not be read, with O(fail_if_unavailable=false); null if they were read.
  returned: success
  type: str
  sample: null
foreign:
  description: One line for each of O(names) that belongs to another inventory, with the remedy.
  returned: if the claims were read
  type: list
  elements: str
  sample: []
claims:
  description: The deployments, sorted by name.
  returned: if the claims were read
  type: list
  elements: dict
  contains:
    name:
      description: Name of the deployment.
      type: str
    database:
      description: Its database; null if only the role is left, or was created before a crash.
      type: str
    role:
      description: Its role; null if only the database exists, as after a restore from a dump.
      type: str
    redis_db:
      description: Its Redis database number; null if none is recorded.
      type: int
    redis_server:
      description: UUID of the Redis server that has the database; null if none is recorded.
      type: str
    redis_address:
      description: Address at which deployments reached that Redis server; null if none is recorded.
      type: str
    owner:
      description: Fingerprint of the inventory that it belongs to; null if an earlier version made it.
      type: str
    bytes:
      description: Size of its database, with O(sizes=true).
      type: int
    rows:
      description: Rows in its tables, as estimated by the server, with O(sizes=true); null if it accepts no connections.
      type: int
    clients:
      description: How many clients are connected to its database or as its role, with O(sizes=true).
      type: int
  sample:
    - name: support-bot
      database: support_bot
      role: support_bot
      redis_db: 1
      redis_server: 5b7a4c4e-5f0e-4f0c-9f4b-2f6f9a3d6c11
      redis_address: 172.29.0.1:6379
      owner: 3q2-7wAAAAAAAAAAAAAAAA
orphans:
  description:
    - Incomplete claims, and databases without a claim. The kind is V(role_without_database), V(unfinished_database), which the
      next run finishes,
      V(database_without_role), as after a restore from a dump, or V(database_without_claim).
  returned: with O(sizes=true)
  type: list
  elements: dict
  sample:
    - {kind: database_without_claim, name: null, database: wiki}
max_connections:
  description: How many connections the server accepts.
  returned: if the claims were read
  type: int
  sample: 100
server_version:
  description: Version of the server, as in C(server_version_num).
  returned: if the claims were read
  type: int
  sample: 170006
"""


from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.connection import (
    POSTGRES_ARGS,
    POSTGRES_EXCLUSIVE,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.info import inspect
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.module import run_module
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.ansible_module import UnloggedModule


def main() -> None:
    """Run the module."""
    module = UnloggedModule(
        argument_spec={
            **POSTGRES_ARGS,
            "sizes": {"type": "bool", "default": False},
            "names": {"type": "list", "elements": "str", "default": []},
            "owner": {"type": "str"},
            "previous_owners": {"type": "list", "elements": "str", "default": []},
            "take_over": {"type": "bool", "default": False},
            "fail_if_unavailable": {"type": "bool", "default": True},
        },
        mutually_exclusive=POSTGRES_EXCLUSIVE,
        supports_check_mode=True,
    )
    run_module(module, inspect, optional=not module.params["fail_if_unavailable"])


if __name__ == "__main__":
    main()
