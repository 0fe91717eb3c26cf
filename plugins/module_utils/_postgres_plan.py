# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""From what is wanted and what Postgres said to actions, refusals and a result. No I/O here."""

from __future__ import annotations

import re
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims import identifier, name_problems
from ansible_collections.selfhost.langgraph.plugins.module_utils._postgres_world import Database, Role, World, claims_of
from ansible_collections.selfhost.langgraph.plugins.module_utils._problems import Problem
from ansible_collections.selfhost.langgraph.plugins.module_utils._scram import matches

Entry = t.Mapping[str, t.Any]
EXTENSION = re.compile(r"[a-z_][a-z0-9_-]*")
FORBIDDEN = ("superuser", "createdb", "createrole", "replication", "bypassrls", "expires")


@dataclass
class Need:
    """What one deployment lacks. Fields that are empty are in order."""

    entry: Entry
    create_role: bool = False
    change_role: list[str] = field(default_factory=list)
    create_database: bool = False
    change_database: list[str] = field(default_factory=list)
    extensions: list[str] = field(default_factory=list)
    mark: dict[str, t.Any] | None = None  # the durable copy to write; None: it stands already
    mark_why: str = ""

    @property
    def name(self) -> str:
        """The deployment."""
        return str(self.entry["name"])

    @property
    def target(self) -> str:
        """Its role and database."""
        return identifier(self.name)

    def actions(self) -> list[dict[str, t.Any]]:
        """List what is done, in this order."""
        common = {"name": self.name}
        steps: list[tuple[bool, dict[str, t.Any]]] = [
            (self.create_role, {"action": "create_role", "role": self.target}),
            (bool(self.change_role), {"action": "change_role", "role": self.target, "what": self.change_role}),
            (self.create_database, {"action": "create_database", "database": self.target}),
            (
                bool(self.change_database),
                {"action": "change_database", "database": self.target, "what": self.change_database},
            ),
            *(
                (True, {"action": "create_extension", "database": self.target, "extension": extension})
                for extension in self.extensions
            ),
            (self.mark is not None, {"action": "remember", "database": self.target, "why": self.mark_why}),
        ]
        return [{**step, **common} for needed, step in steps if needed]


@dataclass
class Plan:
    """What has to be done for all."""

    needs: list[Need]
    close: list[str]  # databases of others from which PUBLIC is shut out

    def actions(self) -> list[dict[str, t.Any]]:
        """List what is done, in this order."""
        closing = [{"action": "revoke_public", "database": name} for name in self.close]
        return [action for need in self.needs for action in need.actions()] + closing


def entry_problems(entries: t.Sequence[Entry]) -> t.Iterator[Problem]:
    """Find what is wrong with the list itself."""
    yield from name_problems(entry["name"] for entry in entries)
    asked: dict[int, str] = {}
    for entry in entries:
        name, number = entry["name"], entry.get("redis_number")
        if number and asked.setdefault(number, name) != name:
            yield Problem(name, "redis_number", f"{number} is given to '{asked[number]}' too", "keep one of the two")
        for extension in entry.get("extensions") or ():
            if not EXTENSION.fullmatch(extension):
                yield Problem(name, "extensions", f"{extension!r} is not the name of an extension", "correct it")


def world_problems(entries: t.Sequence[Entry], world: World) -> t.Iterator[Problem]:
    """Find what stands in the way on the server."""
    holders = {(claim["redis_server"], claim["redis_number"]): claim["name"] for claim in claims_of(world)}
    for entry in entries:
        yield from ownership_problems(entry, world)
        yield from _number_problems(entry, world, holders)
        for extension in entry.get("extensions") or ():
            if extension not in world.extensions:
                yield Problem(
                    entry["name"],
                    "extensions",
                    f"the server does not have the extension '{extension}'",
                    "install the package that brings it on the Postgres host, or leave it out",
                )


def ownership_problems(entry: Entry, world: World) -> t.Iterator[Problem]:
    """Find a role or database of that name that belongs to somebody else."""
    name, target = entry["name"], identifier(entry["name"])
    role, database = world.roles.get(target), world.databases.get(target)
    if target == world.me["name"]:
        yield Problem(name, "name", "it is the administrator's role in Postgres", "choose another name")
    elif role is not None and not _is_for(role, name):
        yield Problem(
            name,
            "name",
            f"Postgres has a role '{target}' which this collection did not make",
            "choose another name, or rename that role",
        )
    elif database is not None and not _is_for(database, name) and not (role and database.owner == target):
        yield Problem(
            name,
            "name",
            f"Postgres has a database '{target}' which this collection did not make",
            "choose another name, or rename that database",
        )
    if role is None and not entry.get("password") and entry.get("state", "present") == "present":
        yield Problem(name, "password", "a new role needs one", "give a password")


def _is_for(item: Role | Database, name: str) -> bool:
    return item.mark is not None and item.mark["deployment"] == name


def _number_problems(
    entry: Entry, world: World, holders: t.Mapping[tuple[str | None, int], str]
) -> t.Iterator[Problem]:
    name, number = entry["name"], entry.get("redis_number")
    number_before = (remembered(name, world) or {}).get("redis_number")
    if number is None:
        return
    if number_before is not None and number_before != number:
        yield Problem(
            name,
            "redis_number",
            f"its Postgres database remembers number {number_before}, not {number}",
            "find out which of the two holds its data, then correct the other record",
        )
        return
    other = holders.get((entry.get("redis_server"), number), name)
    if number and other != name:  # 0 is what deployments share in a cluster
        yield Problem(
            name,
            "redis_number",
            f"number {number} belongs to '{other}', whose Postgres database remembers it",
            "claim the number with the module redis_database and known_claims",
        )


def remembered(name: str, world: World) -> dict[str, t.Any] | None:
    """Give the durable copy; that of the role counts first, because the deployment itself cannot change it."""
    target = identifier(name)
    for item in (world.roles.get(target), world.databases.get(target)):
        if item is not None and item.mark is not None and item.mark["deployment"] == name:
            return item.mark
    return None


def make_plan(
    entries: t.Sequence[Entry],
    world: World,
    close: t.Sequence[str] = (),
    tried: t.Mapping[str, bool] | None = None,
) -> Plan:
    """Compare what is wanted with what is; problems have been ruled out before.

    ``tried`` says which passwords work, where the verifiers cannot be seen.
    """
    fitting = _compare_passwords(entries, world) if tried is None else tried

    def fits(name: str) -> bool:
        return fitting.get(name, True)

    return Plan(
        needs=[_need(entry, world, fits) for entry in entries],
        close=[name for name in close if name in world.databases and world.databases[name].public],
    )


def _compare_passwords(entries: t.Sequence[Entry], world: World) -> dict[str, bool]:
    """Compare all passwords at once: each takes 4,096 rounds of hashing, which run outside the interpreter's lock."""
    pairs = {
        entry["name"]: (world.roles[identifier(entry["name"])].verifier, entry["password"])
        for entry in entries
        if entry.get("password") and identifier(entry["name"]) in world.roles
    }
    if len(pairs) < 4:
        results = [matches(*pair) for pair in pairs.values()]
    else:
        with ThreadPoolExecutor(max_workers=4) as pool:
            results = list(pool.map(lambda pair: matches(*pair), pairs.values()))
    return dict(zip(pairs, results))


def _need(entry: Entry, world: World, fits: t.Callable[[str], bool]) -> Need:
    need = Need(entry)
    role, database = world.roles.get(need.target), world.databases.get(need.target)
    if role is None:
        need.create_role = True
    else:
        need.change_role = _role_drift(entry, role, fits)
    if database is None:
        need.create_database = True
    else:
        need.change_database = _database_drift(database, need.target)
    _plan_mark(need, role, database, world)
    return need


def _role_drift(entry: Entry, role: Role, fits: t.Callable[[str], bool]) -> list[str]:
    found = [name for name in FORBIDDEN if getattr(role, name)]
    if not role.login:
        found.append("login")
    if role.limit != entry.get("connection_limit", -1):
        found.append("connection_limit")
    if not fits(entry["name"]):
        found.append("password")
    return found


def _database_drift(database: Database, owner: str) -> list[str]:
    found = []
    if database.owner != owner:
        found.append("owner")
    if database.public:
        found.append("public")
    if not database.allow:
        found.append("allow_connections")
    return found


def _plan_mark(need: Need, role: Role | None, database: Database | None, world: World) -> None:
    old = (role.mark if role else None) or (database.mark if database else None) or {}
    had = {} if database is None else dict(old.get("extensions") or {})
    need.extensions = [name for name in need.entry.get("extensions") or () if name not in had]
    mark = {**old, "deployment": need.name}
    for key in ("redis_number", "redis_server", "redis_address"):
        if need.entry.get(key) is not None:
            mark[key] = need.entry[key]
    extensions = {**had, **{name: world.extensions[name] for name in need.extensions}}
    mark.pop("extensions", None)
    if extensions:
        mark["extensions"] = extensions
    if database is None or role is None:
        need.mark, need.mark_why = mark, "new"
    elif role.mark != mark:
        need.mark, need.mark_why = mark, "changed"
    elif database.mark != mark:
        need.mark, need.mark_why = mark, "the comment of the database was missing or altered"
