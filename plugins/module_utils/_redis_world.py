# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Everything that has to be known of a Redis server, read in one round trip."""

from __future__ import annotations

import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims import ClaimError
from ansible_collections.selfhost.langgraph.plugins.module_utils._redis_acl import (
    CommandSets,
    is_limited,
    is_open,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._redis_connection import (
    MINIMUM_VERSION,
    Reply,
    Server,
    as_mapping,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._redis_plan import World
from ansible_collections.selfhost.langgraph.plugins.module_utils._redis_script import UNSAVED_KEY

# A category that a server does not have is answered with an error and left out.
CATEGORIES = (
    "keyspace read write set sortedset list hash string bitmap hyperloglog geo stream pubsub admin fast slow blocking"
    " dangerous connection transaction scripting bloom cuckoo cms topk tdigest search json timeseries"
).split()


def read_world(server: Server, names: t.Sequence[str]) -> World:
    """Ask everything that has to be known, in one round trip."""
    questions: list[tuple[str, ...]] = [
        ("INFO", "server"),
        ("CONFIG", "GET", "databases"),
        ("CONFIG", "GET", "aclfile"),
        ("EXISTS", UNSAVED_KEY),
        ("ACL", "WHOAMI"),
        ("ACL", "GETUSER", "default"),
        ("INFO", "persistence"),
    ]
    head = len(questions)
    questions += [("ACL", "CAT", category) for category in CATEGORIES]
    questions += [("ACL", "GETUSER", name) for name in names]
    replies = server.pipeline(questions)
    info, databases, acl_file, unsaved, me, default, persistence = replies[:head]
    sets = dict(zip(CATEGORIES, replies[head : head + len(CATEGORIES)]))
    users = dict(zip(names, replies[head + len(CATEGORIES) :]))
    limit, path = _setting(databases, "databases"), _setting(acl_file, "aclfile")
    facts = _facts(info)
    cluster = facts.get("redis_mode") == "cluster"
    return World(
        version=_version(facts),
        cluster=cluster,
        # Whatever is configured, a cluster has number 0 only.
        databases=1 if cluster else int(limit) if limit else None,
        acl_file=path,
        unsaved=unsaved == 1,
        open_default=not isinstance(default, Exception) and is_open(as_mapping(default)),
        lossy_default=(
            str(_facts(persistence).get("aof_enabled")) == "1"
            and not isinstance(default, Exception)
            and is_limited(as_mapping(default))
        ),
        me=me if isinstance(me, str) else "",
        sets=CommandSets({name: frozenset(reply) for name, reply in sets.items() if not isinstance(reply, Exception)}),
        users={name: _user(reply) for name, reply in users.items()},
    )


def _setting(reply: Reply, name: str) -> str | None:
    # Managed services forbid CONFIG; None means that the server did not tell.
    return None if isinstance(reply, Exception) else t.cast("str | None", as_mapping(reply).get(name))


def _user(reply: Reply) -> dict[str, t.Any] | None:
    if isinstance(reply, Exception):
        raise ClaimError(
            f"this Redis does not let us manage users ({reply}). Log in as a user that may use ACL, or set"
            " manage_users to false and live without isolation inside Redis."
        )
    return as_mapping(reply) if reply is not None else None


def _facts(info: Reply) -> dict[str, t.Any]:
    if isinstance(info, str):
        return dict(line.split(":", 1) for line in info.splitlines() if ":" in line)
    return info if isinstance(info, dict) else {}


def _version(facts: t.Mapping[str, t.Any]) -> str:
    version = str(facts.get("redis_version", ""))
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if numbers and numbers < MINIMUM_VERSION:
        raise ClaimError(f"Redis {version} is too old: users cannot be held to one number. Use 7.0 or newer.")
    # Valkey says which Redis it is like, and which Valkey it is.
    return str(facts.get("valkey_version", version))


def change_users(server: Server, world: World, commands: t.Sequence[tuple[str, ...]], save: bool) -> None:
    """Change users and save them as one transaction, so that a crash cannot leave users that are not saved.

    A save that fails (a full disk) leaves a mark, from which the next run knows that it has to save again.
    """
    # In a cluster most nodes cannot hold this key.
    batch: list[tuple[str, ...]] = [] if world.cluster else [("SET", UNSAVED_KEY, "1")]
    batch += [*commands, *([("ACL", "SAVE")] if save else [])]
    for command, reply in zip(batch, server.pipeline(batch, atomic=True)):
        if isinstance(reply, Exception) and not (command[1] == "SAVE" and world.acl_file is None):
            # A managed service that hides its configuration keeps users in its own way.
            subject = "save the users to the aclfile" if command[1] == "SAVE" else f"change the user '{command[2]}'"
            raise ClaimError(f"Redis could not {subject}: {reply}. Nothing is lost: run this again once it is cured.")
    if not world.cluster:
        server.call("DEL", UNSAVED_KEY)
