# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this doc fragment is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations


class ModuleDocFragment:
    """Options of the connection to Postgres; in sync with plugins/module_utils/_claims/postgres/connection.py."""

    DOCUMENTATION = r"""
options:
  login_uri:
    description:
      - The connection as a URI, C(postgresql://), with the administrator's user, password and TLS settings.
    type: str
  login_unix_socket:
    description:
      - Directory of the server's Unix socket. This is the default, with C(/var/run/postgresql), if neither O(login_uri) nor
        O(login_host) is set. That of the role P(selfhost.langgraph.postgres#role) is V(/run/langgraph-postgres).
    type: path
  login_host:
    description: Host of the server.
    type: str
  login_port:
    description: Port of the server; also part of the name of a Unix socket.
    type: int
    default: 5432
  login_user:
    description: Postgres role with administrator's rights. The default is O(peer_user), or V(postgres) without one.
    type: str
  login_password:
    description: Password of O(login_user).
    type: str
  login_db:
    description: Database to connect to.
    type: str
    default: postgres
  login_ssl_mode:
    description: Which TLS mode to require. If omitted, libpq's default applies.
    type: str
    choices: [disable, prefer, require, verify-ca, verify-full]
  login_ca_file:
    description: CA certificates to trust with V(verify-ca) and V(verify-full).
    type: path
  login_timeout:
    description: Seconds to wait for the connection.
    type: int
    default: 30
  peer_user:
    description:
      - User of the host to act as while connecting to the Unix socket, so that root can log in by peer authentication and no
        administrator's password is needed. It is V(langgraph-postgres) for the cluster of the role
        P(selfhost.langgraph.postgres#role), usually V(postgres) elsewhere.
    type: str
requirements:
  - The Python library C(psycopg) 3.1 or newer on the host that the module runs on (Debian's C(python3-psycopg)).
  - Postgres 14 or newer; 15 and 17 are tested.
"""
