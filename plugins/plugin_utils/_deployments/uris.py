# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The URIs of Redis and Postgres in the server's format."""

from __future__ import annotations

from urllib.parse import quote


def redis_uri(host: str, port: int, db: int, user: str, password: str, *, tls: bool = False) -> str:
    """Return the ``REDIS_URI`` of a deployment, with its user and database number; without passwords there is no user."""
    scheme = "rediss" if tls else "redis"
    login = f"{quote(user, safe='')}:{quote(password, safe='')}@" if user or password else ""
    return f"{scheme}://{login}{_host(host)}:{port}/{db}"


def database_uri(host: str, port: int, database: str, role: str, password: str, sslmode: str) -> str:
    """Return the ``DATABASE_URI`` of a deployment, each part percent-encoded (RFC 3986)."""
    credentials = f"{quote(role, safe='')}:{quote(password, safe='')}"
    return f"postgres://{credentials}@{_host(host)}:{port}/{quote(database, safe='')}?sslmode={quote(sslmode, safe='')}"


def _host(host: str) -> str:
    return f"[{host}]" if ":" in host else host
