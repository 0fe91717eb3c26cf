# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Redis servers with one database only, such as clusters, where key patterns alone separate the deployments."""

from __future__ import annotations

import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.errors import ClaimError
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.connection import Server
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.plan import own_patterns
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.state import Entry, ServerState
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import Problem, printable
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.redis_globs import literal, readable
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.redis_rights import (
    deployment_of,
    key_patterns,
    user_of,
)


def single_db(server: Server, state: ServerState, allowed: bool) -> bool:
    """Return whether all deployments have to share database 0; raise ClaimError if the play does not allow that."""
    if state.databases is None and "out of range" in str(server.call("EVAL", "return redis.call('SELECT', 1)", 0)):
        state.databases = 1  # the server hides its configuration
    if state.databases != 1:
        return False
    if not allowed:
        why = "is in cluster mode and" if state.cluster else "is configured with one database and"
        raise ClaimError(
            f"this Redis {why} has database 0 only, so deployments cannot get a database each. Use another Redis. The"
            " module redis_database alone can share it, with allow_shared_number: true; deployments are then separated by their"
            " key prefixes (REDIS_KEY_PREFIX) only."
        )
    return True


def overlap_problems(
    entries: t.Sequence[Entry], users: t.Iterable[str], changed: t.Collection[str]
) -> t.Iterator[Problem]:
    """Report the key patterns that two deployments of the list share, or one of the list and a user of the server.

    ``changed`` are the users on the server that get the patterns of the list, or are deleted.
    """
    names = {entry["name"] for entry in entries}
    prefixes = [
        (literal(pattern), deployment_of(user)) for user, pattern in _patterns_of_users(users) if user not in changed
    ]
    for entry in entries:
        prefixes += [(literal(pattern), entry["name"]) for pattern in own_patterns(entry, "key_patterns")]
    prefixes.sort()
    open_ones: list[tuple[bytes, str]] = []  # prefixes that the current one begins with
    for prefix, name in prefixes:
        while open_ones and not prefix.startswith(open_ones[-1][0]):
            open_ones.pop()
        for other in {other for _prefix, other in open_ones if other != name and {other, name} & names}:
            here, there = (name, other) if name in names else (other, name)
            yield Problem(
                here,
                "key_patterns",
                f"its key pattern overlaps with that of '{there}' in the shared database 0, at '{printable(readable(prefix))}'",
                "give each deployment a prefix of its own",
            )
        open_ones.append((prefix, name))


def _patterns_of_users(users: t.Iterable[str]) -> t.Iterator[tuple[str, str]]:
    for line in users:
        name, rights = user_of(line)
        if "on" in rights and "allkeys" not in rights and "+select|" not in line:
            # The patterns of administrators (~*) overlap with all others, by intention.
            yield from ((name, pattern) for pattern in key_patterns(rights) if pattern != "*")


def other_nodes(server: Server, masters: bool = False) -> list[Server]:
    """Connect to every other node of the cluster that responds; replicas have users too, but no keys of their own."""
    reply = server.call("CLUSTER", "NODES")
    if isinstance(reply, Exception):
        raise ClaimError(f"CLUSTER NODES is not permitted ({reply}), so users cannot be created on all nodes")
    nodes = []
    for line in str(reply).splitlines():
        address, flags = line.split()[1:3]
        if not {"myself", "fail", "noaddr", "handshake", *(["slave"] if masters else [])} & set(flags.split(",")):
            host, port = address.split("@")[0].rsplit(":", 1)
            nodes.append(server.at(host, int(port)))
    return nodes


def warnings_of(shared: bool) -> list[str]:
    """Return a warning about what sharing one database means."""
    if not shared:
        return []
    return [
        "all deployments share Redis database 0, separated by their key patterns only: start each server with its own"
        " REDIS_KEY_PREFIX, and do not use servers with fixed keys (lg:*) here."
    ]


def sweep(servers: t.Sequence[Server], patterns: t.Sequence[str], delete: bool) -> int:
    """Count the keys that match the patterns on all nodes, and delete them if ``delete`` is set."""
    total = 0
    for server in servers:
        for pattern in patterns:
            cursor = "0"
            while True:
                cursor, keys = server.call("SCAN", cursor, "MATCH", pattern, "COUNT", 1000)
                total += len(keys)
                if delete and keys:
                    server.pipeline([("UNLINK", key) for key in keys])
                if str(cursor) == "0":
                    break
    return total
