# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Runs in flight, counted through the server's own API. Shipped to the host too, where the drain uses it.

A server is not trusted with the time or the memory of who asks: all questions together have a deadline, each answer a size,
and what is taken from it are ids and words.

Tables differ between the vendor's runtime and others, the API does not (docs: Agent Server API, threads and runs).
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
# All questions of one report together: it need not hold up a rollout.
TOTAL_SECONDS = 20
# A run has its input with it.
MOST_BYTES = 4 * 1024 * 1024
# More threads than that, and more runs of one, are not looked at.
MOST_THREADS = 200
MOST_RUNS = 100
IN_FLIGHT = ("pending", "running")
_WORD = re.compile(r"[\w.:-]{1,128}", re.ASCII)
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_ID = re.compile(r"\brun_id\W+([0-9a-f-]{36})\b")
_AGAIN = re.compile(r"\brun_attempt\W+([2-9]|[1-9]\d+)\b")


class RunsUnknown(RuntimeError):
    """The server did not tell: it asks for a login, or does not answer."""


class _NotFound(RuntimeError):
    """The server answers with 404."""


class _Api:
    """The API of one server, ``url`` with its mount prefix, for TOTAL_SECONDS."""

    def __init__(self, url: str) -> None:
        self._url, self._deadline = url, time.monotonic() + TOTAL_SECONDS

    def ask(self, path: str, body: t.Any = None) -> t.Any:
        """One answer as JSON. Raises _NotFound, OSError, ValueError, HTTPException."""
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
        """Whether there is something."""
        try:
            self.ask(path)
        except _NotFound:
            return False
        return True


_FAILURES = (OSError, ValueError, TypeError, KeyError, http.client.HTTPException, _NotFound)


def _word(value: t.Any) -> str:
    """An id or a status: it goes into URLs and reports."""
    if not isinstance(value, str) or not _WORD.fullmatch(value):
        raise ValueError(type(value))
    return value


def in_flight(api: str) -> dict[str, tuple[str, str]]:
    """Runs that are pending or running: id -> (thread id, status). ``api`` is the URL with the mount prefix.

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
    """What became of runs (id -> thread id): id -> status.

    ``deleted`` is a run that went with its thread, as stateless runs do when they end; ``lost`` one whose thread is
    there without it. Raises RunsUnknown.
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
