# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Wait until the claims are on disk: a crash a moment later must not free a database number that was just claimed."""

from __future__ import annotations

import typing as t
import uuid

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.connection import Server, as_mapping
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.record import CLAIMS_KEY

# The previous value of appendfsync, and who changed it last: "everysec TOKEN".
SYNC_FIELD = ":appendfsync"
_TOUCH_FIELD = ":touch"
# A write of our own, so that waiting for it covers everything written before, by any connection.
_TOUCH: list[tuple[str, ...]] = [("HSET", CLAIMS_KEY, _TOUCH_FIELD, "1"), ("HDEL", CLAIMS_KEY, _TOUCH_FIELD)]
_CONFIG = ("CONFIG", "GET", "appendfsync")
_FIELD = ("HGET", CLAIMS_KEY, SYNC_FIELD)


def make_durable(server: Server, append_only: bool | None) -> str | None:
    """Wait until all writes are on disk; return the reason if the server cannot confirm that.

    ``append_only`` is whether the server keeps an append-only file, or None if it does not report that.
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
    """Write once with ``appendfsync always``, then restore the previous value; return the error if that is forbidden.

    Several runs may do so at once, and any of them may be killed. The previous value is kept in the record, with a token
    of the run that came last: that run restores it, and a run that finds it left behind becomes the last one.
    """
    token = uuid.uuid4().hex

    def enable(replies: t.Sequence[t.Any]) -> list[tuple[str, ...]]:
        kept, setting = replies
        former = str(kept).split()[0] if kept else str(as_mapping(setting)["appendfsync"])
        if former == "always":
            return [*_TOUCH, *([("HDEL", CLAIMS_KEY, SYNC_FIELD)] if kept else [])]
        return [("HSET", CLAIMS_KEY, SYNC_FIELD, f"{former} {token}"), ("CONFIG", "SET", "appendfsync", "always")]

    def restore(replies: t.Sequence[t.Any]) -> list[tuple[str, ...]]:
        former, _space, last = str(replies[0] or "").partition(" ")
        if last != token:
            return []
        return [("CONFIG", "SET", "appendfsync", former), ("HDEL", CLAIMS_KEY, SYNC_FIELD)]

    refusal = server.change(CLAIMS_KEY, [_FIELD, _CONFIG], enable)
    # The reply to the first change came after the fsync. Restore at once: until then every write of others needs an fsync.
    return refusal or server.change(CLAIMS_KEY, [_FIELD], restore)


def warnings_of(reason: str | None) -> list[str]:
    """Return a warning that names where the claims are durable instead."""
    if reason is None:
        return []
    return [
        f"Redis does not confirm that it has the claims on disk ({reason}): their copies in Postgres are the durable record."
    ]
