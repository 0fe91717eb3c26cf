# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs in flight, asked of a server on this machine that answers as the product's API does."""

from __future__ import annotations

import json
import socket
import threading
import typing as t
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._server.runs import (
    RunsUnknown,
    counts,
    in_flight,
    started_again,
    statuses,
)

PREFIX = "/support"
# Thread -> its runs with their status. The last thread goes while it is asked for its runs.
THREADS: dict[str, dict[str, str]] = {
    "thread-1": {"run-1": "running", "run-2": "pending", "run-3": "success"},
    "thread-2": {"run-4": "error", "run-5": "running"},
    "thread-3": {},
}
GOES = "thread-that-goes"


class Api(BaseHTTPRequestHandler):
    """The routes that are asked for; ``login`` has it refuse all, ``words`` answer with something else than JSON."""

    login: t.ClassVar[bool] = False
    words: t.ClassVar[str | None] = None
    searched: t.ClassVar[list[dict[str, t.Any]]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.searched.append(body)
        found = [{"thread_id": thread} for thread in (*THREADS, GOES)]
        self._answer(found if self.path == f"{PREFIX}/threads/search" else None)

    def do_GET(self) -> None:
        parts = self.path.partition("?")[0].removeprefix(PREFIX).strip("/").split("/")
        runs = THREADS.get(parts[1])
        found: t.Any = runs
        if runs is not None and len(parts) == 2:
            found = {"thread_id": parts[1]}
        elif runs is not None and len(parts) == 3:
            found = [{"run_id": run, "status": status} for run, status in runs.items()]
        elif runs is not None:
            found = {"run_id": parts[3], "status": runs[parts[3]]} if parts[3] in runs else None
        self._answer(found)

    def _answer(self, found: t.Any) -> None:
        self.send_response(401 if self.login else 404 if found is None else 200)
        self.end_headers()
        self.wfile.write((json.dumps(found) if self.words is None else self.words).encode())

    def log_message(self, *_arguments: t.Any) -> None:
        """Be quiet."""


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[str]:
    """The API's URL with its prefix."""
    monkeypatch.setattr(Api, "searched", [])
    with ThreadingHTTPServer(("127.0.0.1", 0), Api) as http:
        threading.Thread(target=http.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{http.server_address[1]}{PREFIX}"
        http.shutdown()


def test_what_is_in_flight(api: str) -> None:
    assert in_flight(api) == {
        "run-1": ("thread-1", "running"),
        "run-2": ("thread-1", "pending"),
        "run-5": ("thread-2", "running"),
    }
    assert Api.searched == [{"status": "busy", "limit": 200, "select": ["thread_id"]}]


def test_what_became_of_runs(api: str) -> None:
    runs = {"run-3": "thread-1", "run-4": "thread-2", "run-6": "thread-3", "run-7": "thread-that-is-gone"}
    assert statuses(api, runs) == {"run-3": "success", "run-4": "error", "run-6": "lost", "run-7": "deleted"}
    assert statuses(api, {}) == {}


def test_a_server_that_asks_for_a_login(api: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Api, "login", True)
    with pytest.raises(RunsUnknown, match="401"):
        in_flight(api)
    with pytest.raises(RunsUnknown, match="401"):
        statuses(api, {"run-1": "thread-1"})


@pytest.mark.parametrize("words", ["<html>", "", "5", "[5]", '[{"id": 1}]', "null"])
def test_a_server_that_is_something_else(api: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Api, "words", words)
    with pytest.raises(RunsUnknown):
        in_flight(api)


def test_nobody_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(RunsUnknown):
        in_flight(f"http://127.0.0.1:{port}")
    with pytest.raises(RunsUnknown):
        statuses(f"http://127.0.0.1:{port}", {"run-1": "thread-1"})


def test_counts() -> None:
    assert counts(["success", "running", "success"]) == {"running": 1, "success": 2}
    assert list(counts(["success", "pending"])) == ["pending", "success"]
    assert counts([]) == {}


ONE, TWO = "1ef0c5b2-6a5b-6d3e-8d6c-0242ac120002", "1ef0c5b2-6a5b-6d3e-8d6c-0242ac120003"
# langgraph-api 0.11 on a terminal, and with LOG_JSON=true.
COLOURED = (
    "\x1b[2m2026-11-25T10:00:00.123456Z\x1b[0m [\x1b[32m\x1b[1minfo     \x1b[0m] \x1b[1mStarting background run\x1b[0m "
    "[\x1b[0m\x1b[1m\x1b[34mlanggraph_api.worker\x1b[0m]\x1b[0m \x1b[36mrun_attempt\x1b[0m=\x1b[35m{attempt}\x1b[0m "
    "\x1b[36mrun_id\x1b[0m=\x1b[35m{run}\x1b[0m"
)
JSON = '{{"logger": "langgraph_api.worker", "run_id": "{run}", "run_attempt": {attempt}, "event": "Starting background run"}}'


@pytest.mark.parametrize("line", [COLOURED, JSON], ids=["coloured", "JSON"])
@pytest.mark.parametrize(("attempt", "again"), [(1, False), (2, True), (9, True), (10, True), (11, True)])
def test_a_run_that_started_again(line: str, attempt: int, again: bool) -> None:
    lines = [line.format(run=ONE, attempt=attempt), line.format(run=TWO, attempt=1)]
    assert started_again(lines, {ONE, TWO}) == ({ONE} if again else set())


def test_only_runs_that_were_asked_for_and_each_once() -> None:
    lines = [JSON.format(run=run, attempt=attempt) for run in (ONE, TWO) for attempt in (2, 3)]
    assert started_again(["", "no run at all", *lines], {ONE}) == {ONE}
    assert started_again(lines, ()) == set()
