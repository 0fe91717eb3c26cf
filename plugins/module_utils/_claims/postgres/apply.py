# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Apply a plan in Postgres, in steps that a second run can finish after a crash at any point."""

from __future__ import annotations

import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.comment import encode_claim_comment
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.extensions import create_extensions
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.plan import (
    FORBIDDEN,
    RESET_INSIDE,
    Need,
    Plan,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.scram import make_verifier

try:
    from psycopg import sql
except ImportError:
    pass  # reported by connection.py

if t.TYPE_CHECKING:
    from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.connection import Connection
    from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.timeouts import PatientSession

    Enter = t.Callable[[str], Connection]


# The right to connect is checked at login only: end sessions of roles that no longer have it, as far as we may.
_END_UNPERMITTED = """
SELECT pg_catalog.pg_terminate_backend(a.pid) FROM pg_catalog.pg_stat_activity a
WHERE a.datname = ANY(CAST(%s AS pg_catalog.text[])) AND a.usesysid IS NOT NULL
  AND NOT pg_catalog.has_database_privilege(a.usesysid, a.datid, 'CONNECT')
  AND (pg_catalog.pg_has_role(a.usesysid, 'USAGE') OR pg_catalog.pg_has_role('pg_signal_backend', 'USAGE'))
"""


def apply_plan(connection: PatientSession, enter: Enter, plan: Plan, as_superuser: bool) -> None:
    """Create roles first, as their comments show that the rest is ours; keep databases closed until only we may connect."""
    needs = [need for need in plan.needs if need.actions()]
    _execute_all(connection, [part for need in needs for part in _role_parts(need, as_superuser)])
    for need in needs:
        if need.create_database:
            connection.execute(
                sql.SQL(
                    "CREATE DATABASE {0} OWNER {0} TEMPLATE template0 ENCODING 'UTF8' ALLOW_CONNECTIONS false"
                ).format(sql.Identifier(need.target))
            )
    _execute_all(connection, [part for need in needs for part in _database_parts(need)])
    closed = [need.target for need in needs if {"public", "grants"} & set(need.change_database)]
    if closed:
        connection.execute(_END_UNPERMITTED, [closed])
    for need in needs:
        if need.extensions:
            _create_extensions(need, enter)
    _execute_all(connection, [part for need in needs for part in _claim_comment_parts(need)])
    _execute_all(connection, [_revoke(name) for name in plan.close])
    _retire(connection, [role for need in needs for role in need.logins.retire])


def _execute_all(connection: PatientSession, parts: t.Sequence[sql.Composable]) -> None:
    """Send statements at once; without parameters Postgres runs them as one transaction."""
    if parts:
        connection.execute(sql.SQL(";\n").join(parts))


def _role_parts(need: Need, as_superuser: bool) -> t.Iterator[sql.Composable]:
    target = sql.Identifier(need.target)
    if need.create_role:
        yield _role("CREATE", need, need.target, ["login", "connection_limit", "password"])
        # In the same transaction: a role of ours is never without its comment.
        yield _comment(
            "ROLE", need.target, {key: value for key, value in _claim_comment(need).items() if key != "extensions"}
        )
    elif set(need.change_role) - {"settings"}:
        yield _role("ALTER", need, need.target, need.change_role)
    if "settings" in need.change_role:
        yield from _reset_parts(need, need.target)
    if not as_superuser and (need.create_role or need.create_database):
        # Only a member of a role may assign a database to it.
        yield sql.SQL("GRANT {} TO CURRENT_USER").format(target)
    for name in need.create_logins:
        yield from _new_login_parts(need, name, as_superuser)
    for name, what in need.change_logins.items():
        yield from _changed_login_parts(need, name, what)


def _new_login_parts(need: Need, name: str, as_superuser: bool) -> t.Iterator[sql.Composable]:
    """Create a login that only acts as the owner."""
    yield _role("CREATE", need, name, ["login", "connection_limit", "password"])
    yield _comment("ROLE", name, {"deployment": need.name, "login_of": need.target})
    if not as_superuser:
        # Only a member of a role may end its sessions.
        yield sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(name))
    yield from _changed_login_parts(need, name, ["membership", "acting"])


def _changed_login_parts(need: Need, name: str, what: t.Sequence[str]) -> t.Iterator[sql.Composable]:
    login, target = sql.Identifier(name), sql.Identifier(need.target)
    if set(what) - {"membership", "acting", "settings"}:
        yield _role("ALTER", need, name, what)
    if "membership" in what:
        yield sql.SQL("GRANT {} TO {}").format(target, login)
    if "acting" in what:
        yield sql.SQL("ALTER ROLE {} SET role = {}").format(login, sql.Literal(need.target))
    if "settings" in what:
        yield from _reset_parts(need, name)


def _reset_parts(need: Need, role: str) -> t.Iterator[sql.Composable]:
    for setting in RESET_INSIDE:
        yield sql.SQL("ALTER ROLE {} IN DATABASE {} RESET {}").format(
            sql.Identifier(role), sql.Identifier(need.target), sql.Identifier(setting)
        )


def _role(verb: str, need: Need, name: str, what: t.Sequence[str]) -> sql.Composable:
    """Build CREATE or ALTER ROLE with the rights to change only: without superuser rights some may not even be named."""
    parts = [sql.SQL(f"{verb} ROLE"), sql.Identifier(name), sql.SQL("WITH")]
    if "login" in what or "password" in what:
        parts.append(sql.SQL("LOGIN"))
    for word in what:
        if word == "connection_limit":
            parts += [sql.SQL("CONNECTION LIMIT"), sql.Literal(need.entry.get("connection_limit", -1))]
        elif word == "password":
            parts += [sql.SQL("PASSWORD"), sql.Literal(make_verifier(need.entry["password"]))]
        elif word == "expires":
            parts.append(sql.SQL("VALID UNTIL 'infinity'"))
        elif word in FORBIDDEN:
            parts.append(sql.SQL(f"NO{word.upper()}"))
    return sql.SQL(" ").join(parts)


def _retire(connection: PatientSession, roles: t.Sequence[str]) -> None:
    """Close logins permanently, and end their sessions; a second run ends those that a killed run left.

    Sessions are ended before, because one could hold the lock on its role, and after, because another could have started.
    """
    if not roles:
        return
    _end_sessions(connection, roles)
    _execute_all(
        connection, [sql.SQL("ALTER ROLE {} WITH NOLOGIN PASSWORD NULL").format(sql.Identifier(r)) for r in roles]
    )
    _end_sessions(connection, roles)


def _end_sessions(connection: PatientSession, roles: t.Sequence[str]) -> None:
    connection.execute(
        "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity"
        " WHERE usename = ANY(CAST(%s AS pg_catalog.text[]))",
        [list(roles)],
    )


def _database_parts(need: Need) -> t.Iterator[sql.Composable]:
    target = sql.Identifier(need.target)
    if "owner" in need.change_database:
        yield sql.SQL("ALTER DATABASE {0} OWNER TO {0}").format(target)
    if need.create_database or "public" in need.change_database:
        yield _revoke(need.target)
    if need.revoke:
        # CASCADE also revokes what they have granted to others.
        yield sql.SQL("REVOKE ALL ON DATABASE {} FROM {} CASCADE").format(
            target, sql.SQL(", ").join(sql.Identifier(role) for role in need.revoke)
        )
    if "template" in need.change_database:
        yield sql.SQL("ALTER DATABASE {} IS_TEMPLATE false").format(target)
    if need.create_database or "allow_connections" in need.change_database:
        yield sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(target)


def _revoke(database: str) -> sql.Composable:
    return sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(database))


def _create_extensions(need: Need, enter: Enter) -> None:
    """Create the missing extensions in the database, and record their actual versions in the comment."""
    wanted = {name: _claim_comment(need)["extensions"][name] for name in need.extensions}
    with enter(need.target) as inside:
        _claim_comment(need)["extensions"].update(create_extensions(inside, need.name, need.target, wanted))


def _claim_comment(need: Need) -> dict[str, t.Any]:
    return need.claim_comment or {}


def _claim_comment_parts(need: Need) -> t.Iterator[sql.Composable]:
    if need.claim_comment is not None:
        for kind in ("ROLE", "DATABASE"):
            yield _comment(kind, need.target, need.claim_comment)


def _comment(kind: str, target: str, claim_comment: t.Mapping[str, t.Any]) -> sql.Composable:
    return sql.SQL("COMMENT ON {} {} IS {}").format(
        sql.SQL(kind), sql.Identifier(target), sql.Literal(encode_claim_comment(claim_comment))
    )
