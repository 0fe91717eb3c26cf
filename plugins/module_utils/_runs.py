# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Runs in flight, counted through the server's own API. Shipped to the host too, where the drain uses it: no imports.

Tables differ between the vendor's runtime and others, the API does not (docs: Agent Server API, threads and runs).
"""

from __future__ import annotations

import http.client
import json
import re
import typing as t
import urllib.error
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

REQUEST_SECONDS = 5
# More threads than that are not looked at: a report need not hold up a rollout.
MOST_THREADS = 200
IN_FLIGHT = ("pending", "running")
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_ID = re.compile(r"\brun_id\W+([0-9a-f-]{36})\b")
_AGAIN = re.compile(r"\brun_attempt\W+([2-9]|[1-9]\d+)\b")


class RunsUnknown(RuntimeError):
    """The server did not tell: it asks for a login, or does not answer."""


def _call(url: str, body: t.Any = None) -> t.Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})
    with _OPENER.open(request, timeout=REQUEST_SECONDS) as response:
        return json.loads(response.read())


def in_flight(api: str) -> dict[str, tuple[str, str]]:
    """Runs that are pending or running: id -> (thread id, status). ``api`` is the URL with the mount prefix.

    Raises RunsUnknown.
    """
    try:
        body = {"status": "busy", "limit": MOST_THREADS, "select": ["thread_id"]}
        threads = [str(thread["thread_id"]) for thread in _call(f"{api}/threads/search", body)]
        with ThreadPoolExecutor(max_workers=8) as pool:
            lists = list(pool.map(lambda thread: _runs_of(api, thread), threads))
    except (OSError, ValueError, TypeError, KeyError, http.client.HTTPException) as error:
        raise RunsUnknown(str(error)) from error
    return {run: (thread, status) for thread, runs in zip(threads, lists) for run, status in runs.items()}


def _runs_of(api: str, thread: str) -> dict[str, str]:
    try:
        runs = _call(f"{api}/threads/{thread}/runs?limit=100")
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return {}
        raise
    return {str(run["run_id"]): str(run["status"]) for run in runs if run["status"] in IN_FLIGHT}


def statuses(api: str, runs: t.Mapping[str, str]) -> dict[str, str]:
    """What became of runs (id -> thread id): id -> status.

    ``deleted`` is a run that went with its thread, as stateless runs do when they end; ``lost`` one whose thread is
    there without it. Raises RunsUnknown.
    """

    def ask(item: tuple[str, str]) -> str:
        run, thread = item
        try:
            return str(_call(f"{api}/threads/{thread}/runs/{run}")["status"])
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise
        return "lost" if _exists(f"{api}/threads/{thread}") else "deleted"

    try:
        with ThreadPoolExecutor(max_workers=8) as pool:
            return dict(zip(runs, pool.map(ask, runs.items())))
    except (OSError, ValueError, TypeError, KeyError, http.client.HTTPException) as error:
        raise RunsUnknown(str(error)) from error


def _exists(url: str) -> bool:
    try:
        _call(url)
    except urllib.error.HTTPError as error:
        if error.code != 404:
            raise
        return False
    return True


def counts(found: t.Iterable[str]) -> dict[str, int]:
    """How many runs have each status."""
    return dict(sorted(Counter(found).items()))


def uncoloured(line: str) -> str:
    """A log line without the colours that a server writes for terminals."""
    return _COLOURS.sub("", line)


def started_again(lines: t.Iterable[str], runs: t.Container[str]) -> set[str]:
    """Which of ``runs`` a server's log says were attempted a second time (langgraph_api.worker logs run_attempt)."""
    again = set()
    for line in map(uncoloured, lines):
        found = _ID.search(line)
        if found and found[1] in runs and _AGAIN.search(line):
            again.add(found[1])
    return again
