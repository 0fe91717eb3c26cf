# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The version of a deployment's database schema, and a snapshot of it before a rollout may move it forward.

Migrations of the server only go forward; the vendor calls downgrades unsupported. Its ledger is
``schema_migrations(version, dirty)``, that of the open runtime ``alembic_version(version_num)``.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._command import run

PSYCOPG_IMPORT_ERROR: ImportError | None = None
try:
    import psycopg
    import psycopg.conninfo
except ImportError as error:
    PSYCOPG_IMPORT_ERROR = error

CONNECT_SECONDS = 5
# More than that are told as a range.
MOST_NAMED = 12
_LEDGERS = (
    ("schema_migrations", "SELECT version::text || CASE WHEN dirty THEN ' (dirty)' ELSE '' END FROM schema_migrations"),
    ("alembic_version", "SELECT version_num FROM alembic_version"),
)


class SnapshotError(RuntimeError):
    """The snapshot was not taken; the text is pg_dump's own, without a secret."""


def read(database_uri: str | None) -> str | None:
    """The schema's version, None where the database has none yet or cannot be asked from here."""
    if not database_uri or PSYCOPG_IMPORT_ERROR is not None:
        return None
    try:
        with psycopg.connect(database_uri, connect_timeout=CONNECT_SECONDS) as connection:
            for table, statement in _LEDGERS:
                found = connection.execute("SELECT to_regclass(%s)", (table,)).fetchone()
                if found and found[0] is not None:
                    rows = sorted(str(row[0]) for row in connection.execute(statement))
                    return ", ".join(rows) or None
    except psycopg.Error:
        pass
    return None


def between(old: str, new: str) -> str:
    """Name the migrations between two versions: by number where versions are numbers, else as a step."""
    if old.isdecimal() and new.isdecimal() and int(old) < int(new):
        numbers = range(int(old) + 1, int(new) + 1)
        if len(numbers) <= MOST_NAMED:
            return f"migration{'s' if len(numbers) > 1 else ''} {', '.join(str(number) for number in numbers)}"
        return f"migrations {numbers[0]} to {numbers[-1]}"
    return f"the migration from {old} to {new}"


def take_snapshot(database_uri: str, path: str) -> None:
    """Dump a deployment's database into ``path``, for root alone, complete or not at all.

    Raises SnapshotError.
    """
    if PSYCOPG_IMPORT_ERROR is not None:
        raise SnapshotError("the Python library psycopg is missing on the host")
    parts: dict[str, t.Any] = dict(psycopg.conninfo.conninfo_to_dict(database_uri))
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    staged, passwords = f"{path}.new", f"{path}.passwords"
    try:
        with open(os.open(passwords, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(_password_line(parts))
        os.close(os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        parts.pop("password", None)
        conninfo = psycopg.conninfo.make_conninfo(**parts)
        command = ["pg_dump", "--no-password", "--format=custom", f"--file={staged}", f"--dbname={conninfo}"]
        done = run(command, environment={"PGPASSFILE": passwords})
        if done.returncode != 0:
            raise SnapshotError(done.stderr.strip())
        os.replace(staged, path)
    except FileNotFoundError as error:
        raise SnapshotError(
            f"{error.filename or 'pg_dump'} is missing: install postgresql-client on the host"
        ) from error
    except OSError as error:
        raise SnapshotError(str(error)) from error
    finally:
        for leftover in (staged, passwords):
            if os.path.exists(leftover):
                os.unlink(leftover)


def _password_line(parts: t.Mapping[str, t.Any]) -> str:
    """One line of libpq's password file (docs: The Password File), which escapes colons and backslashes."""
    fields = [str(parts.get(key) or default) for key, default in (("host", "*"), ("port", "5432"), ("dbname", "*"))]
    fields += [str(parts.get("user") or "*"), str(parts.get("password") or "")]
    return ":".join(field.replace("\\", "\\\\").replace(":", "\\:") for field in fields) + "\n"
