# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""From what is wanted and what the server said to actions and refusals. No I/O here."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims import name_problems
from ansible_collections.selfhost.langgraph.plugins.module_utils._problems import Problem
from ansible_collections.selfhost.langgraph.plugins.module_utils._redis_acl import (
    CommandSets,
    User,
    command_findings,
    differences,
    is_ours,
    password_hash,
    pattern_findings,
)

Entry = t.Mapping[str, t.Any]


@dataclass
class World:
    """What the server said before anything was decided."""

    version: str
    cluster: bool
    databases: int | None  # None: CONFIG is forbidden, the script finds it by trying
    acl_file: str | None  # None: not known, "": there is none
    unsaved: bool
    open_default: bool
    lossy_default: bool
    me: str
    sets: CommandSets
    users: dict[str, dict[str, t.Any] | None]


@dataclass
class Plan:
    """What has to be done, and why."""

    numbers: dict[str, int]
    fresh: dict[str, dict[str, t.Any]]
    users: list[tuple[User, list[str]]] = field(default_factory=list)
    actions: list[dict[str, t.Any]] = field(default_factory=list)
    save: bool = False


def entry_problems(entries: t.Sequence[Entry], manage_users: bool) -> t.Iterator[Problem]:
    """Find what is wrong with the list itself."""
    yield from name_problems(entry["name"] for entry in entries)
    asked: dict[int, str] = {}
    for entry in entries:
        name, number = entry["name"], entry.get("number")
        if number:
            if number in asked and asked[number] != name:
                yield Problem(name, "number", f"{number} is asked for by '{asked[number]}' too", "choose another one")
            asked.setdefault(number, name)
        if manage_users and entry.get("state", "present") == "present":
            yield from _user_problems(entry)


def _user_problems(entry: Entry) -> t.Iterator[Problem]:
    name = entry["name"]
    if name == "default":
        yield Problem(name, "name", "that is the name of Redis's own default user", "choose another name")
    if not entry.get("password"):
        yield Problem(name, "password", "a Redis user needs one", "give a password, or set manage_users to false")
    for option in ("key_patterns", "channel_patterns"):
        for finding in pattern_findings(entry.get(option) or ()):
            yield Problem(name, option, finding, "use a pattern that begins with the deployment's own prefix")
    for finding in command_findings(entry.get("extra_commands") or ()):
        yield Problem(name, "extra_commands", finding, "leave it out")


def known_numbers(claims: t.Iterable[Entry], server: str | None = None) -> dict[str, int]:
    """Give what Postgres remembers of this server; a claim or a server without a name may be any."""
    return {
        claim["name"]: claim["redis_number"]
        for claim in claims
        if claim.get("redis_number") is not None and (server is None or claim.get("redis_server") in (None, server))
    }


def known_problems(known: t.Mapping[str, int], wanted: t.Collection[str]) -> t.Iterator[Problem]:
    """Find numbers that Postgres remembers for two deployments, one of which is wanted now."""
    keepers: dict[int, list[str]] = {}
    for name, number in sorted(known.items()):
        keepers.setdefault(number, []).append(name)
    for number, names in keepers.items():
        for name in names if number > 0 and len(names) > 1 else ():
            if name in wanted:
                others = ", ".join(f"'{other}'" for other in names if other != name)
                yield Problem(
                    name,
                    "known_claims",
                    f"number {number} is remembered for it and for {others}",
                    "find out whose data it holds and correct the comment of the other database",
                )


def world_problems(entries: t.Sequence[Entry], world: World) -> t.Iterator[Problem]:
    """Find deployments that would take the name of the user we are logged in as."""
    for entry in entries:
        if entry["name"] == world.me:
            yield Problem(entry["name"], "name", "it is the administrator's user in Redis", "choose another name")


def script_input(entries: t.Sequence[Entry], known: t.Mapping[str, int], world: World, dry: bool) -> dict[str, t.Any]:
    """Write what the claims script is asked."""
    wanted = [
        {"name": entry["name"], "number": entry.get("number"), "foreign": _is_foreign(entry["name"], world)}
        for entry in entries
    ]
    remembered = [{"name": name, "number": number} for name, number in sorted(known.items())]
    return {"databases": world.databases, "wanted": wanted, "known": remembered, "dry": dry}


def _is_foreign(name: str, world: World) -> bool:
    user = world.users.get(name)
    return user is not None and not is_ours(user, world.sets)


def script_problems(answer: t.Mapping[str, t.Any]) -> t.Iterator[Problem]:
    """Put the script's codes into words."""
    for item in answer["problems"] or ():
        yield _worded(item, int(answer["databases"]))


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


def make_plan(entries: t.Sequence[Entry], answer: t.Mapping[str, t.Any], world: World, manage_users: bool) -> Plan:
    """Work out what the users of the claimed numbers lack, and list everything that changes."""
    plan = Plan(
        numbers={name: int(number) for name, number in (answer["numbers"] or {}).items()},
        fresh={item["name"]: item for item in answer["fresh"] or ()},
    )
    for entry in entries:
        name = entry["name"]
        if name in plan.fresh:
            why = plan.fresh[name]["how"]
            plan.actions.append({"action": "claim", "name": name, "number": plan.numbers[name], "why": why})
        if manage_users:
            _plan_user(entry, plan, world)
    if manage_users and world.acl_file != "" and (plan.users or world.unsaved):
        plan.save = True
        plan.actions.append({"action": "save_users"})
    return plan


def _plan_user(entry: Entry, plan: Plan, world: World) -> None:
    user = wanted_user(entry, plan.numbers[entry["name"]])
    current = world.users.get(user.name)
    what = differences(user, current, world.sets)
    if what:
        plan.users.append((user, what))
        action = "create_user" if current is None else "change_user"
        plan.actions.append({"action": action, "name": user.name, "number": user.number, "what": what})


def wanted_user(entry: Entry, number: int) -> User:
    """Describe the user of a deployment; number 0 is given only where the server has no other."""
    passwords = [entry["password"], *filter(None, [entry.get("previous_password")])]
    own = [f"{entry['name']}:*"]
    keys, channels = entry.get("key_patterns"), entry.get("channel_patterns")
    return User(
        name=entry["name"],
        number=number or None,
        hashes=frozenset(password_hash(password) for password in passwords),
        keys=frozenset(own if keys is None else keys),
        channels=frozenset(own if channels is None else channels),
        extra=tuple(entry.get("extra_commands") or ()),
    )
