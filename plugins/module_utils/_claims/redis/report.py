# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The result, diff and warnings of redis_database. No I/O here."""

from __future__ import annotations

import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.acl import User
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.plan import Plan
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.state import Entry, ServerState

HIDDEN = "(hidden)"


def result_of(entries: t.Sequence[Entry], plan: Plan, answer: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the outcome, as described in the module's RETURN section."""
    touched = {action["name"] for action in plan.actions if "name" in action}
    databases = {
        entry["name"]: {
            "redis_db": plan.dbs.get(entry["name"]),
            "user": login.user if login else None,
            "changed": entry["name"] in touched,
            "retiring": list(login.retiring if login else ()),
            "retired": list(login.retire if login else ()),
        }
        for entry in entries
        for login in [plan.logins.get(entry["name"])]
    }
    return {
        "changed": bool(plan.actions),
        "databases": databases,
        "actions": plan.actions,
        "number_limit": int(answer["databases"]),
    }


def diff_of(plan: Plan, releases: t.Iterable[t.Any] = ()) -> dict[str, t.Any]:
    """Return the changes for ``--diff``; passwords are never in it."""
    before: dict[str, t.Any] = {}
    after: dict[str, t.Any] = {}
    for release in releases:
        if release.actions():
            before[release.name] = {"redis_db": release.db, "keys": release.keys}
            after[release.name] = None
    for action in plan.actions:
        if action["action"] == "claim":
            before.setdefault(action["name"], {})["redis_db"] = None
            after.setdefault(action["name"], {})["redis_db"] = action["redis_db"]
    for user, what in plan.users:
        new = what == ["user"]
        for part in ("password", "key_patterns", "channel_patterns", "commands") if new else what:
            before.setdefault(user.name, {})[part] = None if new else "(previous)"
            after.setdefault(user.name, {})[part] = _diff_value(user, part)
    for name in plan.deleted:
        before.setdefault(name, {})["enabled"] = True
        after[name] = None
    return {"before": before, "after": after}


def _diff_value(user: User, part: str) -> t.Any:
    return {
        "key_patterns": sorted(user.keys),
        "channel_patterns": sorted(user.channels),
        "commands": " ".join(user.commands()),
        "enabled": True,
    }.get(part, HIDDEN)


def warnings_of(state: ServerState, answer: t.Mapping[str, t.Any], manage_users: bool) -> list[str]:
    """Return warnings about conditions that are unsafe but not refused."""
    found = []
    if not manage_users:
        found.append(
            "manage_users is false: every deployment that knows the Redis password can read and delete the keys of"
            " every other deployment. Databases are separated by convention only."
        )
    elif state.acl_file == "":
        found.append(
            "Redis has no aclfile: a restart loses the users of the deployments, and the deployments cannot log in until"
            " this module has run again. Set 'aclfile' in redis.conf."
        )
    if manage_users and state.rules is None:
        found.append(
            "Redis does not list its users, so the channels of deployments that are not in the list could not be compared."
        )
    if manage_users and state.open_default:
        found.append(
            "the default user of Redis is on and needs no password: everybody who reaches the server can read and"
            " delete everything, and so can every deployment with the command RESET. Switch it off: ACL SETUSER default off."
        )
    if state.lossy_default:
        found.append(
            "the default user of Redis lacks rights, and Redis keeps an append-only file: a restart loads the file as that"
            " user and silently drops its transactions, including claims (redis#14541, valkey#3983). Give it all rights and keep"
            " it off: ACL SETUSER default off resetpass ~* &* +@all."
        )
    for item in answer["disputes"] or ():
        found.append(
            f"deployment '{item['name']}': Redis and Postgres disagree about its database number"
            f" ({item['db']}, {item['other']}). Neither is assigned to anybody; find out which one has its data."
        )
    for item in answer["stray"] or ():
        found.append(f"Redis database {item['db']} is not claimed, but has {item['keys']} keys: it was skipped.")
    return found
