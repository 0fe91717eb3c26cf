# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A session that deployments cannot block.

A role may change its own password, and the owner of a database may comment on it. In an open transaction, either prevents
everybody else from changing that role or database, even an administrator who revokes the role. So no statement of ours waits
without limit, and a session of a deployment that blocks it for longer is ended. Sessions of others are reported.
"""

from __future__ import annotations

import contextlib
import typing as t
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.errors import ClaimError

try:
    import psycopg
except ImportError:
    pass  # reported by connection.py

if t.TYPE_CHECKING:
    from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.connection import Connection

    Cursor = psycopg.Cursor[t.Any]

# A prepared transaction has the process ID 0, and no session.
_BLOCKERS = """
SELECT b.pid, coalesce(a.usename, ''), coalesce(a.state, '')
FROM pg_catalog.unnest(pg_catalog.pg_blocking_pids(%s)) AS b (pid) LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = b.pid
"""
_PAUSE = 0.2  # seconds
# Per round: whether active sessions are ended too. Idle ones are ended first, as a well-behaved program leaves only those.
_ROUNDS = (False, True, True)


@dataclass(frozen=True)
class Blocker:
    """A session that holds a lock that another one waits for."""

    pid: int
    user: str
    state: str

    def describe(self) -> str:
        """Describe it so that an administrator can find it."""
        if not self.pid:
            return "a prepared transaction (pg_prepared_xacts)"
        owner = f" of '{self.user}'" if self.user else ""
        return f"process {self.pid}{owner}" + (f" ({self.state})" if self.state else "")


class PatientSession:
    """The administrator's session, which ends sessions of deployments that block it."""

    def __init__(self, connection: Connection, another: t.Callable[[], Connection], ours: t.Collection[str]) -> None:
        """Wrap ``connection``; ``another`` opens a second one to find blockers, and ``ours`` are the roles of deployments."""
        self._connection, self._another, self._ours = connection, another, ours

    def execute(self, statement: t.Any, values: t.Any = None) -> Cursor:
        """Run a statement that can be run again; raise ClaimError if other sessions keep blocking it."""
        try:
            return self._connection.execute(statement, values)
        except psycopg.Error as exc:
            if not _is_blocked(exc):
                raise
        return self._retry(statement, values)

    def _retry(self, statement: t.Any, values: t.Any) -> Cursor:
        """Run the statement again and meanwhile end blockers, which are visible only while it waits."""
        found: list[Blocker] = []
        with self._another() as watch, ThreadPoolExecutor(max_workers=1) as pool:
            for active_too in _ROUNDS:
                work = pool.submit(self._connection.execute, statement, values)
                while not wait([work], _PAUSE).done:
                    found = self._end_blockers(watch, active_too) or found
                try:
                    return work.result()
                except psycopg.Error as exc:
                    if not _is_blocked(exc):
                        raise
        raise ClaimError(
            "objects that must be changed in this Postgres are locked by"
            f" {', '.join(blocker.describe() for blocker in found) or 'short-lived sessions'}: wait until the lock is released,"
            " or end the session with pg_terminate_backend(), then run this again"
        )

    def _end_blockers(self, watch: Connection, active_too: bool) -> list[Blocker]:
        rows = watch.execute(_BLOCKERS, [self._connection.info.backend_pid]).fetchall()
        blockers = [Blocker(*row) for row in rows]
        for blocker in blockers:
            if blocker.user in self._ours and (active_too or blocker.state.startswith("idle in transaction")):
                # A blocker that we may not end is reported.
                with contextlib.suppress(psycopg.errors.InsufficientPrivilege):
                    watch.execute("SELECT pg_catalog.pg_terminate_backend(%s)", [blocker.pid])
        return blockers


def _is_blocked(exc: psycopg.Error) -> bool:
    """Return whether another session locks the object, or has just changed it; Postgres does not translate the latter error."""
    concurrent = (exc.diag.message_primary or "").startswith("tuple concurrently")
    return isinstance(exc, psycopg.errors.LockNotAvailable) or concurrent
