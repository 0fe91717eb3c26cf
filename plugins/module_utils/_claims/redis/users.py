# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Check, set and delete the Redis users of deployments."""

from __future__ import annotations

import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.errors import ClaimError, raise_for_problems
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.apply import change_users
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.connection import Server
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.logins import changed_users
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.plan import (
    Plan,
    own_patterns,
    shares_channels,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.record import CLAIMS_KEY, RESET
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.state import Entry, ServerState
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import Problem
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.redis_channels import (
    Listener,
    channel_findings,
    listeners_of,
)

OPTIONS = ("channel_patterns", "shared_channels")


def _channels(
    entries: t.Sequence[Entry], rules: t.Iterable[str], changed: t.Collection[str]
) -> tuple[list[Problem], list[str]]:
    # A user that keeps its rights for a while, until its revision has drained, still counts.
    own = [
        Listener(entry["name"], tuple(own_patterns(entry, "channel_patterns")), shares_channels(entry))
        for entry in entries
    ]
    return channel_findings([*own, *listeners_of(rules, changed)], OPTIONS)


def check_channels(entries: t.Sequence[Entry], state: ServerState) -> list[str]:
    """Refuse channels that overlap with those of others in the list or on the server; return the deployments that may."""
    problems, together = _channels(entries, state.rules or (), changed_users(entries, state))
    raise_for_problems(problems)
    return together


def require_user_rights(plan: Plan, state: ServerState) -> None:
    """Raise ClaimError before anything is claimed if users must be changed and cannot be."""
    if state.no_users is not None and (plan.users or plan.deleted):
        raise ClaimError(
            f"this Redis does not permit managing users ({state.no_users}). Log in as a user that may use ACL, or set"
            " manage_users to false and accept that deployments are not isolated in Redis."
        )


def apply(server: Server, plan: Plan, state: ServerState, entries: t.Sequence[Entry]) -> None:
    """Set all users that differ from the wanted state, and delete those that nothing uses any longer."""
    # DELUSER ends all sessions of a user, also those that were opened with a password that is no longer known.
    ending = sorted({*plan.replaced, *plan.deleted})
    commands = [("ACL", "DELUSER", *ending)] if ending else []
    commands += [("ACL", "SETUSER", user.name, *user.rules()) for user, _what in plan.users]
    if commands or plan.save:
        rules = change_users(server, state, commands, plan.save)
        changed = {user for login in plan.logins.values() for user in login.changed}
        problems = [] if rules is None else _channels(entries, rules, changed)[0]
        if problems:
            # Another run created a user at the same time. It saw ours or we saw its; the later one yields.
            names = [*(user.name for user, _what in plan.users), *plan.deleted]
            change_users(server, state, [_undo(name, state) for name in names], plan.save)
            raise_for_problems(problems)


def forget_resets(server: Server, plan: Plan) -> None:
    """Remove the marks of users that existed before the claim, once they have been replaced on all nodes."""
    if plan.reset:
        server.home.pipeline([("HDEL", CLAIMS_KEY, RESET + name) for name in sorted(plan.reset)])


def _undo(name: str, state: ServerState) -> tuple[str, ...]:
    for line in state.rules or ():
        words = line.split()
        if words[1] == name:
            return ("ACL", "SETUSER", name, "reset", *words[2:])
    return ("ACL", "DELUSER", name)
