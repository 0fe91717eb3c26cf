# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The implementation of the module postgres_database_info."""

from __future__ import annotations

import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.owner import owner_of
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres import release as _release
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.module import Params, entering
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.state import (
    claims_of,
    orphans_of,
    read_state,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.names import identifier

if t.TYPE_CHECKING:
    from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.connection import Connection


def inspect(connection: Connection, params: Params, _check_mode: bool) -> dict[str, t.Any]:
    """Read the durable claims, and with ``sizes`` also how much they are used and the orphans."""
    state = read_state(connection, [])
    claims, names = claims_of(state), set(params["names"])
    foreign = [
        owner_of(params).problem(claim["name"], "claim", claim["owner"]) for claim in claims if claim["name"] in names
    ]
    result: dict[str, t.Any] = {
        "changed": False,
        "unavailable": None,
        "foreign": [str(problem) for problem in foreign if problem],
        "claims": claims,
        "max_connections": state.max_connections,
        "server_version": state.version,
        "warnings": [],
    }
    if params["sizes"]:
        used = _release.usage(connection, [claim["name"] for claim in result["claims"]])
        for claim in result["claims"]:
            claim["clients"], claim["bytes"] = used[claim["name"]]
            rows = claim["database"] and _release.count_rows(entering(params, state), identifier(claim["name"]))
            claim["rows"] = rows if claim["database"] else None
        result["orphans"] = orphans_of(state)
    return result
