# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Choose which of a deployment's logins gets the wanted password, and which ones are closed. No I/O here.

A Postgres role has one password at a time, and a draining revision still opens connections with the previous password. So
another password needs another login. The owner of the database is the first login. Once there is another one, the owner gets
no further password, and two logins that act as the owner alternate: every session may change the password of the role that it
acts as, so a session with a leaked password could otherwise change the password of the next login.
"""

from __future__ import annotations

import hashlib
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.errors import logins_in_use_problem
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.scram import matches
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.state import ServerState
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.names import NAME_LENGTH, identifier
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import Problem

_SUFFIXES = (".b", ".c")


def acting_logins(name: str) -> tuple[str, str]:
    """Return the names of the logins that act as the deployment's own role.

    A deployment's name has no dot, so no other role has these names. If a suffix does not fit into an identifier's 63
    bytes, the end of the name is replaced by 12 digits of its hash, which distinguish names with the same beginning.
    """
    role = identifier(name)
    if len(role) > NAME_LENGTH - len(_SUFFIXES[0]):
        role = f"{role[:48]}.{hashlib.sha256(role.encode()).hexdigest()[:12]}"
    return role + _SUFFIXES[0], role + _SUFFIXES[1]


@dataclass
class Named:
    """A deployment with its names in Postgres."""

    name: str

    @property
    def target(self) -> str:
        """Return the name of its role and of its database."""
        return identifier(self.name)

    @property
    def acting(self) -> tuple[str, str]:
        """Return the names of the logins that act as its role."""
        return acting_logins(self.name)


Entry = t.Mapping[str, t.Any]
# By role: whether it has the wanted password. None: unknown, so the password is not changed.
Fitting = t.Mapping[str, "bool | None"]


@dataclass(frozen=True)
class Logins:
    """The result for one deployment, as names of roles."""

    login: str  # the role to log in as
    set_password: bool = False  # whether that role gets the wanted password
    retire: tuple[str, ...] = ()  # roles to close now
    retiring: tuple[str, ...] = ()  # roles with another password that stay open


def logins_of(name: str) -> tuple[str, str, str]:
    """Return the names of all logins of a deployment, the owner first."""
    return (identifier(name), *acting_logins(name))


def has_login(entry: Entry) -> bool:
    """Return whether the logins and the database of a deployment are to be changed; while it is stopped, only its claim is."""
    return bool(entry.get("manage_login", True))


def is_open(role: str, state: ServerState) -> bool:
    """Return whether a login as that role is possible; only a superuser sees whether it has a password."""
    found = state.roles.get(role)
    return found is not None and found.login and (found.verifier is not None or not state.superuser)


def choose(entry: Entry, state: ServerState, fitting: Fitting) -> Logins | None:
    """Return the login that has the wanted password, else one that no revision uses; None if all of those are in use."""
    owner, *acting = names = logins_of(entry["name"])
    if owner not in state.roles:
        return Logins(owner, set_password=True)
    if not entry.get("password"):
        return Logins(next((role for role in names if is_open(role, state)), owner))
    fit = [role for role in names if role in state.roles and fitting.get(role, True) is not False]
    # A session can also give the closed owner a password that is known.
    fit.sort(key=lambda role: not is_open(role, state))
    rotated = any(role in state.roles for role in acting)
    free = [role for role in (acting if rotated else names) if not _used(role, entry, state)]
    if not fit and not free:
        return None
    login = fit[0] if fit else free[0]
    return Logins(login, not fit, *_closing(entry, state, [role for role in names if role not in (login, *fit)]))


def _used(role: str, entry: Entry, state: ServerState) -> bool:
    """Return whether revisions log in as that role; if that is unknown, whether a login is possible."""
    in_use = entry.get("logins_in_use")
    return is_open(role, state) if in_use is None else role in in_use


def _closing(entry: Entry, state: ServerState, others: t.Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Split the logins with another password into those to close now, and those that stay open for a while."""
    going = {
        role: bool(entry.get("retire")) and role not in (entry.get("logins_in_use") or ())
        for role in others
        if is_open(role, state) or (role in state.roles and state.roles[role].sessions)
    }
    retire = tuple(role for role, goes in going.items() if goes)
    return retire, tuple(role for role in going if role not in retire and is_open(role, state))


def login_problems(entries: t.Sequence[Entry], state: ServerState, fitting: Fitting) -> t.Iterator[Problem]:
    """Find deployments of which all logins that could get a new password are in use with other passwords."""
    for entry in entries:
        if choose(entry, state, fitting) is None:
            yield _both_in_use(entry)


def _both_in_use(entry: Entry) -> Problem:
    return logins_in_use_problem(
        entry["name"],
        acting_logins(entry["name"]),
        kinds="logins",
        kind="login",
        reported=entry.get("logins_in_use") is not None,
        alone="set logins_in_use",
    )


def compare_passwords(entries: t.Sequence[Entry], state: ServerState) -> dict[str, bool | None]:
    """Compare all passwords in parallel: each takes 4,096 rounds of hashing, which run outside the interpreter's lock."""
    pairs = {
        role: (state.roles[role].verifier, entry["password"])
        for entry in entries
        if entry.get("password")
        for role in logins_of(entry["name"])
        if role in state.roles
    }
    if len(pairs) < 4:
        results = [matches(*pair) for pair in pairs.values()]
    else:
        with ThreadPoolExecutor(max_workers=4) as pool:
            results = list(pool.map(lambda pair: matches(*pair), pairs.values()))
    return dict(zip(pairs, results))
