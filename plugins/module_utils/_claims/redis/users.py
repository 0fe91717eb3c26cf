# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The users of the deployments: check and set them, and end sessions that were opened with a retired password."""

from __future__ import annotations

import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.errors import ClaimError, raise_for_problems
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.apply import ENDING, change_users
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.connection import Server
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
# Tolerated difference of two hosts' clocks when the age of a session is compared with that of a container.
CLOCKS_DIFFER_SECONDS = 10


def _channels(entries: t.Sequence[Entry], rules: t.Iterable[str]) -> tuple[list[Problem], list[str]]:
    own = [
        Listener(entry["name"], tuple(own_patterns(entry, "channel_patterns")), shares_channels(entry))
        for entry in entries
    ]
    return channel_findings([*own, *listeners_of(rules, {entry["name"] for entry in entries})], OPTIONS)


def check_channels(entries: t.Sequence[Entry], state: ServerState) -> list[str]:
    """Refuse channels that overlap with those of others in the list or on the server; return the deployments that may."""
    problems, together = _channels(entries, state.rules or ())
    raise_for_problems(problems)
    return together


def require_user_rights(plan: Plan, state: ServerState) -> None:
    """Raise ClaimError before anything is claimed if users must be changed and cannot be."""
    if state.no_users is not None and plan.users:
        raise ClaimError(
            f"this Redis does not permit managing users ({state.no_users}). Log in as a user that may use ACL, or set"
            " manage_users to false and accept that deployments are not isolated in Redis."
        )


def apply(
    server: Server,
    plan: Plan,
    state: ServerState,
    entries: t.Sequence[Entry],
    ending: t.Collection[str],
    live_addresses: t.Sequence[str] | None,
) -> None:
    """Set all users that differ from the wanted state, and end the sessions of the users in ``ending``; see to_end()."""
    if plan.users or plan.save:
        commands = [("ACL", "SETUSER", user.name, *user.rules()) for user, _what in plan.users]
        rules = change_users(server, state, commands, plan.save, ending)
        problems = [] if rules is None else _channels(entries, rules)[0]
        if problems:
            # Another run created a user at the same time. It saw ours or we saw its; the later one yields.
            change_users(server, state, [_undo(user.name, state) for user, _what in plan.users], plan.save)
            raise_for_problems(problems)
    _end_sessions(server, ending, _since(entries), live_addresses)
    if plan.reset and not state.cluster:
        server.pipeline([("HDEL", CLAIMS_KEY, RESET + name) for name in sorted(plan.reset)])


def to_end(
    plan: Plan, state: ServerState, entries: t.Sequence[Entry], live_addresses: t.Sequence[str] | None
) -> set[str]:
    """Return the users whose sessions must end: their passwords end now, or ended in a run that was killed."""
    names = plan.retired | {field[len(ENDING) :] for field in state.fields if field.startswith(ENDING)}
    return names if live_addresses is not None else names & set(_since(entries))


def _since(entries: t.Sequence[Entry]) -> dict[str, int]:
    """Return when the oldest running container of each deployment was created, if known."""
    known = ((entry["name"], entry.get("sessions_since")) for entry in entries)
    return {name: since for name, since in known if since is not None}


def _undo(name: str, state: ServerState) -> tuple[str, ...]:
    for line in state.rules or ():
        words = line.split()
        if words[1] == name:
            return ("ACL", "SETUSER", name, "reset", *words[2:])
    return ("ACL", "DELUSER", name)


def _end_sessions(
    server: Server, names: t.Collection[str], since: t.Mapping[str, int], live_addresses: t.Sequence[str] | None
) -> None:
    """End sessions that no running container can have: from another address, or older than all containers."""
    if not names:
        return
    listed, now = server.pipeline([("CLIENT", "LIST"), ("TIME",)])
    if isinstance(listed, Exception):
        raise ClaimError(f"Redis does not permit ending the sessions of a revoked password ({listed})")
    time = None if isinstance(now, Exception) else int(now[0])
    kills = []
    for line in str(listed).splitlines():
        client = dict(word.partition("=")[::2] for word in line.split())
        name = client.get("user", "")
        if name in names and (_is_elsewhere(client, live_addresses) or _is_older(client, time, since.get(name))):
            kills.append(("CLIENT", "KILL", "ID", client["id"]))
    replies = server.pipeline([*kills, *(("HDEL", CLAIMS_KEY, ENDING + name) for name in sorted(names))])
    for reply in replies[: len(kills)]:
        if isinstance(reply, Exception):
            raise ClaimError(f"Redis does not permit ending the sessions of a revoked password ({reply})")


def _is_elsewhere(client: t.Mapping[str, str], live_addresses: t.Sequence[str] | None) -> bool:
    """Return whether a session has another address than the running revisions. Sessions on the socket have none."""
    address = client.get("addr", "").rpartition(":")[0].strip("[]")
    return live_addresses is not None and not address.startswith("/") and address not in live_addresses


def _is_older(client: t.Mapping[str, str], now: int | None, since: int | None) -> bool:
    """Return whether a session began before a container was created; ``now`` and ``since`` are in seconds since the epoch."""
    age = client.get("age", "")
    return now is not None and since is not None and age.isdecimal() and now - int(age) < since - CLOCKS_DIFFER_SECONDS
