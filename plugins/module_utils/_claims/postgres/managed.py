# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Managed servers: what a login that is not a superuser can and cannot do there."""

from __future__ import annotations

import functools
import secrets
import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.logins import Entry, logins_of
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.state import ServerState
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.names import identifier
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import Problem

try:
    import psycopg
except ImportError:
    pass  # reported by connection.py

if t.TYPE_CHECKING:
    from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.connection import Connection

    Login = t.Callable[[str, str, str], Connection]


def privilege_problems(entries: t.Sequence[Entry], state: ServerState) -> t.Iterator[Problem]:
    """Find rights that we lack for the objects to create, with the SQL that grants them."""
    if state.superuser:
        return
    me = state.me["name"]
    for entry in entries:
        target = identifier(entry["name"])
        lacking = [
            word
            for word, has, exists in (
                ("CREATEROLE", state.me["createrole"], target in state.roles),
                ("CREATEDB", state.me["createdb"], target in state.databases),
            )
            if not has and not exists
        ]
        if lacking:
            yield Problem(
                entry["name"],
                "login_user",
                f"'{me}' is not a superuser and lacks {' and '.join(lacking)}",
                f'ask an administrator to run: ALTER ROLE "{me}" {" ".join(lacking)}',
            )


def closable(names: t.Sequence[str], state: ServerState) -> list[str]:
    """Return the databases on which we may revoke rights; that is, without those of other owners unless we are a superuser."""
    return [
        name
        for name in names
        if state.superuser or (name in state.databases and state.databases[name].owner == state.me["name"])
    ]


def passwords_by_login(
    entries: t.Sequence[Entry], state: ServerState, login: Login
) -> tuple[dict[str, bool | None], dict[str, str]]:
    """Test each password by logging in, as only a superuser may see stored passwords; one connection per existing login.

    Return by role whether it has the password, or None if that is unknown, and by role the reason for an unknown result.
    """
    fits: dict[str, bool | None] = {}
    unknown: dict[str, str] = {}
    for entry in entries:
        target = identifier(entry["name"])
        for role in logins_of(entry["name"]):
            if entry.get("password") and role in state.roles and target in state.databases:
                fits[role], why = has_password(functools.partial(login, target, role), entry["password"])
                unknown.update({role: why} if why else {})
    return fits, unknown


def has_password(login: t.Callable[[str], Connection], password: str) -> tuple[bool | None, str]:
    """Test by logging in whether a role has a password; return None and the reason if that is unknown.

    libpq has no SQLSTATE for a refused connection, and the message is in the server's language. So the error is compared
    with that of a password that is certainly wrong: Postgres reports the same for all wrong ones, and checks everything else,
    such as a limit of connections, after the password. A login without a password request was refused by the network or
    by pg_hba.conf.
    """
    refusal = _refusal(login, password)
    if refusal is None:
        return True, ""
    if not getattr(refusal.pgconn, "used_password", False):
        return None, _first_line(refusal)
    known_wrong = _refusal(login, secrets.token_urlsafe(32))
    if known_wrong is None:
        return None, _first_line(refusal)
    return str(refusal) != str(known_wrong), ""


def _refusal(login: t.Callable[[str], Connection], password: str) -> psycopg.Error | None:
    try:
        login(password).close()
    except psycopg.Error as exc:
        return exc
    return None


def _first_line(exc: Exception) -> str:
    return (str(exc).strip().splitlines() or [type(exc).__name__])[0]


def warnings_of(close: t.Sequence[str], state: ServerState) -> list[str]:
    """Return warnings about what an administrator has to do for us."""
    missing = [name for name in close if name not in closable(close, state) and name in state.databases]
    return [
        f"the database '{name}' belongs to '{state.databases[name].owner}', so only an administrator can revoke the"
        f' access of the deployments: REVOKE CONNECT ON DATABASE "{name}" FROM PUBLIC'
        for name in missing
        if state.databases[name].public and state.databases[name].allow
    ]


def unknown_warnings(unknown: t.Mapping[str, str]) -> list[str]:
    """Return warnings about passwords that could not be tested, with the reasons."""
    return [
        f"could not test the password of the role '{role}' by a login from this host, so the role keeps the one that it has; "
        f"allow that login (pg_hba.conf, firewall), then run this again: {why}"
        for role, why in unknown.items()
    ]
