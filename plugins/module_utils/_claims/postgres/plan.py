# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Compute actions from the wanted deployments and the state of the server. No I/O here."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.logins import (
    Entry,
    Fitting,
    Logins,
    Named,
    choose,
    compare_passwords,
    has_login,
    is_open,
    logins_of,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.state import (
    Database,
    Role,
    ServerState,
)

# Settings of a login for its database only, which it can make itself: they override ours.
RESET_INSIDE = ("role", "search_path")
FORBIDDEN = ("superuser", "createdb", "createrole", "replication", "bypassrls", "expires")


@dataclass
class Need(Named):
    """What one deployment lacks; an empty field needs no change."""

    entry: Entry
    logins: Logins
    create_role: bool = False
    change_role: list[str] = field(default_factory=list)
    create_logins: list[str] = field(default_factory=list)
    change_logins: dict[str, list[str]] = field(default_factory=dict)  # by login: what differs
    create_database: bool = False
    change_database: list[str] = field(default_factory=list)
    revoke: tuple[str, ...] = ()  # roles that have rights on the database and must not
    extensions: list[str] = field(default_factory=list)
    claim_comment: dict[str, t.Any] | None = None  # the durable copy to write; None: it is up to date
    claim_comment_reason: str = ""

    def actions(self) -> list[dict[str, t.Any]]:
        """List the actions, in their order."""
        common = {"name": self.name}
        steps: list[tuple[bool, dict[str, t.Any]]] = [
            (self.create_role, {"action": "create_role", "role": self.target}),
            (bool(self.change_role), {"action": "change_role", "role": self.target, "what": self.change_role}),
            *((True, {"action": "create_login", "role": role}) for role in self.create_logins),
            *(
                (True, {"action": "change_login", "role": role, "what": what})
                for role, what in self.change_logins.items()
            ),
            (self.create_database, {"action": "create_database", "database": self.target}),
            (
                bool(self.change_database),
                {"action": "change_database", "database": self.target, "what": self.change_database},
            ),
            *(
                (True, {"action": "create_extension", "database": self.target, "extension": extension})
                for extension in self.extensions
            ),
            (
                self.claim_comment is not None,
                {"action": "remember", "database": self.target, "why": self.claim_comment_reason},
            ),
            *((True, {"action": "retire_login", "role": role}) for role in self.logins.retire),
        ]
        return [{**step, **common} for needed, step in steps if needed]


@dataclass
class Plan:
    """The changes for all deployments."""

    needs: list[Need]
    close: list[str]  # databases of others on which PUBLIC loses the right to connect

    def actions(self) -> list[dict[str, t.Any]]:
        """List the actions, in their order."""
        closing = [{"action": "revoke_public", "database": name} for name in self.close]
        return [action for need in self.needs for action in need.actions()] + closing


def make_plan(
    entries: t.Sequence[Entry],
    state: ServerState,
    close: t.Sequence[str] = (),
    fitting: Fitting | None = None,
    owner: str | None = None,
) -> Plan:
    """Compare the wanted deployments with the state of the server; problems must have been ruled out before.

    ``fitting`` is which roles have the wanted password, if that is already known.
    """
    known = compare_passwords(entries, state) if fitting is None else fitting
    return Plan(
        needs=[_need(entry, state, known, owner) for entry in entries],
        close=[name for name in close if name in state.databases and state.databases[name].public],
    )


def _need(entry: Entry, state: ServerState, fitting: Fitting, owner: str | None) -> Need:
    target, *acting = names = logins_of(entry["name"])
    need = Need(entry["name"], entry, choose(entry, state, fitting) or Logins(target))
    role, database = state.roles.get(target), state.databases.get(target)
    if not has_login(entry):
        if role is not None and database is not None:
            _plan_claim_comment(need, role, database, state, owner)
        return need
    if role is None:
        need.create_role = True
    else:
        need.change_role = _role_drift(need, target, role)
    for name in acting:
        if need.logins.login == name or is_open(name, state):
            _plan_acting(need, name, state.roles.get(name))
    if database is None:
        need.create_database = True
    else:
        # The rights of a previous owner are revoked too.
        need.revoke = tuple(name for name in database.grantees if name not in names)
        need.change_database = _database_drift(database, target, need.revoke)
    _plan_claim_comment(need, role, database, state, owner)
    return need


def _role_drift(need: Need, name: str, role: Role) -> list[str]:
    found = [right for right in FORBIDDEN if getattr(role, right)]
    chosen = need.logins.login == name
    if chosen and not role.login:
        found.append("login")
    if _is_other_limit(need.entry, role.limit):
        found.append("connection_limit")
    if chosen and need.logins.set_password:
        found.append("password")
    if {f"{need.target}:{setting}" for setting in RESET_INSIDE} & set(role.set_inside):
        found.append("settings")
    return found


def _is_other_limit(entry: Entry, limit: int) -> bool:
    """Return whether the connection limit must change; -1 is no limit."""
    wanted = entry.get("connection_limit", -1)
    lower = wanted >= 0 and (limit < 0 or wanted < limit)
    return bool(wanted != limit and (not lower or entry.get("lower_connection_limit", True)))


def _plan_acting(need: Need, name: str, role: Role | None) -> None:
    if role is None:
        need.create_logins.append(name)
        return
    found = _role_drift(need, name, role)
    # It acts as the owner from the start of each session, so all objects that it creates belong to the owner.
    if need.target not in role.member_of:
        found.append("membership")
    if f"role={need.target}" not in role.settings:
        found.append("acting")
    if found:
        need.change_logins[name] = found


def _database_drift(database: Database, owner: str, others: t.Sequence[str]) -> list[str]:
    found = []
    if database.owner != owner:
        found.append("owner")
    if database.public:
        found.append("public")
    if others:
        found.append("grants")
    if not database.allow:
        found.append("allow_connections")
    if database.template:
        found.append("template")
    return found


def _plan_claim_comment(
    need: Need, role: Role | None, database: Database | None, state: ServerState, owner: str | None
) -> None:
    old = (
        (role.claim_comment if role else None) or (database.claim_comment if database and role is None else None) or {}
    )
    had = {} if database is None else dict(old.get("extensions") or {})
    wanted = (need.entry.get("extensions") or ()) if has_login(need.entry) else ()
    need.extensions = [name for name in wanted if name not in had]
    claim_comment = {**old, "deployment": need.name}
    options = {"redis_db": "redis_number", "redis_server": "redis_server", "redis_address": "redis_address"}
    for option, key in options.items():
        if need.entry.get(option) is not None:
            claim_comment[key] = need.entry[option]
    keys = need.entry.get("aes_keys")
    if not has_login(need.entry) and old.get("aes") not in (keys or ()):
        # Another key is refused only when the deployment runs.
        keys = None
    if owner is not None:
        if claim_comment.get("owner") not in (None, owner) and keys is None:
            # Its fingerprint was made with another secret key, so it could never match again.
            claim_comment.pop("aes", None)
        claim_comment["owner"] = owner
    if keys is not None:
        claim_comment.pop("aes", None)
        if keys:
            claim_comment["aes"] = keys[0]
    extensions = {**had, **{name: state.extensions[name] for name in need.extensions}}
    claim_comment.pop("extensions", None)
    if extensions:
        claim_comment["extensions"] = extensions
    if database is None or role is None:
        need.claim_comment, need.claim_comment_reason = claim_comment, "new"
    elif role.claim_comment != claim_comment:
        need.claim_comment, need.claim_comment_reason = claim_comment, "changed"
    elif database.claim_comment != claim_comment:
        need.claim_comment, need.claim_comment_reason = (
            claim_comment,
            "the comment of the database was missing or altered",
        )
