# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Roles, databases and servers of Postgres for the tests of this directory."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.comment import encode_claim_comment
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.logins import Logins
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.plan import Need
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.scram import make_verifier
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.state import (
    Database,
    Role,
    ServerState,
)

ADMIN = {"name": "postgres", "superuser": True, "createdb": True, "createrole": True}
OURS, THEIRS = "o" * 22, "t" * 22
VERIFIER = make_verifier("p", b"salt", 1)


def comment(deployment: str = "a", **more: t.Any) -> str:
    """Return the comment of a claim."""
    return encode_claim_comment({"deployment": deployment, **more})


def role(name: str = "a", **changes: t.Any) -> Role:
    """Return the role of a deployment, which can log in with the password 'p', as this collection creates it."""
    usual = Role(name, True, *[False] * 5, -1, False, VERIFIER, comment(name.replace("_", "-")))
    return dataclasses.replace(usual, **changes)


def second(name: str = "a", **changes: t.Any) -> Role:
    """Return the second login of a deployment."""
    usual = role(f"{name}.b", comment=comment(name, login_of=name), member_of=(name,), settings=(f"role={name}",))
    return dataclasses.replace(usual, **changes)


def database(name: str = "a", **changes: t.Any) -> Database:
    """Return the database of a deployment, as this collection creates it."""
    usual = Database(name, name, True, False, comment(name.replace("_", "-")))
    return dataclasses.replace(usual, **changes)


def server(*objects: Role | Database, **changes: t.Any) -> ServerState:
    """Return a server with these objects."""
    usual: dict[str, t.Any] = {
        "version": 170000,
        "max_connections": 200,
        "me": ADMIN,
        "roles": {item.name: item for item in objects if isinstance(item, Role)},
        "databases": {item.name: item for item in objects if isinstance(item, Database)},
        "extensions": {"vector": "0.8", "ltree": "1.2"},
    }
    return ServerState(**{**usual, **changes})


def entry(name: str = "a", **more: t.Any) -> dict[str, t.Any]:
    """Return a present deployment of the module's list."""
    return {"name": name, "password": "p", "connection_limit": -1, "extensions": [], **more}


def need_for(wanted: t.Mapping[str, t.Any], logins: Logins, **fields: t.Any) -> Need:
    """Return what a deployment of the module's list lacks."""
    return Need(wanted["name"], wanted, logins, **fields)
