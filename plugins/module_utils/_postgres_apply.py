# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Carry out a plan in Postgres, in steps that a second run can finish after a crash at any point."""

from __future__ import annotations

import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims import ClaimError, encode_mark
from ansible_collections.selfhost.langgraph.plugins.module_utils._postgres_plan import FORBIDDEN, Need, Plan
from ansible_collections.selfhost.langgraph.plugins.module_utils._scram import make_verifier

try:
    import psycopg
    from psycopg import sql
except ImportError:
    pass  # reported by _postgres_connection

if t.TYPE_CHECKING:
    from ansible_collections.selfhost.langgraph.plugins.module_utils._postgres_connection import Connection

    Connect = t.Callable[[str], Connection]

LOCK = 0x6C616E67  # all writers of claims in one server stand in one line, and none of them reads before its turn


def take_lock(connection: Connection, patience: int) -> None:
    """Wait for our turn. The lock belongs to the session, so it goes when the process goes, however it goes."""
    connection.execute(
        sql.SQL("SET lock_timeout = {}; SELECT pg_advisory_lock({})").format(
            sql.Literal(f"{patience}s"), sql.Literal(LOCK)
        )
    )


def apply_plan(connection: Connection, connect: Connect, plan: Plan, as_superuser: bool) -> None:
    """Roles first, as a mark that what follows is ours; databases closed until nobody else may connect to them."""
    needs = [need for need in plan.needs if need.actions()]
    _together(connection, [part for need in needs for part in _role_parts(need, as_superuser)])
    for need in needs:
        if need.create_database:
            connection.execute(
                sql.SQL(
                    "CREATE DATABASE {0} OWNER {0} TEMPLATE template0 ENCODING 'UTF8' ALLOW_CONNECTIONS false"
                ).format(sql.Identifier(need.target))
            )
    _together(connection, [part for need in needs for part in _database_parts(need)])
    for need in needs:
        if need.extensions:
            _create_extensions(need, connect)
    _together(connection, [part for need in needs for part in _mark_parts(need)])
    _together(connection, [_revoke(name) for name in plan.close])


def _together(connection: Connection, parts: t.Sequence[sql.Composable]) -> None:
    """Send statements at once; without parameters Postgres takes them as one transaction."""
    if parts:
        connection.execute(sql.SQL(";\n").join(parts))


def _role_parts(need: Need, as_superuser: bool) -> t.Iterator[sql.Composable]:
    target = sql.Identifier(need.target)
    if need.create_role:
        yield _role("CREATE", need, ["password"])
        # In the same transaction: a role of ours is never without its mark.
        yield _comment("ROLE", need.target, {key: value for key, value in _mark(need).items() if key != "extensions"})
    elif need.change_role:
        yield _role("ALTER", need, need.change_role)
    if not as_superuser and (need.create_role or need.create_database):
        # Only who is a member of a role may give it a database.
        yield sql.SQL("GRANT {} TO CURRENT_USER").format(target)


def _role(verb: str, need: Need, what: t.Sequence[str]) -> sql.Composable:
    """Write CREATE or ALTER ROLE. Who is no superuser may not even name some rights, so only those to take are named."""
    parts = [
        sql.SQL(f"{verb} ROLE"),
        sql.Identifier(need.target),
        sql.SQL("WITH LOGIN CONNECTION LIMIT"),
        sql.Literal(need.entry.get("connection_limit", -1)),
    ]
    for word in what:
        if word == "password":
            parts += [sql.SQL("PASSWORD"), sql.Literal(make_verifier(need.entry["password"]))]
        elif word == "expires":
            parts.append(sql.SQL("VALID UNTIL 'infinity'"))
        elif word in FORBIDDEN:
            parts.append(sql.SQL(f"NO{word.upper()}"))
    return sql.SQL(" ").join(parts)


def _database_parts(need: Need) -> t.Iterator[sql.Composable]:
    target = sql.Identifier(need.target)
    if "owner" in need.change_database:
        yield sql.SQL("ALTER DATABASE {0} OWNER TO {0}").format(target)
    if need.create_database or "public" in need.change_database:
        yield _revoke(need.target)
    if need.create_database or "allow_connections" in need.change_database:
        yield sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(target)


def _revoke(database: str) -> sql.Composable:
    return sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(database))


def _create_extensions(need: Need, connect: Connect) -> None:
    """Create what is missing inside the database, and put the true versions into the mark."""
    with connect(need.target) as connection:
        for name in need.extensions:
            try:
                connection.execute(sql.SQL("CREATE EXTENSION IF NOT EXISTS {}").format(sql.Identifier(name)))
            except psycopg.Error as exc:
                raise ClaimError(
                    f"deployment '{need.name}', option 'extensions': Postgres refused '{name}'"
                    f" ({exc.diag.message_primary}); have an administrator run in the database '{need.target}':"
                    f' CREATE EXTENSION "{name}", then run this again'
                ) from exc
        rows = connection.execute(
            "SELECT extname, extversion FROM pg_extension WHERE extname = ANY(%s)", [need.extensions]
        ).fetchall()
    _mark(need)["extensions"].update(rows)


def _mark(need: Need) -> dict[str, t.Any]:
    return need.mark or {}


def _mark_parts(need: Need) -> t.Iterator[sql.Composable]:
    if need.mark is not None:
        for kind in ("ROLE", "DATABASE"):
            yield _comment(kind, need.target, need.mark)


def _comment(kind: str, target: str, mark: t.Mapping[str, t.Any]) -> sql.Composable:
    return sql.SQL("COMMENT ON {} {} IS {}").format(
        sql.SQL(kind), sql.Identifier(target), sql.Literal(encode_mark(mark))
    )
