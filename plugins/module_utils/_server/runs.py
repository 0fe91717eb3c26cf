# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Count runs in flight through the server's own API. Also shipped to the host, where the drain uses it.

The server is not trusted: all requests together have a deadline, each answer has a maximum size, and only ids and single
words are taken from it.

The tables differ between the vendor's runtime and others, the API does not (docs: Agent Server API, threads and runs).
"""

from __future__ import annotations

import http.client
import json
import re
import time
import typing as t
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

if __package__:
    from ansible_collections.selfhost.langgraph.plugins.module_utils._server import bounded_http
else:
    import _bounded_http as bounded_http  # type: ignore[import-not-found,no-redef]

REQUEST_SECONDS = 5
# Limit of all requests of one report, so that it does not delay a rollout.
TOTAL_SECONDS = 20
# The description of a run contains its input.
MOST_BYTES = 4 * 1024 * 1024
# Further threads, and further runs of one thread, are not counted.
MOST_THREADS = 200
MOST_RUNS = 100
IN_FLIGHT = ("pending", "running")
_WORD = re.compile(r"[\w.:-]{1,128}", re.ASCII)
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_ID = re.compile(r"\brun_id\W+([0-9a-f-]{36})\b")
_AGAIN = re.compile(r"\brun_attempt\W+([2-9]|[1-9]\d+)\b")


class RunsUnknown(RuntimeError):
    """The server did not report its runs: it requires a login, or does not answer."""


class _NotFound(RuntimeError):
    """The server answers with 404."""


class _Api:
    """The API of one server, for TOTAL_SECONDS; ``url`` includes its mount prefix."""

    def __init__(self, url: str) -> None:
        self._url, self._deadline = url, time.monotonic() + TOTAL_SECONDS

    def ask(self, path: str, body: t.Any = None) -> t.Any:
        """Return one answer as JSON. Raises _NotFound, OSError, ValueError, HTTPException."""
        data = None if body is None else json.dumps(body).encode()
        request = bounded_http.Request(f"{self._url}{path}", data, {"Content-Type": "application/json"})
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        reply = bounded_http.fetch(request, seconds=min(REQUEST_SECONDS, left), most=MOST_BYTES)
        if reply.status == 404:
            raise _NotFound
        if reply.status >= 300:
            raise ValueError(reply.status)
        return bounded_http.parse(reply.body)

    def exists(self, path: str) -> bool:
        """Return whether a path exists."""
        try:
            self.ask(path)
        except _NotFound:
            return False
        return True


_FAILURES = (OSError, ValueError, TypeError, KeyError, http.client.HTTPException, _NotFound)


def _word(value: t.Any) -> str:
    """Validate an id or a status, which goes into URLs and reports."""
    if not isinstance(value, str) or not _WORD.fullmatch(value):
        raise ValueError(type(value))
    return value


def in_flight(api: str) -> dict[str, tuple[str, str]]:
    """Return the runs that are pending or running: id -> (thread id, status). ``api`` is the URL with the mount prefix.

    Raises RunsUnknown.
    """
    server = _Api(api)
    try:
        body = {"status": "busy", "limit": MOST_THREADS, "select": ["thread_id"]}
        found = server.ask("/threads/search", body)
        threads = [_word(thread["thread_id"]) for thread in found[:MOST_THREADS]]
        with ThreadPoolExecutor(max_workers=8) as pool:
            lists = list(pool.map(lambda thread: _runs_of(server, thread), threads))
    except _FAILURES as error:
        raise RunsUnknown(str(error)) from error
    return {run: (thread, status) for thread, runs in zip(threads, lists) for run, status in runs.items()}


def _runs_of(server: _Api, thread: str) -> dict[str, str]:
    try:
        runs = server.ask(f"/threads/{thread}/runs?limit={MOST_RUNS}")
    except _NotFound:
        return {}
    return {_word(run["run_id"]): str(run["status"]) for run in runs[:MOST_RUNS] if run["status"] in IN_FLIGHT}


def statuses(api: str, runs: t.Mapping[str, str]) -> dict[str, str]:
    """Return the current status of runs (id -> thread id): id -> status.

    ``deleted`` is a run that was deleted with its thread, as stateless runs are when they end; ``lost`` is a run that is
    missing from an existing thread. Raises RunsUnknown.
    """
    server = _Api(api)

    def ask(item: tuple[str, str]) -> str:
        run, thread = item
        try:
            return _word(server.ask(f"/threads/{thread}/runs/{run}")["status"])
        except _NotFound:
            return "lost" if server.exists(f"/threads/{thread}") else "deleted"

    try:
        with ThreadPoolExecutor(max_workers=8) as pool:
            return dict(zip(runs, pool.map(ask, runs.items())))
    except _FAILURES as error:
        raise RunsUnknown(str(error)) from error


def counts(found: t.Iterable[str]) -> dict[str, int]:
    """Count the runs by status."""
    return dict(sorted(Counter(found).items()))


def uncoloured(line: str) -> str:
    """Return a log line without terminal colours."""
    return _COLOURS.sub("", line)


def started_again(lines: t.Iterable[str], runs: t.Container[str]) -> set[str]:
    """Return those of ``runs`` that were started again according to a server's log (langgraph_api.worker logs run_attempt)."""
    again = set()
    for line in map(uncoloured, lines):
        found = _ID.search(line)
        if found and found[1] in runs and _AGAIN.search(line):
            again.add(found[1])
    return again
