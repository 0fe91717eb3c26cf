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


def choose(entry: Entry, state: ServerState) -> Login | None:
    """Return the user that has the wanted password only, else one that no revision uses; None if both are in use.

    ``entry["users_in_use"]`` are the users that revisions log in as; None if that is unknown. A user that needs no password is
    closed at once, whoever uses it.
    """
    names = users_of(entry["name"])
    candidates = [user for user in names if _fits(entry, state.users.get(user))]
    candidates += [user for user in names if _is_open(state.users.get(user))]
    candidates += [user for user in names if not _used(user, entry, state)]
    if not candidates:
        return None
    return closing(entry, state, candidates[0])


def closing(entry: Entry, state: ServerState, login: str) -> Login:
    """Return the same with the other user of a deployment that logs in as ``login``: whether it goes now or stays."""
    others = [user for user in users_of(entry["name"]) if user != login and state.users.get(user) is not None]
    in_use = entry.get("users_in_use") or ()
    unused = [user for user in others if entry.get("retire") and user not in in_use]
    retire = tuple(user for user in others if user in unused or _is_open(state.users.get(user)))
    return Login(login, retire, tuple(user for user in others if user not in retire))


def _fits(entry: Entry, user: t.Mapping[str, t.Any] | None) -> bool:
    """Return whether a user has the wanted password, and no other one."""
    if user is None or _is_open(user):
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
    """Find deployments whose two users are in use with other passwords, and those whose second user somebody else made."""
    for entry in entries:
        name = entry["name"]
        first, second = users_of(name)
        found = state.users.get(second)
        if found is not None and not is_ours(found, state.sets) and not _fits(entry, found):
            yield Problem(
                name,
                "name",
                f"the Redis user '{second}' has rules that this collection did not write",
                f"rename that user, or remove it with ACL DELUSER {second}",
            )
        elif choose(entry, state) is None:
            yield _both_in_use(entry, first, second)


def _both_in_use(entry: Entry, first: str, second: str) -> Problem:
    if entry.get("users_in_use") is None:
        return Problem(
            entry["name"],
            "password",
            f"neither of its Redis users '{first}' and '{second}' has the wanted password, and not all hosts have reported"
            " which user they use",
            "run this again when all hosts respond, and remove hosts that no longer exist from the inventory; with the module"
            " alone, set users_in_use, or set retire: true to end their sessions",
        )
    return Problem(
        entry["name"],
        "password",
        f"neither of its Redis users '{first}' and '{second}' has the wanted password, and both are in use",
        "wait until the older of its revisions has ended, or stop it, then run this again",
    )
