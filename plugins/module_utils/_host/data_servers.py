# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Whether the Redis and Postgres of another host accept connections of this host."""

from __future__ import annotations

import socket
import typing as t

# The first bytes of a client, which a server answers before any login: SSLRequest (Postgres protocol, section 53.7), PING.
HELLO = {"postgres": bytes((0, 0, 0, 8, 4, 210, 22, 47)), "redis": b"PING\r\n"}
TIMEOUT_SECONDS = 5.0


def refused(servers: t.Iterable[t.Mapping[str, t.Any]], timeout: float = TIMEOUT_SECONDS) -> list[str]:
    """Return the names of the servers that close each connection of this host without an answer.

    ``servers`` have ``name`` (``redis`` or ``postgres``), ``address`` and ``port``. A server that cannot be reached, or does
    not answer within ``timeout`` seconds, has refused nothing.
    """
    return [server["name"] for server in servers if _closes(server, timeout)]


def _closes(server: t.Mapping[str, t.Any], timeout: float) -> bool:
    try:
        with socket.create_connection((server["address"], server["port"]), timeout) as connection:
            connection.settimeout(timeout)
            connection.sendall(HELLO[server["name"]])
            return connection.recv(1) == b""
    except (ConnectionResetError, BrokenPipeError):
        # A reset may arrive before the connection is even reported as open.
        return True
    except OSError:
        return False
