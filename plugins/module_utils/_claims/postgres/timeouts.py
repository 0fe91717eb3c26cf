# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A session that deployments cannot keep waiting.

A role may change its own password, and the owner of a database may comment on it. Left open in a transaction, either keeps
everybody else from changing that role or database, an administrator who revokes the role too. So no statement of ours waits
without limit, and a session of a deployment that is in its way for longer than that is ended. Sessions of others are named.
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

# A prepared transaction has the number 0, and no session.
_BLOCKERS = """
SELECT b.pid, coalesce(a.usename, ''), coalesce(a.state, '')
FROM pg_catalog.unnest(pg_catalog.pg_blocking_pids(%s)) AS b (pid) LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = b.pid
"""
_PAUSE = 0.2  # seconds
# Whether those are ended that still work, too: what is idle goes first, as it is all that an honest program leaves behind.
_ROUNDS = (False, True, True)


@dataclass(frozen=True)
class Blocker:
    """A session that holds what another one waits for."""

    pid: int
    user: str
    state: str

    def text(self) -> str:
        """Name it, so that an administrator finds it."""
        if not self.pid:
            return "a prepared transaction (pg_prepared_xacts)"
        whose = f" of '{self.user}'" if self.user else ""
        return f"process {self.pid}{whose}" + (f" ({self.state})" if self.state else "")


class PatientSession:
    """The administrator's session, which ends sessions of deployments that are in its way."""

    def __init__(self, connection: Connection, another: t.Callable[[], Connection], ours: t.Collection[str]) -> None:
        """Wrap ``connection``; ``another`` opens a second one to look from, and ``ours`` are the roles of deployments."""
        self._connection, self._another, self._ours = connection, another, ours

    def execute(self, statement: t.Any, values: t.Any = None) -> Cursor:
        """Run a statement that can be run again; raise ClaimError where others keep it waiting."""
        try:
            return self._connection.execute(statement, values)
        except psycopg.Error as exc:
            if not _is_in_the_way(exc):
                raise
        return self._insist(statement, values)

    def _insist(self, statement: t.Any, values: t.Any) -> Cursor:
        """Run it once more and look meanwhile at who is in the way: that can be seen only while it waits."""
        found: list[Blocker] = []
        with self._another() as watch, ThreadPoolExecutor(max_workers=1) as pool:
            for working_too in _ROUNDS:
                work = pool.submit(self._connection.execute, statement, values)
                while not wait([work], _PAUSE).done:
                    found = self._end_blockers(watch, working_too) or found
                try:
                    return work.result()
                except psycopg.Error as exc:
                    if not _is_in_the_way(exc):
                        raise
        raise ClaimError(
            "what has to be changed in this Postgres is locked by"
            f" {', '.join(blocker.text() for blocker in found) or 'sessions that come and go'}: wait until it ends, or end it"
            " with pg_terminate_backend(), then run this again"
        )

    def _end_blockers(self, watch: Connection, working_too: bool) -> list[Blocker]:
        rows = watch.execute(_BLOCKERS, [self._connection.info.backend_pid]).fetchall()
        blockers = [Blocker(*row) for row in rows]
        for blocker in blockers:
            if blocker.user in self._ours and (working_too or blocker.state.startswith("idle in transaction")):
                # Who may not end it names it.
                with contextlib.suppress(psycopg.errors.InsufficientPrivilege):
                    watch.execute("SELECT pg_catalog.pg_terminate_backend(%s)", [blocker.pid])
        return blockers


def _is_in_the_way(exc: psycopg.Error) -> bool:
    """Whether somebody else holds what we want to change, or has just changed it; Postgres does not translate the latter."""
    concurrent = (exc.diag.message_primary or "").startswith("tuple concurrently")
    return isinstance(exc, psycopg.errors.LockNotAvailable) or concurrent
