# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Problems that prevent a claim in Postgres: invalid entries, and objects of others. No I/O here."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.owner import Owner
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.logins import (
    Entry,
    has_login,
    logins_of,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.state import (
    Database,
    Role,
    ServerState,
    claims_of,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.names import identifier, name_problems
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import Problem

EXTENSION = re.compile(r"[a-z_][a-z0-9_-]*")
ClaimsByDb = t.Mapping[int, t.Sequence[t.Mapping[str, t.Any]]]


def entry_problems(entries: t.Sequence[Entry]) -> t.Iterator[Problem]:
    """Find problems of the list itself."""
    yield from name_problems(entry["name"] for entry in entries)
    asked: dict[int, str] = {}
    for entry in entries:
        name, db = entry["name"], entry.get("redis_db")
        if db and asked.setdefault(db, name) != name:
            yield Problem(
                name,
                "redis_db",
                f"Redis database {db} is also assigned to '{asked[db]}'",
                "give one of the two deployments another number",
            )
        for extension in entry.get("extensions") or ():
            if not EXTENSION.fullmatch(extension):
                yield Problem(name, "extensions", f"{extension!r} is not the name of an extension", "correct it")


def state_problems(entries: t.Sequence[Entry], state: ServerState, owner: Owner) -> t.Iterator[Problem]:
    """Find problems on the server."""
    claims_by_db: dict[int, list[dict[str, t.Any]]] = {}
    for claim in claims_of(state):
        if claim["redis_db"]:  # deployments in a cluster share database 0
            claims_by_db.setdefault(claim["redis_db"], []).append(claim)
    for entry in entries:
        yield from ownership_problems(entry, state, owner)
        yield from _redis_db_problems(entry, state, claims_by_db)
        if has_login(entry):
            yield from _aes_key_problems(entry, state, owner)
        for extension in entry.get("extensions") or ():
            if extension not in state.extensions and has_login(entry):
                yield Problem(
                    entry["name"],
                    "extensions",
                    f"the server does not have the extension '{extension}'",
                    "install its package on the Postgres host (for 'vector': postgresql-VERSION-pgvector; a managed Postgres has only its "
                    "provider's extensions), or leave it out",
                )


def ownership_problems(entry: Entry, state: ServerState, owner: Owner) -> t.Iterator[Problem]:
    """Find a role or database of that name that belongs to somebody else."""
    name = entry["name"]
    target, *acting = names = logins_of(name)
    role, database = state.roles.get(target), state.databases.get(target)
    strange = [role for role in acting if role in state.roles and _login_of(state.roles[role]) != target]
    if state.me["name"] in names:
        yield Problem(name, "name", "this is the administrator's role in Postgres", "choose another name")
    elif role is not None and not _is_for(role, name):
        yield _not_ours(name, "role", target)
    elif database is not None and not _is_for(database, name) and not (role and database.owner == target):
        yield _not_ours(name, "database", target)
    elif strange:
        yield _not_ours(name, "role", strange[0])
    else:
        found = (remembered(name, state) or {}).get("owner")
        yield from filter(None, [owner.problem(name, f"Postgres database '{target}'", found)])
    if role is None and not entry.get("password") and entry.get("state", "present") == "present" and has_login(entry):
        yield Problem(name, "password", "a new role needs a password", "set one")


def _login_of(role: Role) -> str | None:
    return (role.claim_comment or {}).get("login_of")


def _not_ours(name: str, kind: str, target: str) -> Problem:
    return Problem(
        name,
        "name",
        f"Postgres has a {kind} '{target}' which this collection did not create",
        f"choose another name, or rename that {kind}",
    )


def _is_for(item: Role | Database, name: str) -> bool:
    return item.claim_comment is not None and item.claim_comment["deployment"] == name


def _redis_db_problems(entry: Entry, state: ServerState, claims_by_db: ClaimsByDb) -> t.Iterator[Problem]:
    name, db = entry["name"], entry.get("redis_db")
    if db is None:
        return
    before = remembered(name, state) or {}
    # Database numbers of another server are different databases.
    moved = None not in (before.get("redis_server"), entry.get("redis_server")) and not _same_server(before, entry)
    if before.get("redis_number") not in (None, db) and not moved:
        yield Problem(
            name,
            "redis_db",
            f"its Postgres database records Redis database {before['redis_number']}, not {db}",
            "find out which of the two has its data, then correct the other record",
        )
        return
    for claim in claims_by_db.get(db, ()):
        if claim["name"] != name and _same_server(claim, entry):
            yield Problem(
                name,
                "redis_db",
                f"Redis database {db} belongs to '{claim['name']}' according to its Postgres database",
                "claim a database with the module redis_database and its option known_claims",
            )
            return


def _aes_key_problems(entry: Entry, state: ServerState, owner: Owner) -> t.Iterator[Problem]:
    """Find an AES key that differs from the remembered one, on whatever host the deployment has served with that."""
    name, keys = entry["name"], entry.get("aes_keys")
    before = remembered(name, state) or {}
    # The fingerprint depends on the owner's secret key, so it cannot be compared if that key is lost.
    if before.get("owner") not in (None, owner.name, *owner.previous):
        return
    if keys is None or entry.get("accept_new_aes_key") or before.get("aes") in (None, *keys):
        return
    yield Problem(
        name,
        "langgraph_aes_key",
        f"it is not the key that its Postgres database '{identifier(name)}' records, and data encrypted with that key"
        " would be unreadable",
        "set that key again, or set accept_new_aes_key: true to give up the encrypted data",
    )


def _same_server(one: t.Mapping[str, t.Any], other: t.Mapping[str, t.Any]) -> bool:
    """Return whether two records can be of one Redis server; a record without a server can be of any."""
    servers = {one.get("redis_server"), other.get("redis_server")} - {None}
    return len(servers) < 2


def remembered(name: str, state: ServerState) -> dict[str, t.Any] | None:
    """Return the durable copy: that of the role, which the deployment cannot change, else that of its database."""
    target = identifier(name)
    for item in (state.roles.get(target), state.databases.get(target)):
        if item is not None and _is_for(item, name):
            return item.claim_comment
    return None
