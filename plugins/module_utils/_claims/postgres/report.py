# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The result, diff and warnings of postgres_database. No I/O here."""

from __future__ import annotations

import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.logins import Entry, logins_of
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.plan import Plan
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.problems import remembered
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.state import OF_SERVICES, ServerState
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.names import identifier

HIDDEN = "(hidden)"


def result_of(plan: Plan, state: ServerState) -> dict[str, t.Any]:
    """Return the outcome, as described in the module's RETURN section."""
    databases = {}
    for need in plan.needs:
        claim_comment = need.claim_comment or remembered(need.name, state) or {}
        databases[need.name] = {
            "database": need.target,
            "role": need.target,
            "login": need.logins.login,
            "retired": list(need.logins.retire),
            "retiring": list(need.logins.retiring),
            "redis_db": claim_comment.get("redis_number"),
            "extensions": claim_comment.get("extensions", {}),
            "changed": bool(need.actions()),
        }
    actions = plan.actions()
    return {"changed": bool(actions), "databases": databases, "actions": actions}


def diff_of(plan: Plan, releases: t.Iterable[t.Any] = ()) -> dict[str, t.Any]:
    """Return the changes for ``--diff``; passwords and verifiers are never in it."""
    after: dict[str, t.Any] = {
        release.name: {action["action"]: release.target for action in release.actions()} for release in releases
    }
    for need in plan.needs:
        shown = after.setdefault(need.name, {})
        for action in need.actions():
            shown[action["action"]] = action.get("what") or action.get("extension") or action.get("role") or need.target
        if need.create_role or need.logins.set_password:
            shown["password"] = HIDDEN
        if need.claim_comment is not None:
            shown["remember"] = need.claim_comment
    after = {name: shown for name, shown in after.items() if shown}
    if plan.close:
        after["revoke_public"] = plan.close
    return {"before": {name: {} for name in after}, "after": after}


def warnings_of(entries: t.Sequence[Entry], state: ServerState, plan: Plan) -> list[str]:
    """Return warnings about conditions that are unsafe but not refused."""
    found = []
    own = {identifier(entry["name"]) for entry in entries}
    ours = own | {role.name for role in state.roles.values() if role.claim_comment}
    for name, database in sorted(state.databases.items()):
        if database.public and database.allow and name not in ours | OF_SERVICES and name not in plan.close:
            found.append(
                f"any role may connect to the database '{name}', including those of the deployments; to prevent it, grant CONNECT to"
                f' the roles that use it, and ask an administrator to run: REVOKE CONNECT ON DATABASE "{name}" FROM PUBLIC'
            )
    for name in sorted({role for entry in entries for role in logins_of(entry["name"])} & set(state.roles)):
        groups = ", ".join(group for group in state.roles[name].member_of if group not in own)
        if groups:
            found.append(f"the role '{name}' is a member of {groups} and has their rights in addition to its own.")
    if state.version < 150000:
        found.append(f"Postgres {state.version // 10000} works, but only 15 and newer are tested.")
    return found
