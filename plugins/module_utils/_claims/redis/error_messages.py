# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Messages for the error codes of the claims script. No I/O here."""

from __future__ import annotations

import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.errors import ClaimError
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.owner import Owner
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.names import identifier
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import Problem


def script_problems(answer: t.Mapping[str, t.Any], owner: Owner) -> t.Iterator[Problem]:
    """Turn the error codes of the script into problems; raise ClaimError if the server cannot be identified."""
    if len(answer.get("lost") or ()) > 1:
        raise ClaimError(
            f"this Redis has lost its record of claims, and Postgres records {len(answer['lost'])} servers at its address:"
            f" {', '.join(answer['lost'])}. Record which one this is: HSET selfhost.langgraph:claims :server UUID"
        )
    for item in answer["problems"] or ():
        yield _of_owner(item, owner) or _problem_from_code(item, int(answer["databases"]))


def _of_owner(item: t.Mapping[str, t.Any], owner: Owner) -> Problem | None:
    name, db = str(item["name"]), item.get("db")
    if item["code"] == "owner":
        return owner.problem(name, f"Redis database {db}", item["other"])
    if item["code"] == "database_owner":
        return owner.problem(name, f"Postgres database '{identifier(name)}'", item["other"])
    return None


def _problem_from_code(item: t.Mapping[str, t.Any], databases: int) -> Problem:
    name, db, other, keys = item["name"], item.get("db"), item.get("other"), item.get("keys")
    option, finding, remedy = {
        "disagree": (
            "name",
            f"Redis records database {db} for it, but its Postgres database records {other}",
            "find out which of the two has its data, then correct the other record",
        ),
        "moves": (
            "redis_db",
            f"it already has Redis database {db} and cannot move to {other}",
            f"set it to {db}, or leave it out",
        ),
        "held": ("redis_db", f"Redis database {db} belongs to '{other}'", "choose another one, or leave it out"),
        "remembered": (
            "redis_db",
            f"Redis database {db} belongs to '{other}' according to its Postgres database",
            "choose another one, or leave it out",
        ),
        "user": (
            "redis_db",
            f"the Redis user '{other}' may select database {db}",
            f"choose another one, or leave it out; if nobody needs that user, remove it with ACL DELUSER {other}",
        ),
        "twice": (
            "known_claims",
            f"Redis database {db} is recorded both for it and for {_listed(other)}",
            "find out whose keys it has, and correct the comment of the Postgres role of the other deployment",
        ),
        "shared": (
            "name",
            f"Redis records database {db} for it, but the Postgres database of '{other}' records {db} too",
            "find out whose keys it has, then correct the other record",
        ),
        "range": (
            "redis_db",
            f"Redis database {db} does not exist: the server has 1 to {databases - 1}, and 0 is reserved",
            "choose one in that range, or raise 'databases' in redis.conf",
        ),
        "occupied": (
            "redis_db",
            f"Redis database {db} is not claimed, but has {keys} keys",
            "choose another one, or find out whose keys they are and empty it",
        ),
        "left": (
            "state",
            f"{keys} keys were written to its Redis database {db} while the deployment was being removed",
            "find out which client writes there, stop it, then run again; its user is already removed",
        ),
        "foreign": (
            "name",
            "Redis has a user of that name which this collection did not create",
            "choose another name, or remove the user with ACL DELUSER",
        ),
        "full": (
            "name",
            f"none of the Redis databases 1 to {databases - 1} is free",
            "raise 'databases' in redis.conf, or release deployments that are no longer needed",
        ),
    }[str(item["code"])]
    return Problem(str(name), option, finding, remedy)


def _listed(names: t.Any) -> str:
    return ", ".join(f"'{name}'" for name in names) if isinstance(names, list) else str(names)
