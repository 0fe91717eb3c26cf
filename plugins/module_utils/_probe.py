# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Asking servers for their health, the whole list at once."""

from __future__ import annotations

import http.client
import json
import time
import typing as t
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

# One request; a server whose loop is blocked by synchronous code answers late, not never.
REQUEST_SECONDS = 10
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Answer:
    """One answer of ``/ok``: the HTTP status (None: no answer) and whether it means healthy."""

    status: int | None
    ok: bool


def is_healthy(status: int | None, body: bytes) -> bool:
    """Healthy is HTTP 200 and JSON whose ``ok`` is true.

    Up to server 0.15 the body is ``{"ok": true}``, from 0.16 on it has ``services`` beside it.
    """
    if status != 200:
        return False
    try:
        content = json.loads(body)
    except ValueError:
        return False
    return isinstance(content, dict) and content.get("ok") is True


def ask(url: str, timeout: float = REQUEST_SECONDS) -> Answer:
    """Ask one URL once."""
    try:
        with _OPENER.open(url, timeout=timeout) as response:
            return Answer(response.status, is_healthy(response.status, response.read(65536)))
    except urllib.error.HTTPError as error:
        return Answer(error.code, False)
    except (OSError, ValueError, http.client.HTTPException):
        # The last one: something answers there that does not speak HTTP.
        return Answer(None, False)


def wait_for(urls: t.Mapping[str, str], timeout: float, interval: float = 0.5) -> dict[str, Answer]:
    """Ask every URL until each is healthy or ``timeout`` seconds are over; give the last answer of each."""
    if not urls:
        return {}
    deadline = time.monotonic() + timeout

    def wait(url: str) -> Answer:
        while True:
            answer = ask(url)
            if answer.ok or time.monotonic() + interval > deadline:
                return answer
            time.sleep(interval)

    with ThreadPoolExecutor(max_workers=min(32, len(urls))) as pool:
        return dict(zip(urls, pool.map(wait, urls.values()), strict=True))
