# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Servers that others run: what a login that is no superuser, or goes through a pooler, can and cannot do there."""

from __future__ import annotations

import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims import ClaimError, identifier
from ansible_collections.selfhost.langgraph.plugins.module_utils._postgres_world import World
from ansible_collections.selfhost.langgraph.plugins.module_utils._problems import Problem

if t.TYPE_CHECKING:
    from ansible_collections.selfhost.langgraph.plugins.module_utils._postgres_connection import Connection
    from ansible_collections.selfhost.langgraph.plugins.module_utils._postgres_plan import Entry

    Login = t.Callable[[str, str], Connection]


def refuse_poolers(world: World) -> None:
    """A pooler gives each transaction another session, so the lock that keeps runs apart would be nobody's."""
    if world.pooled:
        raise ClaimError(
            "there is a connection pooler such as PgBouncer between us and Postgres (the session that answers is not the"
            " one we opened): databases cannot be claimed safely through it. Give the address of Postgres itself here;"
            " the deployments may still go through the pooler, in its session mode."
        )


def privilege_problems(entries: t.Sequence[Entry], world: World) -> t.Iterator[Problem]:
    """Find rights that we lack for what is to be made, with the SQL that gives them."""
    if world.superuser:
        return
    me = world.me["name"]
    for entry in entries:
        target = identifier(entry["name"])
        lacking = [
            word
            for word, has, exists in (
                ("CREATEROLE", world.me["createrole"], target in world.roles),
                ("CREATEDB", world.me["createdb"], target in world.databases),
            )
            if not has and not exists
        ]
        if lacking:
            yield Problem(
                entry["name"],
                "login_user",
                f"'{me}' is no superuser and lacks {' and '.join(lacking)}",
                f'have an administrator run: ALTER ROLE "{me}" {" ".join(lacking)}',
            )


def closable(names: t.Sequence[str], world: World) -> list[str]:
    """Leave out the databases from which only their owner, who is not us, can take a right."""
    return [
        name
        for name in names
        if world.superuser or (name in world.databases and world.databases[name].owner == world.me["name"])
    ]


def passwords_by_login(entries: t.Sequence[Entry], world: World, login: Login) -> dict[str, bool]:
    """Try each password, as only a superuser may see what is stored: one connection for each existing role."""
    fits = {}
    for entry in entries:
        target = identifier(entry["name"])
        if entry.get("password") and target in world.roles and target in world.databases:
            try:
                login(target, entry["password"]).close()
            except ClaimError as exc:
                # Postgres counts connections after it has checked the password.
                fits[entry["name"]] = "too many connections" in str(exc)
            else:
                fits[entry["name"]] = True
    return fits


def warnings_of(close: t.Sequence[str], world: World) -> list[str]:
    """Say what an administrator has to do for us."""
    missing = [name for name in close if name not in closable(close, world) and name in world.databases]
    return [
        f"the database '{name}' belongs to '{world.databases[name].owner}', so only an administrator can shut the"
        f' deployments out of it: REVOKE CONNECT ON DATABASE "{name}" FROM PUBLIC'
        for name in missing
        if world.databases[name].public and world.databases[name].allow
    ]
