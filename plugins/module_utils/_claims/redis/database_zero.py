# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Keys that deployments have left in database 0, where every connection starts and no rule of Redis prevents writing."""

from __future__ import annotations

import typing as t
from collections import Counter

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.owner import NAMESPACE
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis import keys as _keys
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.connection import Server
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.logins import made_users
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.state import ServerState
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.redis_globs import matcher
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.redis_rights import (
    key_patterns,
    user_of,
)

Owned = t.Callable[[str], t.Optional[str]]  # noqa: UP045 - Python 3.8


def owner_of_key(names: t.Collection[str], state: ServerState) -> Owned:
    """Return a function that returns which of these deployments owns a key in database 0, or None if that is uncertain.

    Our own keys have no owner. A key that begins with the deployment's name and ":" is its own; another key that its user
    may write is its own only if no other user can have written it.
    """
    users = dict(user_of(line) for line in state.rules or ())
    # A user of the second name may be somebody else's.
    own = {name: {name, *made_users(name, state)} for name in names}
    mine = {
        name: matcher([pattern for user in own[name] for pattern in key_patterns(users.get(user, ()))])
        for name in names
    }
    ours = {user for each in own.values() for user in each}
    others = matcher(
        [
            pattern
            for name, rights in users.items()
            if name not in {*ours, state.me} and not (name == "default" and "off" in rights)
            for pattern in key_patterns(rights)
        ]
    )

    def owner(key: str) -> str | None:
        if key.startswith(f"{NAMESPACE}:"):
            return None
        if key.partition(":")[0] in mine and ":" in key:
            return key.partition(":")[0]
        return next((name for name, matches in mine.items() if matches(key) and not others(key)), None)

    return owner


def sweep(server: Server, names: t.Collection[str], state: ServerState, delete: bool) -> Counter[str]:
    """Count the keys in database 0 of each of these deployments, and delete them if ``delete`` is set."""
    found: Counter[str] = Counter()
    if not names:
        return found
    owner = owner_of_key(names, state)
    for _db, keys in _keys.scan(server, [0]):
        own = {key: name for key in keys if (name := owner(key))}
        found.update(own.values())
        if delete and own:
            _keys.unlink(server, 0, own)
    return found
