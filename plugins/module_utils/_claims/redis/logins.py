# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Choose which of a deployment's two users gets the wanted password, and which one is deleted. No I/O here.

A Redis user can have two passwords, but Redis does not report which of them opened a session. So another password needs
another user: ``ACL DELUSER`` ends all sessions of a user in the same step as its passwords.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.errors import logins_in_use_problem
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.acl import is_ours, password_hash
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.state import Entry, ServerState
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import Problem
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.redis_rights import users_of


@dataclass(frozen=True)
class Login:
    """The result for one deployment, as names of users."""

    user: str  # the user to log in as
    retire: tuple[str, ...] = ()  # users to delete now
    retiring: tuple[str, ...] = ()  # users with another password that stay for a while

    @property
    def changed(self) -> tuple[str, ...]:
        """Return the users that get the wanted rights, or are deleted."""
        return (self.user, *self.retire)


def choose(entry: Entry, state: ServerState) -> Login | None:
    """Return the user that gets the wanted password, or has it already; None if both are in use with other passwords.

    ``entry["users_in_use"]`` are the users that revisions log in as, that of the newest revision first; None if that is unknown.
    A user that needs no password is closed at once, whoever uses it. One that is in use and was lost is created again, so that
    the revision that uses it can log in.
    """
    names, in_use = own_users(entry, state), entry.get("users_in_use") or ()
    candidates = [user for user in names if _fits(entry, state.users.get(user))]
    candidates += [user for user in names if _is_open(state.users.get(user))]
    candidates += [user for user in in_use if user in names and state.users.get(user) is None]
    candidates += [user for user in names if not _used(user, entry, state)]
    return closing(entry, state, candidates[0]) if candidates else None


def closing(entry: Entry, state: ServerState, login: str) -> Login:
    """Return the same with the other user of a deployment that logs in as ``login``: whether it goes now or stays."""
    others = [user for user in own_users(entry, state) if user != login and state.users.get(user) is not None]
    in_use = entry.get("users_in_use") or ()
    unused = [user for user in others if entry.get("retire") and user not in in_use]
    retire = tuple(user for user in others if user in unused or _is_open(state.users.get(user)))
    return Login(login, retire, tuple(user for user in others if user not in retire))


def changed_users(entries: t.Iterable[Entry], state: ServerState) -> set[str]:
    """Return the users that get the wanted rights, or are deleted."""
    logins = (choose(entry, state) for entry in entries)
    return {user for login in logins if login is not None for user in login.changed}


def own_users(entry: Entry, state: ServerState) -> list[str]:
    """Return the names of a deployment's users, without a second one that somebody else has made."""
    first, second = users_of(entry["name"])
    found = state.users.get(second)
    used = second in (entry.get("users_in_use") or ()) or _fits(entry, found)
    return [first, second] if found is None or used or was_ours(found, state) else [first]


def made_users(name: str, state: ServerState) -> dict[str, dict[str, t.Any]]:
    """Return the users of a deployment on the server that this collection made, by name."""
    found = {user: state.users.get(user) for user in users_of(name)}
    return {user: rights for user, rights in found.items() if rights is not None and is_ours(rights, state.sets)}


def was_ours(user: t.Mapping[str, t.Any], state: ServerState) -> bool:
    """Return whether a user of the second name is a deployment's, even if somebody has changed its rights since."""
    return is_ours(user, state.sets) or "+select|" in str(user.get("commands"))


def _fits(entry: Entry, user: t.Mapping[str, t.Any] | None) -> bool:
    """Return whether a user has the wanted password, and no other one."""
    if user is None or _is_open(user) or not entry.get("password"):
        return False
    return set(user.get("passwords") or ()) == {password_hash(entry["password"])}


def _is_open(user: t.Mapping[str, t.Any] | None) -> bool:
    return user is not None and "nopass" in (user.get("flags") or ())


def _used(user: str, entry: Entry, state: ServerState) -> bool:
    """Return whether revisions log in as a user; if that is unknown, whether they can and may."""
    in_use = entry.get("users_in_use")
    if in_use is None:
        return state.users.get(user) is not None and not entry.get("retire")
    return user in in_use


def login_problems(entries: t.Iterable[Entry], state: ServerState) -> t.Iterator[Problem]:
    """Find deployments of which no user can get the wanted password."""
    for entry in entries:
        if choose(entry, state) is None:
            yield _both_in_use(entry) if len(own_users(entry, state)) > 1 else _foreign(entry["name"])


def _foreign(name: str) -> Problem:
    second = users_of(name)[1]
    return Problem(
        name,
        "password",
        f"the Redis user '{second}' has rules that this collection did not write, and the new password needs a user of that name",
        f"create that user under another name, then remove it with ACL DELUSER {second}",
    )


def _both_in_use(entry: Entry) -> Problem:
    return logins_in_use_problem(
        entry["name"],
        users_of(entry["name"]),
        kinds="Redis users",
        kind="user",
        reported=entry.get("users_in_use") is not None,
        alone="set users_in_use, or set retire: true to end their sessions",
    )
