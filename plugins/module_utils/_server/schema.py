# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The version of a deployment's database schema, and a snapshot of it before a rollout may move it forward.

Migrations of the server only go forward; the vendor calls downgrades unsupported. Its ledger is
``schema_migrations(version, dirty)``, that of the open runtime ``alembic_version(version_num)``. Both belong to the
deployment, and may be views that sleep or have rows without end: its own login asks, for a limited time, for a few rows.
"""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
import signal
import socket
import subprocess
import threading
import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.command import run

PSYCOPG_IMPORT_ERROR: ImportError | None = None
try:
    import psycopg
    import psycopg.conninfo
except ImportError as error:
    PSYCOPG_IMPORT_ERROR = error

CONNECT_SECONDS = 5
# What both questions may take in all; a migration that is stuck may have locked the ledger.
READ_SECONDS = 10
_OPTIONS = "-c statement_timeout=5000 -c lock_timeout=2000"
# Characters of what pg_dump says, which may quote what a deployment has planted.
_MOST_SAID = 2000
# A dump: the wait for a lock, all of it, and what it has to leave free of the disk (bytes).
LOCK_WAIT_SECONDS = 60
SNAPSHOT_SECONDS = 3600
LEFT_FREE = 512 * 1024 * 1024
# More than that are told as a range.
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


class SnapshotError(RuntimeError):
    """The snapshot was not taken; the text is pg_dump's own, without a secret."""


def read(database_uri: str | None) -> str | None:
    """The schema's version, None where the database has none yet or cannot be asked from here."""
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
    """End a connection that takes longer: what stands in the database can lift the server's own limits."""
    with socket.socket(fileno=os.dup(connection.fileno())) as line:
        watch = threading.Timer(seconds, line.shutdown, (socket.SHUT_RDWR,))
        watch.daemon = True
        watch.start()
        try:
            yield
        finally:
            watch.cancel()


def between(old: str, new: str) -> str:
    """Name the migrations between two versions: by number where versions are numbers, else as a step."""
    if old.isdecimal() and new.isdecimal() and int(old) < int(new):
        numbers = range(int(old) + 1, int(new) + 1)
        if len(numbers) <= MOST_NAMED:
            return f"migration{'s' if len(numbers) > 1 else ''} {', '.join(str(number) for number in numbers)}"
        return f"migrations {numbers[0]} to {numbers[-1]}"
    return f"the migration from {old} to {new}"


def take_snapshot(database_uri: str, path: str) -> None:
    """Dump a deployment's database into ``path``, for root alone, complete or not at all, in a limited time and size.

    What a dump that was killed has left there of this deployment goes. Raises SnapshotError.
    """
    if PSYCOPG_IMPORT_ERROR is not None:
        raise SnapshotError("the Python library psycopg is missing on the host")
    if shutil.which("pg_dump") is None:
        raise SnapshotError("pg_dump is missing: install postgresql-client on the host")
    parts: dict[str, t.Any] = dict(psycopg.conninfo.conninfo_to_dict(database_uri))
    folder, staged = os.path.dirname(path), f"{path}.new"
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        _sweep(folder)
        os.close(os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
        _dump(parts, staged)
        os.replace(staged, path)
    except OSError as error:
        raise SnapshotError(str(error)) from error
    finally:
        _sweep(folder)


def _sweep(folder: str) -> None:
    """Remove halves of dumps, and the passwords that earlier versions kept beside them. One run at a time is here."""
    for ending in ("new", "passwords"):
        for leftover in glob.glob(f"{glob.escape(folder)}/before-revision-*.dump.{ending}"):
            os.unlink(leftover)


def _dump(parts: dict[str, t.Any], staged: str) -> None:
    # Only root and the process itself can read a process's environment, and nothing of it stays when that is killed.
    environment = {"PGPASSWORD": str(parts.pop("password", None) or "")}
    most = _free_bytes(os.path.dirname(staged)) - LEFT_FREE
    if most <= 0:
        raise SnapshotError(f"it would leave less than {LEFT_FREE >> 20} MB free in {os.path.dirname(staged)}")
    command = [
        # It ends with the module, and with a file that would fill the disk.
        *("setpriv", "--pdeathsig", "KILL", "prlimit", f"--fsize={most}", "--core=0"),
        *("pg_dump", "--no-password", "--format=custom", f"--lock-wait-timeout={LOCK_WAIT_SECONDS * 1000}"),
        *(f"--file={staged}", f"--dbname={psycopg.conninfo.make_conninfo(**parts, connect_timeout=CONNECT_SECONDS)}"),
    ]
    try:
        done = run(command, environment=environment, timeout=SNAPSHOT_SECONDS)
    except subprocess.TimeoutExpired:
        raise SnapshotError(f"pg_dump took longer than {SNAPSHOT_SECONDS} s and was ended") from None
    if done.returncode == -signal.SIGXFSZ:
        raise SnapshotError(f"it would leave less than {LEFT_FREE >> 20} MB free in {os.path.dirname(staged)}")
    if done.returncode != 0:
        raise SnapshotError(done.stderr.strip()[-_MOST_SAID:] or f"pg_dump ended with {done.returncode}")


def _free_bytes(folder: str) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize
