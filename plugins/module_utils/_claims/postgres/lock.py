# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A lock for all runs that change claims in a server, whatever database their administrator logs in to.

Postgres' advisory locks are per database, and anybody who may connect can take them. The name of a role is unique in the whole
server: creating a role waits for another session that is creating a role of the same name. So the lock is a role that is created
and never committed. It is released with the session, however that ends, and only roles that may create roles can hold it.
"""

from __future__ import annotations

import contextlib
import time
import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.errors import ClaimError

try:
    import psycopg
    from psycopg import sql
except ImportError:
    pass  # reported by connection.py

if t.TYPE_CHECKING:
    from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.connection import Connection

LOCK = "selfhost.langgraph:lock"
# A server may end idle transactions, or long ones, and the lock with them.
_SETTINGS = "SELECT pg_catalog.set_config(name, %s, false) FROM pg_catalog.pg_settings WHERE name = ANY(%s)"
_UNBOUNDED = ["idle_in_transaction_session_timeout", "transaction_timeout", "statement_timeout", "idle_session_timeout"]
# Anybody can use our application name, so only roles that can hold the lock count.
_HOLDER = """
SELECT a.pid, a.usename, a.client_addr, a.xact_start FROM pg_catalog.pg_stat_activity a
JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid AND (r.rolsuper OR r.rolcreaterole)
WHERE a.application_name = 'selfhost.langgraph' AND a.state = 'idle in transaction'
  AND a.pid <> pg_catalog.pg_backend_pid()
ORDER BY a.xact_start LIMIT 1
"""
# The server finishes the statement of a session before it notices that the client is gone, and the lock is free by then.
_UNFINISHED = """
SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity a
JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid AND (r.rolsuper OR r.rolcreaterole)
WHERE a.application_name = 'selfhost.langgraph' AND a.state = 'active' AND a.pid <> pg_catalog.pg_backend_pid()
  AND a.query ~* '^[[:space:]]*(create|alter|drop|comment|grant|revoke)[[:space:]]' AND a.query !~ %s
"""
# A client that lost power sends nothing: with the system's settings the server would hold the lock for two hours.
_KEEPALIVES = {"tcp_keepalives_idle": "15", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3"}
_PAUSE = 0.05  # seconds


@contextlib.contextmanager
def lock(connection: Connection, patience: int) -> t.Iterator[None]:
    """Wait for the lock, ``patience`` seconds at most, and hold it in this session, which is used for nothing else."""
    connection.execute(_SETTINGS, ["0", _UNBOUNDED])
    connection.execute(_SETTINGS, [f"{patience}s", ["lock_timeout"]])
    for name, value in _KEEPALIVES.items():
        connection.execute(_SETTINGS, [value, [name]])
    try:
        with connection.transaction(force_rollback=True):
            _acquire(connection)
            _wait_for_unfinished(connection, patience)
            yield
    except _Busy as exc:
        raise ClaimError(
            f"another run has been changing databases of this Postgres for more than the {patience} s of lock_timeout"
            f"{_holder(connection)}: run this again after it has ended"
        ) from exc


class _Busy(Exception):
    """Another session has held the lock for too long."""


def _acquire(connection: Connection) -> None:
    try:
        connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(LOCK)))
    except psycopg.errors.LockNotAvailable as exc:
        raise _Busy from exc


def _wait_for_unfinished(connection: Connection, patience: int) -> None:
    """Wait for the last statement of a run that was killed; sessions that wait for the lock itself do not count."""
    deadline = time.monotonic() + patience
    while (row := connection.execute(_UNFINISHED, [f'^CREATE ROLE "{LOCK}"']).fetchone()) and row[0]:
        if time.monotonic() > deadline:
            raise _Busy
        time.sleep(_PAUSE)
        # Within a transaction Postgres returns the same snapshot of statistics until it is cleared.
        connection.execute("SELECT pg_catalog.pg_stat_clear_snapshot()")


def _holder(connection: Connection) -> str:
    """Describe the session that holds the lock, if the server shows it."""
    row = connection.execute(_HOLDER).fetchone()
    if row is None:
        return ""
    pid, user, address, since = row
    place = f" from {address}" if address else ""
    return f" (process {pid} of '{user}'{place}, since {since:%Y-%m-%d %H:%M:%S})" if since else ""
