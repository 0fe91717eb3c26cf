# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A snapshot of a deployment's database before a rollout may migrate its schema."""

from __future__ import annotations

import glob
import os
import re
import shutil
import signal
import subprocess
import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.command import run
from ansible_collections.selfhost.langgraph.plugins.module_utils._host import disk, spool
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.model import Revision
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.start import BringUpError
from ansible_collections.selfhost.langgraph.plugins.module_utils._server import schema as _schema

try:
    import psycopg
    import psycopg.conninfo
except ImportError:
    pass  # reported by schema.py


# Maximum characters of pg_dump's error output, which may quote data of a deployment.
_MOST_SAID = 2000
# Limits of a dump: seconds to wait for a lock, seconds in total, and bytes of the disk to leave free.
LOCK_WAIT_SECONDS = 60
SNAPSHOT_SECONDS = 3600
LEFT_FREE = 512 * 1024 * 1024


class SnapshotError(RuntimeError):
    """The snapshot was not taken; the message is pg_dump's own, without a secret."""


def take_snapshot(database_uri: str, path: str) -> None:
    """Dump a deployment's database to ``path``, readable only by root, complete or not at all, with limited time and size.

    Remnants of this deployment's killed dumps are removed. Raises SnapshotError.
    """
    if _schema.PSYCOPG_IMPORT_ERROR is not None:
        raise SnapshotError("the Python library psycopg is missing on the host")
    if shutil.which("pg_dump") is None:
        raise SnapshotError("pg_dump is missing: install postgresql-client on the host")
    parts: dict[str, t.Any] = dict(psycopg.conninfo.conninfo_to_dict(database_uri))
    directory, staged = os.path.dirname(path), f"{path}.new"
    try:
        # Somebody else who can write there could make root write the dump over another file.
        spool.check(directory)
    except spool.SpoolError as error:
        raise SnapshotError(str(error)) from error
    try:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        _sweep(directory)
        os.close(os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
        _dump(parts, staged)
        os.replace(staged, path)
    except OSError as error:
        raise SnapshotError(str(error)) from error
    finally:
        _sweep(directory)


def _sweep(directory: str) -> None:
    """Remove incomplete dumps, and the passwords that earlier versions kept next to them. Only one run at a time is here."""
    for ending in ("new", "passwords"):
        for leftover in glob.glob(f"{glob.escape(directory)}/before-revision-*.dump.{ending}"):
            os.unlink(leftover)


def _dump(parts: dict[str, t.Any], staged: str) -> None:
    # Only root and the process itself can read its environment, and nothing of it is left if the process is killed.
    environment = {"PGPASSWORD": str(parts.pop("password", None) or "")}
    most = disk.free_bytes(os.path.dirname(staged)) - LEFT_FREE
    if most <= 0:
        raise SnapshotError(f"it would leave less than {LEFT_FREE >> 20} MB free in {os.path.dirname(staged)}")
    command = [
        # pg_dump is killed when the module ends, or when the file would fill the disk.
        *("setpriv", "--pdeathsig", "KILL", "prlimit", f"--fsize={most}", "--core=0"),
        *("pg_dump", "--no-password", "--format=custom", f"--lock-wait-timeout={LOCK_WAIT_SECONDS * 1000}"),
        *(
            f"--file={staged}",
            f"--dbname={psycopg.conninfo.make_conninfo(**parts, connect_timeout=_schema.CONNECT_SECONDS)}",
        ),
    ]
    try:
        done = run(command, environment=environment, timeout=SNAPSHOT_SECONDS)
    except subprocess.TimeoutExpired:
        raise SnapshotError(
            f"pg_dump took longer than {SNAPSHOT_SECONDS} s and was stopped; dump this database by hand, and unset langgraph_snapshot_dir for this run"
        ) from None
    if done.returncode == -signal.SIGXFSZ:
        raise SnapshotError(f"it would leave less than {LEFT_FREE >> 20} MB free in {os.path.dirname(staged)}")
    if done.returncode != 0:
        raise SnapshotError(done.stderr.strip()[-_MOST_SAID:] or f"pg_dump ended with {done.returncode}")


def snapshot_path(directory: str, name: str, revision: Revision) -> str:
    """Return the path of the dump from before a revision started. It has the time, as numbers start again after a removal."""
    created = re.sub(r"[-:]|[.+].*", "", str((revision.record or {}).get("created", "")))
    return f"{directory}/{name}/before-revision-{revision.number}-{created}.dump"


def snapshot(
    directory: str,
    name: str,
    revision: Revision,
    serving: Revision | None,
    uri: str,
    note: t.Callable[[str, int, str], None],
) -> str | None:
    """Dump the database at ``uri`` if a new image may migrate its schema; return the file, None if no dump is needed.

    A second try of the same revision takes a new dump, unless the first try has already migrated the database. ``note``
    records the file (deployment, revision, path) before it exists. Raises BringUpError, OSError.
    """
    content, old = revision.content, serving.content if serving else None
    if not content or not old or content.image_id == old.image_id:
        return None
    path = snapshot_path(directory, name, revision)
    if os.path.exists(path) and _schema.read(uri) != (revision.record or {}).get("schema_before"):
        return path
    note(name, revision.number, path)
    try:
        take_snapshot(uri, path)
    except SnapshotError as error:
        raise BringUpError(f"the snapshot before the rollout failed: {error}") from error
    return path
