# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Compute actions and problems from the wanted deployments and the state of the server. No I/O here.

The script in scripts.py decides the database numbers. Its answer is an input here; this file plans the users and names the actions.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.acl import (
    User,
    command_findings,
    differences,
    is_ours,
    password_hash,
    pattern_findings,
    user_patterns,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.logins import (
    Login,
    choose,
    closing,
    made_users,
    own_users,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.record import RESET
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.state import Entry, ServerState
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.names import name_problems
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import Problem
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.redis_channels import SHARED_MARK
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.redis_rights import numbers_of_users, users_of


@dataclass
class Plan:
    """The actions, and the reasons for them."""

    dbs: dict[str, int]
    fresh: dict[str, dict[str, t.Any]]
    users: list[tuple[User, list[str]]] = field(default_factory=list)
    actions: list[dict[str, t.Any]] = field(default_factory=list)
    save: bool = False
    logins: dict[str, Login] = field(default_factory=dict)  # by deployment
    reset: set[str] = field(default_factory=set)  # users that existed before the claim: their passwords are not ours

    @property
    def replaced(self) -> set[str]:
        """Return the existing users that get another password: their sessions end."""
        return {user.name for user, what in self.users if "password" in what}

    @property
    def deleted(self) -> list[str]:
        """Return the users that are deleted, and not created again: their sessions end too."""
        return [user for login in self.logins.values() for user in login.retire]


def entry_problems(entries: t.Sequence[Entry], manage_users: bool) -> t.Iterator[Problem]:
    """Find problems of the list itself."""
    yield from name_problems(entry["name"] for entry in entries)
    asked: dict[int, str] = {}
    for entry in entries:
        name, db = entry["name"], entry.get("redis_db")
        if db:
            if db in asked and asked[db] != name:
                yield Problem(
                    name,
                    "redis_db",
                    f"Redis database {db} is also requested by '{asked[db]}'",
                    "choose another one",
                )
            asked.setdefault(db, name)
        if manage_users and entry.get("state", "present") == "present" and has_user(entry):
            yield from _user_problems(entry)


def has_user(entry: Entry) -> bool:
    """Return whether the users of a deployment are to be changed, which do not matter while it is stopped."""
    return bool(entry.get("manage_user", True))


def _user_problems(entry: Entry) -> t.Iterator[Problem]:
    name = entry["name"]
    if name == "default":
        yield Problem(name, "name", "this is the name of Redis's default user", "choose another name")
    if not entry.get("password"):
        yield Problem(name, "password", "a Redis user needs a password", "set one, or set manage_users to false")
    for option in ("key_patterns", "channel_patterns"):
        for finding in pattern_findings(entry.get(option) or ()):
            yield Problem(name, option, finding, "use a pattern that begins with the deployment's own prefix")
    for finding in command_findings(entry.get("extra_commands") or ()):
        yield Problem(name, "extra_commands", finding, "leave it out")


def known_dbs(claims: t.Iterable[Entry], server: str | None = None) -> dict[str, int]:
    """Return the claims that Postgres records for this server; a claim without a server, from an earlier version, is included."""
    return {
        claim["name"]: claim["redis_db"]
        for claim in claims
        if claim.get("redis_db") is not None and claim.get("redis_server") in (None, server)
    }


def state_problems(entries: t.Sequence[Entry], state: ServerState) -> t.Iterator[Problem]:
    """Find deployments that have the name of the user we are logged in as."""
    for entry in entries:
        if state.me in users_of(entry["name"]):
            yield Problem(entry["name"], "name", "this is the administrator's user in Redis", "choose another name")


def script_input(
    entries: t.Sequence[Entry], state: ServerState, params: t.Mapping[str, t.Any], **more: t.Any
) -> dict[str, t.Any]:
    """Build the input of the claims script."""
    wanted = [
        {
            "name": entry["name"],
            "db": entry.get("redis_db") if has_user(entry) else None,
            "idle": not has_user(entry),
            "foreign": _is_foreign(entry["name"], state),
            "leftover": any(state.users.get(user) is not None for user in own_users(entry, state)),
        }
        for entry in entries
    ]
    return {**record_input(state, params), "wanted": wanted, "checked": [], **more}


def record_input(state: ServerState, params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Build what every script needs to read the record: the server, the inventory, and the claims that Postgres records."""
    remembered = [
        {
            "name": claim["name"],
            "db": claim.get("redis_db"),
            "server": claim.get("redis_server"),
            "address": claim.get("redis_address"),
            "owner": claim.get("owner"),
        }
        for claim in sorted(params["known_claims"] or (), key=lambda claim: str(claim["name"]))
    ]
    return {
        "databases": state.databases,
        "remembered": remembered,
        "address": params["address"],
        "owner": params.get("owner"),
        "owners": [*filter(None, [params.get("owner")]), *(params.get("previous_owners") or ())],
        "take_over": bool(params.get("take_over")),
        "held": [{"db": db, "names": names} for db, names in numbers_of_users(state.rules or ()).items()],
    }


def _is_foreign(name: str, state: ServerState) -> bool:
    user = state.users.get(name)
    return user is not None and not is_ours(user, state.sets)


def make_plan(
    entries: t.Sequence[Entry],
    answer: t.Mapping[str, t.Any],
    state: ServerState,
    manage_users: bool,
    chosen: t.Mapping[str, str] | None = None,
) -> Plan:
    """Compute what the users of the claimed databases lack, and list all changes; problems must have been ruled out before.

    ``chosen`` are the users to log in as, by deployment, if another node of a cluster has decided that.
    """
    plan = Plan(
        dbs={name: int(db) for name, db in (answer["dbs"] or {}).items()},
        fresh={item["name"]: item for item in answer["fresh"] or ()},
    )
    marked = {name[len(RESET) :] for name in state.fields if name.startswith(RESET)}
    plan.reset = {entry["name"] for entry in entries if has_user(entry)} & {
        *answer.get("reset", resets_of(answer)),
        *marked,
    }
    adopted = {item["name"] for item in answer.get("adopted") or ()}
    if answer.get("marks"):
        plan.actions.append({"action": "mark_server"})
    for entry in entries:
        name = entry["name"]
        if name in plan.fresh:
            why = plan.fresh[name]["how"]
            plan.actions.append({"action": "claim", "name": name, "redis_db": plan.dbs[name], "why": why})
        if name in adopted:
            plan.actions.append({"action": "set_owner", "name": name, "redis_db": plan.dbs[name]})
        if manage_users and has_user(entry):
            _plan_user(entry, plan, state, (chosen or {}).get(name))
    if manage_users and state.acl_file != "" and (plan.users or plan.deleted or state.unsaved):
        plan.save = True
        plan.actions.append({"action": "save_users"})
    return plan


def _plan_user(entry: Entry, plan: Plan, state: ServerState, chosen: str | None) -> None:
    name = entry["name"]
    if name in plan.reset:
        entry = {**entry, "retire": True, "users_in_use": []}
    login = closing(entry, state, chosen) if chosen else choose(entry, state) or Login(name)
    plan.logins[name] = login
    current = state.users.get(login.user)
    user = wanted_user(entry, plan.dbs[name], login.user)
    what = differences(user, current, state.sets)
    common = {"name": name, "redis_db": user.db}
    if what:
        plan.users.append((user, what))
        action = "create_user" if current is None else "change_user"
        plan.actions.append({"action": action, **common, "user": user.name, "what": what})
    plan.actions += [{"action": "delete_user", **common, "user": other} for other in login.retire]


def resets_of(answer: t.Mapping[str, t.Any]) -> list[str]:
    """Return the deployments whose user exists although neither Redis nor Postgres records a claim."""
    return [item["name"] for item in answer["fresh"] or () if item.get("reset")]


def wanted_user(entry: Entry, db: int, login: str) -> User:
    """Return the user ``login`` of a deployment as wanted; database 0 is assigned only if the server has no other."""
    return User(
        name=login,
        db=db or None,
        hashes=frozenset([password_hash(entry["password"])]),
        keys=frozenset(own_patterns(entry, "key_patterns")),
        channels=frozenset(
            [*own_patterns(entry, "channel_patterns"), *([SHARED_MARK] if shares_channels(entry) else [])]
        ),
        extra=tuple(entry.get("extra_commands") or ()),
    )


def shares_channels(entry: Entry) -> bool:
    """Return whether the channels of a deployment may overlap with those of others that permit it too."""
    return bool(entry.get("shared_channels"))


def own_patterns(entry: Entry, option: str) -> list[str]:
    """Return the patterns of a deployment; its name and ``:*`` if the option is left out."""
    patterns = entry.get(option)
    return [f"{entry['name']}:*"] if patterns is None else list(patterns)


def patterns_of(entry: Entry, state: ServerState) -> list[str]:
    """Return the patterns of all keys that a deployment may have created: those in its entry, and those of its users."""
    named = entry.get("key_patterns")
    users = made_users(entry["name"], state).values()
    existing = sorted({pattern for user in users for pattern in user_patterns(user.get("keys"), "~")})
    if named is None and entry.get("state") == "absent" and existing:
        return existing
    return [*own_patterns(entry, "key_patterns"), *existing]
