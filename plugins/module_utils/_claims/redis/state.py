# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The state of a Redis server, read in one round trip."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.errors import ClaimError
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.acl import (
    CommandSets,
    is_limited,
    is_open,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.connection import (
    MINIMUM_VERSION,
    Reply,
    Server,
    as_mapping,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.record import CLAIMS_KEY, UNSAVED_KEY

Entry = t.Mapping[str, t.Any]


@dataclass
class ServerState:
    """The state of the server before any decision."""

    version: str
    cluster: bool
    databases: int | None  # None: CONFIG is forbidden, the script finds it by trial
    acl_file: str | None  # None: unknown, "": none is set
    unsaved: bool
    open_default: bool
    lossy_default: bool
    me: str
    sets: CommandSets
    users: dict[str, dict[str, t.Any] | None]
    rules: list[str] | None = None  # ACL LIST; None: forbidden
    no_users: str | None = None  # why users cannot be changed here
    append_only: bool | None = None  # None: unknown
    has_acl_save: bool = True
    fields: frozenset[str] = frozenset()  # of the record


# A category that a server does not have returns an error and is left out.
CATEGORIES = (
    "keyspace read write set sortedset list hash string bitmap hyperloglog geo stream pubsub admin fast slow blocking"
    " dangerous connection transaction scripting bloom cuckoo cms topk tdigest search json timeseries"
).split()


def read_state(server: Server, names: t.Sequence[str]) -> ServerState:
    """Read the state in one round trip; raise ClaimError if the server is too old or does not permit managing users."""
    questions: list[tuple[str, ...]] = [
        ("INFO", "server"),
        ("CONFIG", "GET", "databases"),
        ("CONFIG", "GET", "aclfile"),
        ("EXISTS", UNSAVED_KEY),
        ("ACL", "WHOAMI"),
        ("ACL", "GETUSER", "default"),
        ("INFO", "persistence"),
        ("ACL", "LIST"),
        ("HKEYS", CLAIMS_KEY),
    ]
    head = len(questions)
    questions += [("ACL", "CAT", category) for category in CATEGORIES]
    questions += [("ACL", "GETUSER", name) for name in names]
    replies = server.pipeline(questions)
    info, databases, acl_file, unsaved, me, default, persistence, rules, fields = replies[:head]
    sets = dict(zip(CATEGORIES, replies[head : head + len(CATEGORIES)]))
    users = dict(zip(names, replies[head + len(CATEGORIES) :]))
    limit, path = _setting(databases, "databases"), _setting(acl_file, "aclfile")
    facts = _facts(info)
    # Valkey uses another name for it.
    cluster = "cluster" in (facts.get("redis_mode"), facts.get("server_mode"))
    append_only = _facts(persistence).get("aof_enabled")
    command_sets = CommandSets(
        {name: frozenset(reply) for name, reply in sets.items() if not isinstance(reply, Exception)}
    )
    return ServerState(
        version=_version(facts),
        cluster=cluster,
        # Whatever is configured, a cluster has database 0 only.
        databases=1 if cluster else int(limit) if limit else None,
        acl_file=path,
        unsaved=unsaved == 1,
        open_default=not isinstance(default, Exception) and is_open(as_mapping(default)),
        lossy_default=(
            str(append_only) == "1" and not isinstance(default, Exception) and is_limited(as_mapping(default))
        ),
        me=me if isinstance(me, str) else "",
        sets=command_sets,
        users={name: _user(reply) for name, reply in users.items()},
        rules=None if isinstance(rules, Exception) else [str(line) for line in rules],
        no_users=_no_users(server, me, command_sets) if names else None,
        append_only=None if append_only is None else str(append_only) == "1",
        fields=frozenset() if isinstance(fields, Exception) else frozenset(fields),
    )


# What users are changed and revoked with.
_NEEDED = ("SETUSER", "DELUSER")


def _no_users(server: Server, me: Reply, sets: CommandSets) -> str | None:
    """Return why we may not change users, before anything is claimed; None also if that is unknown and must be tried."""
    if not isinstance(me, str):
        return None
    *dry, myself = server.pipeline(
        [*(("ACL", "DRYRUN", me, "ACL", word, "x") for word in _NEEDED), ("ACL", "GETUSER", me)]
    )
    answers = [reply for reply in dry if isinstance(reply, str)]
    if len(answers) == len(_NEEDED):
        return next((reply for reply in answers if reply != "OK"), None)
    if "not found" in str(dry[0]):
        return str(dry[0])  # a server without this command
    if isinstance(myself, Exception) or myself is None:
        return None
    allowed = sets.allowed(str(as_mapping(myself).get("commands")))
    missing = [word for word in _NEEDED if not {f"acl|{word.lower()}", "acl"} & allowed]
    return f"'{me}' may not run ACL {missing[0]}" if missing else None


def _setting(reply: Reply, name: str) -> str | None:
    # Managed services forbid CONFIG; None means that the server did not report it.
    return None if isinstance(reply, Exception) else t.cast("str | None", as_mapping(reply).get(name))


def _user(reply: Reply) -> dict[str, t.Any] | None:
    if isinstance(reply, Exception):
        raise ClaimError(
            f"this Redis does not permit managing users ({reply}). Log in as a user that may use ACL, or set"
            " manage_users to false and accept that deployments are not isolated in Redis."
        )
    return as_mapping(reply) if reply is not None else None


def _facts(info: Reply) -> dict[str, t.Any]:
    if isinstance(info, str):
        return dict(line.split(":", 1) for line in info.splitlines() if ":" in line)
    return info if isinstance(info, dict) else {}


def _version(facts: t.Mapping[str, t.Any]) -> str:
    version = str(facts.get("redis_version", ""))
    parts = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if parts and parts < MINIMUM_VERSION:
        raise ClaimError(f"Redis {version} is too old: users cannot be restricted to one database. Use 7.0 or newer.")
    # Valkey reports the compatible version of Redis, and its own.
    return str(facts.get("valkey_version", version))
