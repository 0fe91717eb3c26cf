# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Check the health of servers, the whole list at once.

Also shipped to the host, where the units use it: it imports only the standard library and the files next to it there.
"""

from __future__ import annotations

import http.client
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

if __package__:
    from ansible_collections.selfhost.langgraph.plugins.module_utils._server import bounded_http
else:
    import _bounded_http as bounded_http  # type: ignore[import-not-found,no-redef]

# Limit of one request; a server whose loop is blocked by synchronous code answers late, but it answers.
REQUEST_SECONDS = 10
MOST_BYTES = 65536


@dataclass(frozen=True)
class Answer:
    """One answer of ``/ok``: the HTTP status (None: no answer), and whether it means healthy."""

    status: int | None
    ok: bool


def is_healthy(status: int | None, body: bytes) -> bool:
    """Return whether an answer means healthy: HTTP 200 and JSON whose ``ok`` is true.

    Up to server 0.15 the body is ``{"ok": true}``, from 0.16 on it also has ``services``.
    """
    if status != 200:
        return False
    try:
        content = bounded_http.parse(body)
    except ValueError:
        return False
    return isinstance(content, dict) and content.get("ok") is True


def ask(url: str, timeout: float = REQUEST_SECONDS, host: str | None = None) -> Answer:
    """Request one URL once, for at most ``timeout`` seconds in total; ``host`` is the host name to send, if any."""
    request = bounded_http.Request(url, headers={"Host": host} if host else {})
    try:
        reply = bounded_http.fetch(request, seconds=timeout, most=MOST_BYTES)
    except (OSError, ValueError, http.client.HTTPException):
        # HTTPException: a program answers there that does not use HTTP.
        return Answer(None, False)
    return Answer(reply.status, is_healthy(reply.status, reply.body))


@dataclass(frozen=True)
class Target:
    """A URL to request, and the host name to send."""

    url: str
    host: str | None = None


def wait_for(targets: t.Mapping[str, Target], timeout: float, interval: float = 0.5) -> dict[str, Answer]:
    """Check every target until each is healthy or ``timeout`` seconds are over; return the last answer of each.

    Each is checked at least once, so this may take up to REQUEST_SECONDS longer.
    """
    if not targets:
        return {}
    deadline = time.monotonic() + timeout

    def wait(target: Target) -> Answer:
        while True:
            answer = ask(target.url, host=target.host)
            if answer.ok or time.monotonic() + interval > deadline:
                return answer
            time.sleep(interval)

    with ThreadPoolExecutor(max_workers=min(32, len(targets))) as pool:
        return dict(zip(targets, pool.map(wait, targets.values())))


def wait_until_stable(url: str, seconds: float, deadline: float, interval: float = 0.2) -> Answer:
    """Check until every answer of the last ``seconds`` was healthy, at most until ``deadline`` (time.monotonic).

    Return the last answer; it is healthy only if all answers were healthy for that long.
    """
    since: float | None = None
    while True:
        answer = ask(url)
        now = time.monotonic()
        since = (now if since is None else since) if answer.ok else None
        if since is not None and now - since >= seconds:
            return answer
        if now + interval > deadline:
            return Answer(answer.status, False)
        time.sleep(interval)
