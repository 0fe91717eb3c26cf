# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""List the claims in a Redis server, how much they are used, and orphans."""

from __future__ import annotations

import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.errors import ClaimError
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.connection import Server
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.plan import known_dbs, record_input
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.record import CLAIMS_KEY
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.release import connected, count
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.scripts import INSPECT_SCRIPT
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.state import read_state
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.redis_rights import users_of


def inspect(server: Server, params: t.Mapping[str, t.Any], _check_mode: bool) -> dict[str, t.Any]:
    """Read all claims and orphans; nothing is changed."""
    state = read_state(server, [])
    answer = server.script(INSPECT_SCRIPT, CLAIMS_KEY, record_input(state, params))
    try:
        clients = connected(server)
    except ClaimError:
        clients = None  # a managed service that hides this
    users = server.call("ACL", "USERS")
    keys = {int(item["db"]): int(item["keys"]) for item in answer["counts"] or ()}
    claims = [
        {
            "name": item["name"],
            "redis_db": int(item["db"]),
            "key_count": keys.get(int(item["db"]), 0),
            "clients": None if clients is None else count(clients, users_of(item["name"]), int(item["db"])),
            "user": None if isinstance(users, Exception) else not set(users).isdisjoint(users_of(item["name"])),
            "owner": item.get("owner"),
        }
        for item in answer["claims"] or ()
    ]
    claims.sort(key=lambda claim: claim["name"])
    known = None if params["known_claims"] is None else known_dbs(params["known_claims"], answer.get("server"))
    return {
        "changed": False,
        "claims": claims,
        "orphans": orphans(claims, keys, known),
        "number_limit": int(answer["databases"]),
        "server": answer.get("server"),
        "server_version": state.version,
        "warnings": [],
    }


def orphans(
    claims: t.Sequence[t.Mapping[str, t.Any]], keys: t.Mapping[int, int], known: t.Mapping[str, int] | None
) -> list[dict[str, t.Any]]:
    """Find databases that have keys and no claim, and claims that are in one of the two records only."""
    recorded = {claim["name"]: claim["redis_db"] for claim in claims}
    held = {*recorded.values(), *(known or {}).values()}
    found: list[dict[str, t.Any]] = [
        {"kind": "keys_without_claim", "name": None, "redis_db": db, "key_count": count_}
        for db, count_ in sorted(keys.items())
        if db not in held
    ]
    if known is None:
        return found
    for name in sorted({*recorded, *known}):
        if recorded.get(name) == known.get(name):
            continue
        kind = "disagreement" if name in recorded and name in known else "claim_without_database"
        if name not in recorded:
            kind = "database_without_claim"
        db = recorded.get(name, known.get(name))
        found.append({"kind": kind, "name": name, "redis_db": db, "key_count": keys.get(db or 0, 0)})
    return found
