# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Change users in one transaction."""

from __future__ import annotations

import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.errors import ClaimError
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.connection import Server
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.record import UNSAVED_KEY
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.state import ServerState


def change_users(
    server: Server, state: ServerState, commands: t.Sequence[tuple[str, ...]], save: bool
) -> list[str] | None:
    """Change users and save them in one transaction, so that a crash cannot leave unsaved users.

    If saving fails (a full disk), a key remains that makes the next run save again. Return all users as of that transaction,
    or None if they may not be listed.
    """
    # In a cluster most nodes cannot store these keys.
    batch: list[tuple[str, ...]] = [] if state.cluster else [("SET", UNSAVED_KEY, "1")]
    # A managed service that hides its configuration stores users by its own means, and may forbid ACL SAVE.
    apart = state.acl_file is None
    batch += [*commands, *([("ACL", "SAVE")] if save and not apart else []), ("ACL", "LIST")]
    if state.rules is None:
        batch.pop()
    replies = server.pipeline(batch, atomic=True)
    for command, reply in zip(batch, replies):
        if isinstance(reply, Exception):
            subject = "save the users to the aclfile" if command[1] == "SAVE" else f"change the user '{command[2]}'"
            raise ClaimError(f"Redis could not {subject}: {reply}. Nothing is lost: fix the cause and run again.")
    server.pipeline(
        [*([("ACL", "SAVE")] if save and apart else []), *([] if state.cluster else [("DEL", UNSAVED_KEY)])]
    )
    return None if state.rules is None else [str(line) for line in replies[-1]]
