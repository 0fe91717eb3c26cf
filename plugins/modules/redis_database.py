#!/usr/bin/python
# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_database
short_description: Claim a Redis database number and a Redis user for each deployment
version_added: 0.1.0
author:
  - The selfhost.langgraph authors (@selfhost-langgraph)
description:
  - Assigns each deployment of a list a Redis database of its own, and a Redis user that can select this database only,
    use its own key and channel patterns only, and run no dangerous command.
  - The claims are recorded in database 0 of the server itself, which is reserved for them, in the hash
    C(selfhost.langgraph:claims). One script decides atomically about the whole list, so concurrent callers never get the
    same database. Either every name gets what it requests, or none does and nothing changes.
  - A new database number is the lowest one that is not claimed, whose database is empty, that no other user of the server may
    select, and that O(known_claims) does not contain.
  - The number of round trips is the same for one name and for a thousand.
extends_documentation_fragment:
  - selfhost.langgraph._redis
  - selfhost.langgraph._attributes
attributes:
  check_mode:
    support: full
    details:
      - The same script decides, and writes nothing.
  diff_mode:
    support: full
    details:
      - Passwords are masked.
  idempotent:
    support: full
  platform:
    platforms: all
    support: full
options:
  databases:
    description: The deployments. Deployments that are not in the list are not changed.
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
          - With V(present) the deployment has its database and its user.
          - With V(absent) nothing is deleted without O(databases[].confirm), and the module reports what would be lost. With
            it, and if no client is connected, the keys are deleted, the user is removed, and only then the database number is
            freed.
          - Keys that the deployment left in database 0 are deleted too, if they begin with its name and C(:) or no other user may
            have written them.
        type: str
        choices: [present, absent]
        default: present
      confirm:
        description: The name of the deployment again, to delete its keys with O(databases[].state=absent).
        type: str
      redis_db:
        description:
          - The database number that the deployment must have. It is refused if it belongs to another deployment, or if the
            database has keys and is not claimed.
          - If omitted, the deployment keeps its database number, and a new deployment gets the lowest free one.
        type: int
      password:
        description:
          - Password of its user. Only its SHA-256 is sent and stored. Required unless O(manage_users=false) or
            O(databases[].manage_user=false).
          - A deployment has two users, the second one with the name and C(.b). A changed password is given to the one that no
            revision uses, and RV(databases.user) is the one to log in as. The previous password stays valid until
            O(databases[].retire).
        type: str
      manage_user:
        description:
          - Whether its users are changed. V(false) is for a deployment that does not run. It then needs no password, no database is
            claimed or restored for it, and only the owner of its claim changes.
        type: bool
        default: true
      users_in_use:
        description:
          - The users that running revisions log in as, that of the newest revision first. They keep their passwords and are not
            deleted, unless one needs no password. One that is missing is created again.
          - If omitted, a user that exists counts as in use unless O(databases[].retire=true).
        type: list
        elements: str
      key_patterns:
        description:
          - Patterns of the keys that its user may use. The default is the name and C(:*).
        type: list
        elements: str
      channel_patterns:
        description:
          - Patterns of the channels that its user may use. Channels are not per database. The default is the name and C(:*).
          - A pattern that the deployment subscribes to (C(PSUBSCRIBE)) must be listed literally.
        type: list
        elements: str
      shared_channels:
        description:
          - Whether its channels may overlap with those of another deployment that has this set too, as with servers that use
            fixed channels. Each then receives the other's events, and can forge them; the module warns about it.
          - With V(false), channel patterns that overlap with those of any other user of the server are refused.
        type: bool
        default: false
      retire:
        description:
          - Whether the user that has another password than O(databases[].password) is deleted, unless it is in
            O(databases[].users_in_use). All its sessions end.
          - With V(false) it stays, so that a revision that still uses it can connect.
          - A user that existed before the claim is replaced in any case, unless O(known_claims) has the claim.
        type: bool
        default: false
      extra_commands:
        description:
          - Commands to allow beyond the usual ones, such as V(info). Commands that reach other databases, other clients or the
            server itself are refused, and so are containers of such commands (V(client)); list the subcommand that is needed,
            such as V(client|no-touch).
        type: list
        elements: str
        default: []
  known_claims:
    description:
      - The claims in the other record, usually RV(selfhost.langgraph.postgres_database_info#module:claims).
      - Database numbers in it are not assigned to other deployments. A deployment that has lost its record in Redis gets the
        database number in this list back. If the two records disagree about a deployment in O(databases), the module fails and
        changes nothing.
    type: list
    elements: dict
    default: []
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
          - UUID of the Redis server that has the database, as in RV(server). Databases of other servers are ignored.
          - Null counts as this server; earlier versions recorded no UUID.
        type: str
      redis_address:
        description:
          - Address of that server, as in O(address).
        type: str
      owner:
        description: Fingerprint of the inventory that made the claim.
        type: str
  address:
    description:
      - How the deployments reach this server, V(HOST:PORT) or the path of a socket. It is returned as RV(address), to be stored
        with the claims.
      - A server has lost its data if it has no UUID, is at an address in O(known_claims), and is empty except for what the
        deployments may have written. Its UUID and its claims are then restored.
    type: str
  owner:
    description:
      - Fingerprint of the inventory. It is recorded with each claim.
      - It consists of 1 to 64 letters, digits, C(-) and C(_).
      - A claim without an owner is adopted. A claim with another owner is refused, and nothing changes.
    type: str
  previous_owners:
    description: Fingerprints whose claims are adopted, for example after a change of the secret key.
    type: list
    elements: str
    default: []
  take_over:
    description: Whether to adopt claims of any owner, for example after the secret key was lost.
    type: bool
    default: false
  allow_shared_number:
    description:
      - Whether deployments may share database 0 if the server has no other, as in cluster mode. They are then separated by their
        key patterns only, which must not overlap, and each server needs its own C(REDIS_KEY_PREFIX).
      - Users are created on every node of the cluster.
    type: bool
    default: false
  manage_users:
    description:
      - Whether to create users. V(false) is for managed services without ACL; deployments are then not isolated in Redis.
    type: bool
    default: true
seealso:
  - module: selfhost.langgraph.postgres_database
  - module: selfhost.langgraph.postgres_database_info
"""

EXAMPLES = r"""
- name: Claim a Redis database for each of two deployments
  selfhost.langgraph.redis_database:
    login_unix_socket: /run/langgraph-redis/redis.sock
    login_user: langgraph-admin
    login_password_file: /etc/langgraph-redis/admin.password
    databases:
      - name: support-bot
        password: "{{ vault_support_bot_redis_password }}"
      - name: research-agent
        redis_db: 7
        password: "{{ vault_research_agent_redis_password }}"
        key_patterns: ["lg:*"]
        channel_patterns: ["lg:run-fanout:*", "lg:thread-fanout:*"]
    known_claims: "{{ postgres.claims }}"
"""

RETURN = r"""
databases:
  description: The claims, by name of the deployment.
  returned: success
  type: dict
  contains:
    redis_db:
      description: Its Redis database number; null if it has none and O(databases[].manage_user=false).
      type: int
    user:
      description: The Redis user to log in as; null with O(manage_users=false).
      type: str
    changed:
      description: Whether anything changed for it.
      type: bool
    retiring:
      description: Users of it with another password, which stay for now.
      type: list
      elements: str
    retired:
      description: Users of it with another password that were deleted in this run.
      type: list
      elements: str
    clients:
      description: How many clients are connected as its user or to its database, with O(databases[].state=absent).
      type: int
    strange_keys:
      description:
        - How many keys in its database match none of its patterns, with O(databases[].state=absent). If there are any, a
          confirmed release is refused.
      type: int
    would_lose:
      description: The number of C(keys) that a confirmed O(databases[].state=absent) would delete.
      type: dict
    lost:
      description: The number of C(keys) that were deleted.
      type: dict
  sample:
    support-bot: {redis_db: 1, user: support-bot, changed: true, retiring: [], retired: []}
actions:
  description: The actions that were done, or in check mode would be done, in this order, with reasons.
  returned: success
  type: list
  elements: dict
  sample:
    - {action: claim, name: support-bot, redis_db: 1, why: free}
    - {action: create_user, name: support-bot, redis_db: 1, user: support-bot, what: [user]}
    - {action: save_users}
number_limit:
  description: How many databases the server has, including the reserved 0.
  returned: success
  type: int
  sample: 256
server:
  description: UUID of the server, stored in its database 0; null in check mode if it has none yet.
  returned: success
  type: str
  sample: 5b3e1f9c-0f3e-4b7e-9d53-0a3f0b7e9f11
address:
  description: The option O(address).
  returned: success
  type: str
  sample: redis.internal:6379
durable:
  description:
    - Where the claims of this run are durable. V(redis) means that the server has them on disk (C(WAITAOF), or
      C(appendfsync always) during the call), or that nothing was written.
    - V(postgres) means that the server permits neither or keeps no append-only file. The copy in Postgres is then the
      durable record.
  returned: success
  type: str
  sample: redis
problems:
  description: The reasons why nothing was changed.
  returned: when something was refused
  type: list
  elements: dict
  sample:
    - deployment: support-bot
      option: redis_db
      finding: Redis database 7 belongs to 'research-agent'
      remedy: choose another one, or leave it out
"""


from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.connection import (
    KNOWN_CLAIM,
    REDIS_ARGS,
    REDIS_EXCLUSIVE,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.module import ensure, run_module
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.ansible_module import UnloggedModule


def main() -> None:
    """Run the module."""
    database = {
        "name": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "confirm": {"type": "str"},
        "redis_db": {"type": "int"},
        "password": {"type": "str", "no_log": True},
        "key_patterns": {"type": "list", "elements": "str", "no_log": False},
        "channel_patterns": {"type": "list", "elements": "str"},
        "extra_commands": {"type": "list", "elements": "str", "default": []},
        "shared_channels": {"type": "bool", "default": False},
        "retire": {"type": "bool", "default": False},
        "users_in_use": {"type": "list", "elements": "str"},
        "manage_user": {"type": "bool", "default": True},
    }
    module = UnloggedModule(
        argument_spec={
            **REDIS_ARGS,
            "databases": {"type": "list", "elements": "dict", "required": True, "options": database},
            "known_claims": {"type": "list", "elements": "dict", "default": [], "options": KNOWN_CLAIM},
            "address": {"type": "str"},
            "owner": {"type": "str"},
            "previous_owners": {"type": "list", "elements": "str", "default": []},
            "take_over": {"type": "bool", "default": False},
            "allow_shared_number": {"type": "bool", "default": False},
            "manage_users": {"type": "bool", "default": True},
        },
        mutually_exclusive=REDIS_EXCLUSIVE,
        supports_check_mode=True,
    )
    run_module(module, ensure)


if __name__ == "__main__":
    main()
