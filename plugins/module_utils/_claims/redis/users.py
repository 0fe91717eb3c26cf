# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The users of the deployments: are they allowed, set them, and end sessions that a retired password has opened."""

from __future__ import annotations

import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.errors import ClaimError, refuse
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.apply import ENDING, change_users
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.connection import Server
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.plan import Plan, is_shared, own_patterns
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.record import CLAIMS_KEY, RESET
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.state import Entry, World
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import Problem
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.redis_channels import (
    Listener,
    channel_findings,
    listeners_of,
)

OPTIONS = ("channel_patterns", "shared_channels")
# By so much the clocks of two hosts may differ before a session is taken for older than the container that opened it.
CLOCKS_DIFFER_SECONDS = 10


def _channels(entries: t.Sequence[Entry], rules: t.Iterable[str]) -> tuple[list[Problem], list[str]]:
    own = [
        Listener(entry["name"], tuple(own_patterns(entry, "channel_patterns")), is_shared(entry)) for entry in entries
    ]
    return channel_findings([*own, *listeners_of(rules, {entry["name"] for entry in entries})], OPTIONS)


def refuse_channels(entries: t.Sequence[Entry], world: World) -> list[str]:
    """Refuse channels that meet those of others in the list or on the server; name the deployments that may."""
    problems, together = _channels(entries, world.rules or ())
    refuse(problems)
    return together


def refuse_without_rights(plan: Plan, world: World) -> None:
    """Refuse before anything is claimed where users would have to be changed and cannot be."""
    if world.no_users is not None and plan.users:
        raise ClaimError(
            f"this Redis does not let us manage users ({world.no_users}). Log in as a user that may use ACL, or set"
            " manage_users to false and live without isolation inside Redis."
        )


def apply(
    server: Server,
    plan: Plan,
    world: World,
    entries: t.Sequence[Entry],
    live_addresses: t.Sequence[str] | None,
) -> None:
    """Set all users that are not as they should be, and end sessions of passwords that ended."""
    ending = to_end(plan, world, entries, live_addresses)
    if plan.users or plan.save:
        commands = [("ACL", "SETUSER", user.name, *user.rules()) for user, _what in plan.users]
        rules = change_users(server, world, commands, plan.save, ending)
        problems = [] if rules is None else _channels(entries, rules)[0]
        if problems:
            # Another run made a user at the same moment. It saw ours or we saw its; the later one gives way.
            change_users(server, world, [_undo(user.name, world) for user, _what in plan.users], plan.save)
            refuse(problems)
    _end_sessions(server, ending, _since(entries), live_addresses)
    if plan.reset and not world.cluster:
        server.pipeline([("HDEL", CLAIMS_KEY, RESET + name) for name in sorted(plan.reset)])


def to_end(plan: Plan, world: World, entries: t.Sequence[Entry], live_addresses: t.Sequence[str] | None) -> set[str]:
    """Return the users whose sessions have to end: their passwords end now, or ended in a run that was killed."""
    names = plan.retired | {field[len(ENDING) :] for field in world.fields if field.startswith(ENDING)}
    return names if live_addresses is not None else names & set(_since(entries))


def _since(entries: t.Sequence[Entry]) -> dict[str, int]:
    """When the oldest running container of each deployment was created, where that is known."""
    known = ((entry["name"], entry.get("sessions_since")) for entry in entries)
    return {name: since for name, since in known if since is not None}


def _undo(name: str, world: World) -> tuple[str, ...]:
    for line in world.rules or ():
        words = line.split()
        if words[1] == name:
            return ("ACL", "SETUSER", name, "reset", *words[2:])
    return ("ACL", "DELUSER", name)


def _end_sessions(
    server: Server, names: t.Collection[str], since: t.Mapping[str, int], live_addresses: t.Sequence[str] | None
) -> None:
    """Close the sessions of users that no running container can have: from elsewhere, or older than all of them."""
    if not names:
        return
    listed, now = server.pipeline([("CLIENT", "LIST"), ("TIME",)])
    if isinstance(listed, Exception):
        raise ClaimError(f"Redis does not let us end sessions of a password that ended ({listed})")
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
            raise ClaimError(f"Redis does not let us end sessions of a password that ended ({reply})")


def _is_elsewhere(client: t.Mapping[str, str], live_addresses: t.Sequence[str] | None) -> bool:
    """Whether a session comes from another address than the running revisions. Through the socket it has none."""
    address = client.get("addr", "").rpartition(":")[0].strip("[]")
    return live_addresses is not None and not address.startswith("/") and address not in live_addresses


def _is_older(client: t.Mapping[str, str], now: int | None, since: int | None) -> bool:
    """Whether a session began before a container was created; ``now`` and ``since`` in seconds since the epoch."""
    age = client.get("age", "")
    return now is not None and since is not None and age.isdecimal() and now - int(age) < since - CLOCKS_DIFFER_SECONDS
