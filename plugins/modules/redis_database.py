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
  - Gives each deployment of a list a Redis database number of its own, and a Redis user that can select this number only,
    touch its own key and channel patterns only, and use no dangerous command.
  - The claims are recorded in number 0 of the server itself, which is reserved for them, in the hash
    C(selfhost.langgraph:claims). One script decides about the whole list as one step, so that several callers at once
    never get the same number. Either every name gets what it asks for, or none does and nothing changes.
  - A new number is the lowest one that nobody claims, that holds no key, that no other user of the server may select, and that
    O(known_claims) does not name.
  - The number of round trips is the same for one name and for a thousand.
extends_documentation_fragment:
  - selfhost.langgraph._redis
  - selfhost.langgraph._attributes
attributes:
  check_mode:
    support: full
    details:
      - The same script decides, and leaves out the writing.
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
    description: The deployments. One that is not in the list is left alone.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the deployment, and of its Redis user.
        type: str
        required: true
      state:
        description:
          - With V(present) it has its number and its user.
          - With V(absent) nothing is lost unless O(databases[].confirm) says so. The module reports what would be lost. With it,
            and when no client is connected, the number is emptied, the user removed, and only then the number is freed.
          - Keys that the deployment left in number 0 go too, where its name and C(:) begin them or no other user may have written
            them.
        type: str
        choices: [present, absent]
        default: present
      confirm:
        description: The name of the deployment once more, to have its keys deleted with O(databases[].state=absent).
        type: str
      number:
        description:
          - The number it must have. It is refused if it belongs to another deployment or holds keys that nobody has claimed.
          - Left out, the deployment keeps its number, and a new one gets the lowest that is free.
        type: int
      password:
        description:
          - Password of its user. Redis keeps and gets the SHA-256 of it only. Required unless O(manage_users=false).
        type: str
      previous_password:
        description:
          - A second password that is valid too, and stays valid with O(databases[].retire=true).
        type: str
      key_patterns:
        description:
          - Patterns of the keys that its user may touch. The default is the name with C(:*) after it.
        type: list
        elements: str
      channel_patterns:
        description:
          - Patterns of the channels that its user may use. Channels ignore numbers. The default is the name with C(:*) after it.
          - A pattern that the deployment subscribes to (C(PSUBSCRIBE)) must stand here literally.
        type: list
        elements: str
      shared_channels:
        description:
          - Whether its channels may meet those of another deployment that has this set too, as with servers of fixed channels.
            Each then hears the other's events, and can forge them; the module warns of it.
          - Left V(false), channel patterns that meet those of any other user of the server are refused.
        type: bool
        default: false
      retire:
        description:
          - Whether passwords other than O(databases[].password) and O(databases[].previous_password) end.
          - With V(false) the wanted one is added, and those that the user has stay valid, so that a revision that still
            carries one of them can connect.
          - Passwords of a user that is there before the claim end in any case, unless O(known_claims) has the claim.
        type: bool
        default: false
      sessions_since:
        description:
          - When the oldest running container of the deployment was created, in seconds since the epoch. Where passwords end
            (O(databases[].retire)), sessions of the user that began before that are closed. No container that runs has one of
            them, so they were opened with a password that ended.
          - A session counts as older when it began at least ten seconds earlier, as the clocks of two hosts differ.
          - Left out, no session is closed for its age.
        type: int
      extra_commands:
        description:
          - Commands to allow beyond the usual ones, such as V(info). Those that reach other numbers, other clients or the server
            itself are refused, and so are containers of such commands (V(client)); name the one that is needed, as
            V(client|no-touch).
        type: list
        elements: str
        default: []
  known_claims:
    description:
      - What another record remembers, usually RV(selfhost.langgraph.postgres_database_info#module:claims).
      - Numbers in it are not given to others. A deployment that has lost its record in Redis gets back the number that stands
        here. Where the two records disagree about a deployment of the list, the module fails and changes nothing.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the deployment.
        type: str
        required: true
      redis_number:
        description: The number that it holds; null where it has none.
        type: int
      database:
        description: Not used; it is here so that the list can be passed on as it is.
        type: str
      role:
        description: Not used; it is here so that the list can be passed on as it is.
        type: str
      redis_server:
        description:
          - UUID of the Redis server that the number is of, as RV(server) gave it. A number of another server counts for nothing.
          - Null counts as this server's; that is what an earlier version has written.
        type: str
      redis_address:
        description:
          - Where that server was reached, as O(address).
        type: str
      owner:
        description: Fingerprint of the inventory that made the claim.
        type: str
  address:
    description:
      - How the deployments reach this server, V(HOST:PORT) or the path of a socket. It is returned as RV(address), to be kept
        with the claims.
      - A server without a UUID, at the address that stands in O(known_claims), that is empty but for what the deployments may have
        written, has lost its data. It gets its UUID and its numbers back.
    type: str
  owner:
    description:
      - Fingerprint of the inventory. It is recorded with each claim.
      - It is made of 1 to 64 letters, digits, C(-) and C(_).
      - A claim without one is adopted. A claim with another one is refused, and nothing changes.
    type: str
  previous_owners:
    description: Fingerprints of which the claims are adopted, as after a change of the secret key.
    type: list
    elements: str
    default: []
  take_over:
    description: Whether to adopt claims of any owner, as after the secret key was lost.
    type: bool
    default: false
  live_addresses:
    description:
      - IP addresses from which running revisions may still be connected. Where passwords ended (O(databases[].retire)),
        connections of the user from all other addresses are closed. One through the server's socket has none, and stays.
      - Left out, no connection is closed for its address.
    type: list
    elements: str
  allow_shared_number:
    description:
      - Whether deployments may share number 0 where the server has no other, as in cluster mode. They are kept apart by their
        key patterns only then, which must not meet, and each server needs its own C(REDIS_KEY_PREFIX).
      - Users are made on every node of the cluster.
    type: bool
    default: false
  manage_users:
    description:
      - Whether to make users. V(false) is for managed services without ACL, and leaves the deployments open to each other.
    type: bool
    default: true
seealso:
  - module: selfhost.langgraph.postgres_database
  - module: selfhost.langgraph.postgres_database_info
"""

EXAMPLES = r"""
- name: Two deployments on one Redis
  selfhost.langgraph.redis_database:
    login_unix_socket: /run/langgraph-redis/redis.sock
    login_user: langgraph-admin
    login_password_file: /etc/langgraph-redis/admin.password
    databases:
      - name: support-bot
        password: "{{ vault_support_bot_redis_password }}"
      - name: research-agent
        number: 7
        password: "{{ vault_research_agent_redis_password }}"
        key_patterns: ["lg:*"]
        channel_patterns: ["lg:run-fanout:*", "lg:thread-fanout:*"]
    known_claims: "{{ postgres.claims }}"
"""

RETURN = r"""
databases:
  description: Name of each deployment with what it holds.
  returned: success
  type: dict
  contains:
    number:
      description: Its Redis database number.
      type: int
    user:
      description: Its Redis user; null with O(manage_users=false).
      type: str
    changed:
      description: Whether anything changed for it.
      type: bool
    retiring:
      description: Whether passwords other than the wanted ones are still valid.
      type: bool
    retired:
      description: Whether such passwords ended in this run.
      type: bool
    clients:
      description: How many clients are connected as its user or to its number, with O(databases[].state=absent).
      type: int
    strange_keys:
      description:
        - How many keys its number holds that match none of its patterns, with O(databases[].state=absent). Where there are
          any, a confirmed one is refused.
      type: int
    would_lose:
      description: The number of C(keys) that a confirmed O(databases[].state=absent) would delete.
      type: dict
    lost:
      description: The number of C(keys) that were deleted.
      type: dict
  sample:
    support-bot: {number: 1, user: support-bot, changed: true}
actions:
  description: What was done, or in check mode would be done, in this order, and why.
  returned: success
  type: list
  elements: dict
  sample:
    - {action: claim, name: support-bot, number: 1, why: free}
    - {action: create_user, name: support-bot, number: 1, what: [user]}
    - {action: save_users}
number_limit:
  description: How many numbers the server has, the reserved 0 included.
  returned: success
  type: int
  sample: 256
server:
  description: UUID of the server, kept in its number 0; null in check mode where it has none yet.
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
    - Where the claims of this run are safe. V(redis) means that the server has them on disk (C(WAITAOF), or
      C(appendfsync always) during the call), or that nothing was written.
    - V(postgres) means that the server allows neither or keeps no append-only file. The copy in Postgres then is the
      durable record.
  returned: success
  type: str
  sample: redis
problems:
  description: Why nothing was changed.
  returned: when something was refused
  type: list
  elements: dict
  sample:
    - deployment: support-bot
      option: number
      finding: number 7 belongs to 'research-agent'
      remedy: ask for another number, or for none
"""


from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.connection import (
    KNOWN_CLAIM,
    REDIS_ARGS,
    REDIS_EXCLUSIVE,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.module import ensure, run_module
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.ansible_module import UnloggedModule


def main() -> None:
    """Read the options and hand over."""
    database = {
        "name": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "confirm": {"type": "str"},
        "number": {"type": "int"},
        "password": {"type": "str", "no_log": True},
        "previous_password": {"type": "str", "no_log": True},
        "key_patterns": {"type": "list", "elements": "str", "no_log": False},
        "channel_patterns": {"type": "list", "elements": "str"},
        "extra_commands": {"type": "list", "elements": "str", "default": []},
        "shared_channels": {"type": "bool", "default": False},
        "retire": {"type": "bool", "default": False},
        "sessions_since": {"type": "int"},
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
            "live_addresses": {"type": "list", "elements": "str"},
            "allow_shared_number": {"type": "bool", "default": False},
            "manage_users": {"type": "bool", "default": True},
        },
        mutually_exclusive=REDIS_EXCLUSIVE,
        supports_check_mode=True,
    )
    run_module(module, ensure)


if __name__ == "__main__":
    main()
