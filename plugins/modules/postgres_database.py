#!/usr/bin/python
# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: postgres_database
short_description: Claim a Postgres database and a Postgres role for each deployment
version_added: 0.1.0
author:
  - The selfhost.langgraph authors (@selfhost-langgraph)
description:
  - Creates for each deployment of a list a database of its own and a role that owns it and has no other rights. Both have the
    name of the deployment, with C(_) instead of C(-).
  - Nobody else may connect to the database at any time. It is created closed, and opened after the rights of PUBLIC are revoked.
  - Rights on the database that its owner or somebody else has granted to other roles are revoked, and the sessions that used
    them are ended. Members of the deployment's role keep their rights.
  - No statement waits for a lock without limit. A session of a deployment that holds one for more than five seconds is ended; a
    session of somebody else is named in the error.
  - Passwords are sent as SCRAM verifiers that are computed by the module, so the clear text reaches neither the server nor
    its log, and an unchanged password is recognised.
  - The claim, with the deployment's Redis database number, is stored as a comment of the role and of the database, see
    M(selfhost.langgraph.postgres_database_info). The comment of the role is authoritative, as the deployment cannot change it.
  - A role or database of that name that this collection did not create is refused.
  - The module can be interrupted at any point; the next run finishes the work. Several runs at once take turns.
  - The number of round trips of a run that changes nothing is the same for one deployment and for a thousand. For this,
    extensions are known from the comment; one that was dropped by hand is not noticed.
extends_documentation_fragment:
  - selfhost.langgraph._postgres
  - selfhost.langgraph._attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - Passwords are masked.
  idempotent:
    support: full
  platform:
    platforms: posix
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
          - With V(present) the deployment has its database and its role.
          - With V(absent) nothing is deleted without O(databases[].confirm), and the module reports what would be lost. With
            it, and if no client is connected, the database is dropped, and last the role with its claim. Clients have five
            seconds to disconnect; processes of the server, such as autovacuum, do not count as clients.
        type: str
        choices: [present, absent]
        default: present
      confirm:
        description: The name of the deployment again, to drop its database with O(databases[].state=absent).
        type: str
      password:
        description:
          - Password of its role. Required for a new role; if omitted, an existing role keeps its password.
          - A Postgres role has one password at a time, so another password needs another login. After the first change, two logins
            alternate, and the role itself is closed. If none has this password, a login that no revision uses gets it, and
            RV(databases.login) is the one to log in as. The previous password stays valid until O(databases[].retire).
        type: str
      manage_login:
        description:
          - Whether its logins and its database are created and changed. V(false) is for a deployment that does not run; then only
            what is recorded of it changes.
        type: bool
        default: true
      logins_in_use:
        description:
          - Roles that revisions of the deployment log in as, on all hosts. Only a login that is not in this list gets a new
            password.
          - If omitted, this is unknown. An existing login then keeps its password, and another login gets the new one.
        type: list
        elements: str
      retire:
        description:
          - Whether to close the logins of the deployment that neither have O(databases[].password) nor are in
            O(databases[].logins_in_use). They lose their password and the right to log in, and their sessions end.
          - It requires O(databases[].password); without it nothing is retired.
        type: bool
        default: false
      connection_limit:
        description: How many connections the role may have at once; V(-1) is no limit.
        type: int
        default: -1
      lower_connection_limit:
        description:
          - Whether O(databases[].connection_limit) may lower the limit of the role. With V(false) the role keeps the higher
            one, for example while revisions run that were created with it.
        type: bool
        default: true
      extensions:
        description: Extensions to create in its database with the administrator's rights, such as V(vector).
        type: list
        elements: str
        default: []
      redis_db:
        description:
          - Redis database number of the deployment, to be recorded. It is refused if another one is recorded for the
            deployment, or if it is recorded for another deployment.
        type: int
      redis_server:
        description:
          - UUID of the Redis server that has the database, to be recorded, as returned in
            RV(selfhost.langgraph.redis_database#module:server).
        type: str
      redis_address:
        description:
          - Address at which deployments reach that Redis server, to be recorded, as returned in
            RV(selfhost.langgraph.redis_database#module:address).
        type: str
      aes_keys:
        description:
          - Fingerprint of the deployment's AES key, to be recorded, followed by those of the same key under O(previous_owners).
            Empty if it has no key. A fingerprint other than the recorded one is refused.
          - Every role of the server can read it, so compute it with a secret, as M(selfhost.langgraph.deployment_check) does.
          - If omitted, the recorded fingerprint is kept and not compared.
        type: list
        elements: str
      accept_new_aes_key:
        description: Whether to accept and record another AES key than before.
        type: bool
        default: false
  owner:
    description:
      - Fingerprint of the inventory that the claims belong to, to be recorded with each of them. A claim that has another
        owner is refused, and nothing is changed. A claim without an owner, from an earlier version, gets this one.
      - If omitted, only claims without an owner can be changed.
    type: str
  previous_owners:
    description: Fingerprints that O(owner) had before. Claims that have one of them get O(owner).
    type: list
    elements: str
    default: []
  take_over:
    description: Whether claims of any owner get O(owner), for example after the loss of the key that the fingerprint is
      computed from.
    type: bool
    default: false
  revoke_public_connect:
    description:
      - Databases of others on which the rights of PUBLIC are revoked, so that the deployments cannot connect to them, usually
        V(postgres) and V(template1).
      - Roles that are not superusers and use these databases then need a C(GRANT CONNECT) of their own.
    type: list
    elements: str
    default: []
  lock_timeout:
    description: Seconds to wait for another run that is changing databases.
    type: int
    default: 300
seealso:
  - module: selfhost.langgraph.redis_database
  - module: selfhost.langgraph.postgres_database_info
"""

EXAMPLES = r"""
- name: Claim a Postgres database for each of two deployments
  selfhost.langgraph.postgres_database:
    peer_user: langgraph-postgres
    login_unix_socket: /run/langgraph-postgres
    revoke_public_connect: [postgres, template1]
    databases:
      - name: support-bot
        password: "{{ vault_support_bot_postgres_password }}"
        connection_limit: 25
        redis_db: "{{ claims.databases['support-bot'].redis_db }}"
      - name: research-agent
        password: "{{ vault_research_agent_postgres_password }}"
        extensions: [vector]
"""

RETURN = r"""
databases:
  description: The claims, by name of the deployment.
  returned: success
  type: dict
  contains:
    database:
      description: Its database.
      type: str
    role:
      description: Its role, which owns the database.
      type: str
    login:
      description:
        - Role to log in as with O(databases[].password). It is the owner itself, or after a change of the password a login with
          the name of the owner and C(.b) or C(.c), which acts as the owner from the start of each session.
      type: str
    retired:
      description: Logins that were closed, because they no longer have O(databases[].password).
      type: list
      elements: str
    retiring:
      description: Logins that have another password than O(databases[].password) and are still open.
      type: list
      elements: str
    redis_db:
      description: The Redis database number that is recorded for it; null if there is none.
      type: int
    extensions:
      description: Extensions that were created for it, with their versions at that time.
      type: dict
    changed:
      description: Whether anything changed for it.
      type: bool
    clients:
      description: How many clients are connected as its role or to its database, with O(databases[].state=absent).
      type: int
    would_lose:
      description: The C(bytes) and, estimated, the C(rows) that a confirmed O(databases[].state=absent) would delete.
      type: dict
    lost:
      description: The C(bytes) and, estimated, the C(rows) that were deleted.
      type: dict
  sample:
    support-bot:
      database: support_bot
      role: support_bot
      login: support_bot
      retired: []
      retiring: []
      redis_db: 1
      extensions: {}
      changed: true
actions:
  description: The actions that were done, or in check mode would be done, with reasons.
  returned: success
  type: list
  elements: dict
  sample:
    - {action: create_role, role: support_bot, name: support-bot}
    - {action: create_database, database: support_bot, name: support-bot}
    - {action: remember, database: support_bot, why: new, name: support-bot}
problems:
  description: The reasons why nothing was changed.
  returned: when something was refused
  type: list
  elements: dict
  sample:
    - deployment: support-bot
      option: name
      finding: Postgres has a role 'support_bot' which this collection did not create
      remedy: choose another name, or rename that role
"""


from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.connection import (
    POSTGRES_ARGS,
    POSTGRES_EXCLUSIVE,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.module import ensure, run_module
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.ansible_module import UnloggedModule


def main() -> None:
    """Run the module."""
    database = {
        "name": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "confirm": {"type": "str"},
        "password": {"type": "str", "no_log": True},
        "connection_limit": {"type": "int", "default": -1},
        "lower_connection_limit": {"type": "bool", "default": True},
        "extensions": {"type": "list", "elements": "str", "default": []},
        "redis_db": {"type": "int"},
        "redis_server": {"type": "str"},
        "redis_address": {"type": "str"},
        "logins_in_use": {"type": "list", "elements": "str"},
        "manage_login": {"type": "bool", "default": True},
        "retire": {"type": "bool", "default": False},
        "aes_keys": {"type": "list", "elements": "str", "no_log": False},
        "accept_new_aes_key": {"type": "bool", "default": False, "no_log": False},
    }
    module = UnloggedModule(
        argument_spec={
            **POSTGRES_ARGS,
            "databases": {"type": "list", "elements": "dict", "required": True, "options": database},
            "revoke_public_connect": {"type": "list", "elements": "str", "default": []},
            "lock_timeout": {"type": "int", "default": 300},
            "owner": {"type": "str"},
            "previous_owners": {"type": "list", "elements": "str", "default": []},
            "take_over": {"type": "bool", "default": False},
        },
        mutually_exclusive=POSTGRES_EXCLUSIVE,
        supports_check_mode=True,
    )
    run_module(module, ensure)


if __name__ == "__main__":
    main()
