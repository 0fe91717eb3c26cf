# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A claim counts as made once the server has it on disk: a crash a moment later must not give its number to others."""

from __future__ import annotations

import typing as t
import uuid

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.connection import Server, as_mapping
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.record import CLAIMS_KEY

# What appendfsync was, and who has changed it last: "everysec TOKEN".
SYNC_FIELD = ":appendfsync"
_TOUCH_FIELD = ":touch"
# A write of our own, so that what is waited for is after all that was written before, by whatever connection.
_TOUCH: list[tuple[str, ...]] = [("HSET", CLAIMS_KEY, _TOUCH_FIELD, "1"), ("HDEL", CLAIMS_KEY, _TOUCH_FIELD)]
_CONFIG = ("CONFIG", "GET", "appendfsync")
_FIELD = ("HGET", CLAIMS_KEY, SYNC_FIELD)


def make_durable(server: Server, append_only: bool | None) -> str | None:
    """Wait until all that was written is on disk; give the reason where the server cannot be made to say so.

    ``append_only`` is whether the server keeps an append-only file, None where it does not say.
    """
    if append_only is False:
        return "appendonly is no"
    reply = server.pipeline([*_TOUCH, ("WAITAOF", 1, 0, server.patience // 2)])[-1]
    if not isinstance(reply, Exception) and int(reply[0]) >= 1:
        return None
    return _why(reply, sync_now(server))


def _why(waited: t.Any, refusal: Exception | None) -> str | None:
    if refusal is None:
        return None
    first = waited if isinstance(waited, Exception) else "WAITAOF: no fsync in time"
    return f"{first}; {refusal}"


def sync_now(server: Server) -> Exception | None:
    """Write once with ``appendfsync always``, and put back what was; give the error where that is forbidden.

    Several may do so at once, and any of them may be killed. What was is kept in the record, with a token of the last
    one that came: this one puts it back, and whoever finds it left behind makes itself the last one.
    """
    token = uuid.uuid4().hex

    def arrive(replies: t.Sequence[t.Any]) -> list[tuple[str, ...]]:
        kept, setting = replies
        former = str(kept).split()[0] if kept else str(as_mapping(setting)["appendfsync"])
        if former == "always":
            return [*_TOUCH, *([("HDEL", CLAIMS_KEY, SYNC_FIELD)] if kept else [])]
        return [("HSET", CLAIMS_KEY, SYNC_FIELD, f"{former} {token}"), ("CONFIG", "SET", "appendfsync", "always")]

    def leave(replies: t.Sequence[t.Any]) -> list[tuple[str, ...]]:
        former, _space, last = str(replies[0] or "").partition(" ")
        if last != token:
            return []
        return [("CONFIG", "SET", "appendfsync", former), ("HDEL", CLAIMS_KEY, SYNC_FIELD)]

    refusal = server.change(CLAIMS_KEY, [_FIELD, _CONFIG], arrive)
    # The reply to the first change came after the fsync. Put back at once: for the others each write is one more.
    return refusal or server.change(CLAIMS_KEY, [_FIELD], leave)


def warnings_of(reason: str | None) -> list[str]:
    """Say where the claims are safe instead."""
    if reason is None:
        return []
    return [
        f"Redis does not confirm that it has the claims on disk ({reason}): their copies in Postgres are the durable record."
    ]
