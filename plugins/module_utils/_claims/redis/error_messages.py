# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The codes of the claims script in words. No I/O here."""

from __future__ import annotations

import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.errors import ClaimError
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.owner import Owner
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.names import identifier
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import Problem


def script_problems(answer: t.Mapping[str, t.Any], owner: Owner) -> t.Iterator[Problem]:
    """Put the script's codes into words."""
    if len(answer.get("lost") or ()) > 1:
        raise ClaimError(
            f"this Redis has lost its record, and Postgres remembers {len(answer['lost'])} servers at its address:"
            f" {', '.join(answer['lost'])}. Write down which one it is: HSET selfhost.langgraph:claims :server UUID"
        )
    for item in answer["problems"] or ():
        yield _of_owner(item, owner) or _worded(item, int(answer["databases"]))


def _of_owner(item: t.Mapping[str, t.Any], owner: Owner) -> Problem | None:
    name, number = str(item["name"]), item.get("number")
    if item["code"] == "owner":
        return owner.problem(name, f"Redis number {number}", item["other"])
    if item["code"] == "database_owner":
        return owner.problem(name, f"Postgres database '{identifier(name)}'", item["other"])
    return None


def _worded(item: t.Mapping[str, t.Any], databases: int) -> Problem:
    name, number, other, keys = item["name"], item.get("number"), item.get("other"), item.get("keys")
    option, finding, remedy = {
        "disagree": (
            "name",
            f"Redis has recorded number {number} for it, but its Postgres database remembers {other}",
            "find out which of the two holds its data, then correct the other record",
        ),
        "moves": (
            "number",
            f"it holds number {number} already and cannot move to {other}",
            f"ask for {number}, or for none",
        ),
        "held": ("number", f"number {number} belongs to '{other}'", "ask for another number, or for none"),
        "remembered": (
            "number",
            f"number {number} belongs to '{other}', whose Postgres database remembers it",
            "ask for another number, or for none",
        ),
        "user": (
            "number",
            f"the Redis user '{other}' may select number {number}",
            f"ask for another number, or for none; where nobody needs that user any more, ACL DELUSER {other}",
        ),
        "twice": (
            "known_claims",
            f"number {number} is remembered for it and for {_listed(other)}",
            "find out whose data it holds and correct the comment of the other database",
        ),
        "shared": (
            "name",
            f"Redis has recorded number {number} for it, but the Postgres database of '{other}' remembers {number} too",
            "find out whose keys it holds, then correct the record of the other one",
        ),
        "range": (
            "number",
            f"number {number} does not exist: the server has 1 to {databases - 1}, and 0 is reserved",
            "ask for a number in between, or raise 'databases' in redis.conf",
        ),
        "occupied": (
            "number",
            f"number {number} is claimed by nobody, but holds {keys} keys",
            "ask for another number, or empty it after finding out whose keys they are",
        ),
        "left": (
            "state",
            f"its number {number} got {keys} keys while it was released",
            "find out who writes there; its user is gone, so run this again then",
        ),
        "foreign": (
            "name",
            "Redis has a user of that name which this collection did not make",
            "choose another name, or remove the user with ACL DELUSER",
        ),
        "full": (
            "name",
            f"none of the numbers 1 to {databases - 1} is free",
            "raise 'databases' in redis.conf, or release deployments that are gone",
        ),
    }[str(item["code"])]
    return Problem(str(name), option, finding, remedy)


def _listed(names: t.Any) -> str:
    return ", ".join(f"'{name}'" for name in names) if isinstance(names, list) else str(names)
