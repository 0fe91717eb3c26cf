# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Drop the database and the role of a removed deployment, and report beforehand what would be lost."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.errors import (
    ClaimError,
    confirm_problems,
    raise_for_problems,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.owner import Owner
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.grants_elsewhere import (
    elsewhere_problems,
    revoke_elsewhere,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.logins import (
    Entry,
    Named,
    acting_logins,
    logins_of,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.problems import ownership_problems
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.state import ServerState
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.release import ReleaseBase
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.failpoints import failpoint
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.names import identifier
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import Problem

try:
    import psycopg
    from psycopg import sql
except ImportError:
    pass  # reported by connection.py

if t.TYPE_CHECKING:
    from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.connection import Connection
    from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.timeouts import PatientSession

    Session = t.Union[Connection, PatientSession]  # noqa: UP007 - pylint reads it as Python 3.8 does
    Enter = t.Callable[[str], Connection]

# Seconds, as long as DROP DATABASE itself waits: the session of a stopped program finishes its query first.
_GRACE_SECONDS = 5
# Sessions without a user are the server's own processes, such as autovacuum, which DROP DATABASE ends by itself.
_CLIENTS = """
SELECT name, pg_catalog.count(pid), pg_catalog.max(pg_catalog.pg_database_size(d.oid))
FROM ROWS FROM (pg_catalog.unnest(CAST(%s AS pg_catalog.text[])), pg_catalog.unnest(CAST(%s AS pg_catalog.text[])),
  pg_catalog.unnest(CAST(%s AS pg_catalog.text[]))) AS wanted (name, second, third)
LEFT JOIN pg_catalog.pg_database d ON d.datname = name
LEFT JOIN pg_catalog.pg_stat_activity a ON (a.datname = name OR a.usename IN (name, second, third))
  AND a.usesysid IS NOT NULL AND NOT (a.usename = SESSION_USER AND a.application_name = 'selfhost.langgraph')
GROUP BY name
"""
# As counted by autovacuum and the statistics: exact counting would read everything, and run code of the deployment. This is
# the only query of the plan that runs in a deployment's database, so not even an operator is resolved by a search path.
_ROWS = """
SELECT CAST(coalesce(pg_catalog.sum(CASE WHEN c.reltuples OPERATOR(pg_catalog.>) CAST(0 AS pg_catalog.float4)
  THEN CAST(c.reltuples AS pg_catalog.float8)
  ELSE CAST(pg_catalog.pg_stat_get_live_tuples(c.oid) AS pg_catalog.float8) END), 0) AS pg_catalog.int8)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
WHERE c.relkind OPERATOR(pg_catalog.=) ANY(CAST('{r,m}' AS pg_catalog."char"[]))
  AND n.nspname OPERATOR(pg_catalog.<>) ALL(CAST('{pg_catalog,information_schema,pg_toast}' AS pg_catalog.name[]))
"""


@dataclass
class Release(Named, ReleaseBase):
    """One deployment to release, and what exists of it."""

    confirmed: bool
    role: bool
    database: bool
    logins: tuple[str, ...] = ()  # those of the logins acting as it that exist
    opened: tuple[str, ...] = ()  # the logins that are open
    clients: int = 0
    size: int = 0
    rows: int | None = None

    @property
    def needed(self) -> bool:
        """Return whether anything of it is left."""
        return self.role or self.database or bool(self.logins)

    def actions(self) -> list[dict[str, t.Any]]:
        """List the actions, in their order."""
        if not self.confirmed:
            return []
        database: dict[str, t.Any] = {
            "action": "drop_database",
            "database": self.target,
            "bytes": self.size,
            "rows": self.rows,
        }
        logins: list[tuple[bool, dict[str, t.Any]]] = [
            (True, {"action": "drop_login", "role": role}) for role in self.logins
        ]
        role: dict[str, t.Any] = {"action": "drop_role", "role": self.target}
        steps = [(self.database, database), *logins, (self.role, role)]
        return [{**step, "name": self.name} for needed, step in steps if needed]

    def result(self) -> dict[str, t.Any]:
        """Return its entry of the module's result."""
        return {
            "database": self.target if self.kept and self.database else None,
            "role": self.target if self.kept and self.role else None,
            **self.outcome({"bytes": self.size, "rows": self.rows}),
        }

    def warning(self) -> str | None:
        """Return a warning that says what was kept and how to release it."""
        if not self.kept:
            return None
        return (
            f"deployment '{self.name}': nothing was released. Its database has about {self.rows} rows in {self.size}"
            f" bytes, and {self.clients} clients are connected; set 'confirm: {self.name}' to drop it."
        )


def plan_release(
    connection: Connection, enter: Enter, entries: t.Sequence[Entry], state: ServerState, owner: Owner
) -> list[Release]:
    """Find out what exists of the deployments to release, and refuse what must not be released."""
    if not entries:
        return []
    raise_for_problems(confirm_problems(entries))
    raise_for_problems(problem for entry in entries for problem in ownership_problems(entry, state, owner))
    releases = [
        Release(
            name=entry["name"],
            confirmed=entry.get("confirm") is not None,
            role=identifier(entry["name"]) in state.roles,
            database=identifier(entry["name"]) in state.databases,
            logins=tuple(role for role in acting_logins(entry["name"]) if role in state.roles),
            opened=tuple(role for role in logins_of(entry["name"]) if role in state.roles and state.roles[role].login),
        )
        for entry in entries
    ]
    raise_for_problems(elsewhere_problems(connection, [release.name for release in releases if release.confirmed]))
    _count_clients(connection, releases)
    raise_for_problems(_client_problems(releases))
    for release in releases:
        if release.database and state.databases[release.target].allow:
            release.rows = count_rows(enter, release.target)
    return releases


def count_rows(enter: Enter, database: str) -> int | None:
    """Estimate the rows of a database; return None if it cannot be entered."""
    try:
        with enter(database) as inside:
            row = inside.execute(_ROWS).fetchone()
    except (psycopg.Error, ClaimError):
        return None
    return int(row[0]) if row else None


def usage(connection: Session, names: t.Sequence[str]) -> dict[str, tuple[int, int]]:
    """Count clients and bytes of deployments; clients of any of its logins count in any database."""
    logins = [[logins_of(name)[position] for name in names] for position in range(3)]
    rows = {target: (int(clients), int(size or 0)) for target, clients, size in connection.execute(_CLIENTS, logins)}
    return {name: rows[identifier(name)] for name in names}


def _count_clients(connection: Session, releases: t.Sequence[Release]) -> None:
    """Count clients and bytes; clients of deployments to release have a moment to disconnect."""
    deadline = time.monotonic() + _GRACE_SECONDS
    while True:
        counted = usage(connection, [release.name for release in releases])
        for release in releases:
            release.clients, release.size = counted[release.name]
        if not any(_client_problems(releases)) or time.monotonic() > deadline:
            return
        time.sleep(0.1)


def _client_problems(releases: t.Iterable[Release]) -> t.Iterator[Problem]:
    for release in releases:
        if release.confirmed and release.clients:
            yield Problem(
                release.name,
                "state",
                f"{release.clients} clients are connected to its database",
                "find them (CLIENT LIST for Redis, pg_stat_activity for Postgres), stop them, then run this again",
            )


def apply_release(connection: PatientSession, releases: t.Sequence[Release]) -> None:
    """Lock the clients out, check again, and only then drop; every step can be repeated."""
    going = [release for release in releases if release.actions()]
    if not going:
        return
    _permit_connections(connection, going, allowed=False)
    _count_clients(connection, going)
    late = list(_client_problems(going))
    if late:
        _permit_connections(connection, going, allowed=True)
        raise_for_problems(late)
    failpoint("release_locked_out")
    revoke_elsewhere(connection, [role for release in going for role in logins_of(release.name)])
    for release in going:
        if release.database:
            connection.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(release.target)))
            failpoint("release_database_dropped")
    # A role can have rights in the database of another deployment that is released.
    for release in going:
        for login in release.logins:
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(login)))
        # The role is dropped last: its comment is the record of the claim.
        if release.role:
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(release.target)))


def _permit_connections(connection: PatientSession, releases: t.Iterable[Release], allowed: bool) -> None:
    parts = []
    for release in releases:
        name = sql.Identifier(release.target)
        if release.database:
            # Its owner may have made it a template, which cannot be dropped.
            words = sql.SQL("ALLOW_CONNECTIONS true" if allowed else "ALLOW_CONNECTIONS false IS_TEMPLATE false")
            parts.append(sql.SQL("ALTER DATABASE {} {}").format(name, words))
        word = sql.SQL("LOGIN" if allowed else "NOLOGIN")
        parts += [sql.SQL("ALTER ROLE {} {}").format(sql.Identifier(role), word) for role in release.opened]
    if parts:
        connection.execute(sql.SQL("; ").join(parts))
