# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this doc fragment is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations


class ModuleDocFragment:
    """Options of the connection to Redis; in sync with plugins/module_utils/_claims/redis/connection.py."""

    DOCUMENTATION = r"""
options:
  login_uri:
    description:
      - The connection as a URI, C(redis://), C(rediss://) for TLS, or C(unix://), with the administrator's user and password.
      - Its path is ignored, because claims are recorded in database 0.
    type: str
  login_unix_socket:
    description: Path of the server's Unix socket. It is used instead of O(login_host) and O(login_port).
    type: path
  login_host:
    description: Host of the server.
    type: str
    default: 127.0.0.1
  login_port:
    description: Port of the server.
    type: int
    default: 6379
  login_user:
    description: Redis user with administrator's rights.
    type: str
  login_password:
    description: Password of O(login_user).
    type: str
  login_password_file:
    description: File with the password of O(login_user), on the host that the module runs on.
    type: path
  login_tls:
    description: Whether to use TLS with O(login_host).
    type: bool
    default: false
  login_ca_file:
    description: CA certificates to trust, if the server's certificate is not signed by a CA that the system trusts.
    type: path
  login_timeout:
    description: Seconds to wait for the connection and for each reply.
    type: int
    default: 30
requirements:
  - The Python library C(redis) 4.3 or newer on the host that the module runs on (Debian's C(python3-redis)).
  - Redis 7.0 or newer, or Valkey.
"""
