# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The version of a deployment's database schema.

Migrations of the server only go forward; the vendor does not support downgrades. Its version table is
``schema_migrations(version, dirty)``, that of the open runtime is ``alembic_version(version_num)``. Both belong to the
deployment, and may be views that sleep or have endless rows: so they are read with its own login, a time limit and LIMIT.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import typing as t

PSYCOPG_IMPORT_ERROR: ImportError | None = None
try:
    import psycopg
    import psycopg.conninfo
except ImportError as error:
    PSYCOPG_IMPORT_ERROR = error

CONNECT_SECONDS = 5
# Limit of both queries together; a stuck migration may have locked the table.
READ_SECONDS = 10
_OPTIONS = "-c statement_timeout=5000 -c lock_timeout=2000"
# More migrations are named as a range.
MOST_NAMED = 12
_LEDGERS = (
    (
        "schema_migrations",
        "SELECT pg_catalog.left(version::pg_catalog.text OPERATOR(pg_catalog.||) "
        "CASE WHEN dirty THEN ' (dirty)' ELSE '' END, 64) FROM schema_migrations LIMIT 12",
    ),
    (
        "alembic_version",
        "SELECT pg_catalog.left(version_num::pg_catalog.text, 64) FROM alembic_version LIMIT 12",
    ),
)


def read(database_uri: str | None) -> str | None:
    """Read the schema's version; None if the database has none yet or cannot be queried from here."""
    if not database_uri or PSYCOPG_IMPORT_ERROR is not None:
        return None
    try:
        parts = psycopg.conninfo.conninfo_to_dict(database_uri)
        options = f"{parts.get('options') or ''} {_OPTIONS}".strip()
        with (
            psycopg.connect(database_uri, connect_timeout=CONNECT_SECONDS, options=options) as connection,
            _hung_up_after(connection, READ_SECONDS),
        ):
            return _version(connection)
    except (psycopg.Error, OSError):
        return None


def _version(connection: psycopg.Connection[t.Any]) -> str | None:
    for table, statement in _LEDGERS:
        found = connection.execute("SELECT pg_catalog.to_regclass(%s)", (table,)).fetchone()
        if found and found[0] is not None:
            rows = sorted(str(row[0]) for row in connection.execute(statement))
            return ", ".join(rows) or None
    return None


@contextlib.contextmanager
def _hung_up_after(connection: psycopg.Connection[t.Any], seconds: float) -> t.Iterator[None]:
    """Close a connection after ``seconds``: objects in the database can lift the server's own limits."""
    with socket.socket(fileno=os.dup(connection.fileno())) as line:
        watch = threading.Timer(seconds, line.shutdown, (socket.SHUT_RDWR,))
        watch.daemon = True
        watch.start()
        try:
            yield
        finally:
            watch.cancel()


def between(old: str, new: str) -> str:
    """Name the migrations between two versions: by number if the versions are numbers, else as one step."""
    if old.isdecimal() and new.isdecimal() and int(old) < int(new):
        numbers = range(int(old) + 1, int(new) + 1)
        if len(numbers) <= MOST_NAMED:
            return f"migration{'s' if len(numbers) > 1 else ''} {', '.join(str(number) for number in numbers)}"
        return f"migrations {numbers[0]} to {numbers[-1]}"
    return f"the migration from {old} to {new}"
