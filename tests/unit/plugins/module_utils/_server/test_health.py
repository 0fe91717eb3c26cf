# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asking real servers on this machine for their health."""

from __future__ import annotations

import socket
import threading
import time
import typing as t
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._server.health import (
    Answer,
    Target,
    ask,
    is_healthy,
    wait_for,
    wait_until_stable,
)

BODIES = {
    "up to 0.15": (200, b'{"ok":true}', True),
    "from 0.16 on": (200, b'{"ok":true,"services":{"postgres":"ok"}}', True),
    "not ok": (200, b'{"ok":false}', False),
    "ok is a text": (200, b'{"ok":"true"}', False),
    "a queue worker": (200, b'{"status":"ok"}', False),
    "a list": (200, b"[true]", False),
    "a page of a proxy": (200, b"<html>ok</html>", False),
    "no UTF-8": (200, b"\xff\xfe", False),
    "nothing": (200, b"", False),
    "another status": (503, b'{"ok":true}', False),
    "no answer": (None, b"", False),
}


@pytest.mark.parametrize(("status", "body", "healthy"), BODIES.values(), ids=BODIES)
def test_is_healthy(status: int | None, body: bytes, healthy: bool) -> None:
    assert is_healthy(status, body) is healthy


class Handler(BaseHTTPRequestHandler):
    """Healthy at /ok, from the third question on at /late, but for the third at /shaky, broken at /bad.

    At /named it is healthy for those who ask for the host by name.
    """

    asked: t.ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        count = self.asked.count(self.path)
        healthy = {
            "/ok": True,
            "/late": count > 2,
            "/shaky": count != 3,
            "/named": self.headers["Host"] == "bot.example.com",
        }.get(self.path, False)
        self.send_response(200 if healthy else 500)
        self.end_headers()
        self.wfile.write(b'{"ok":true}' if healthy else b"broken")

    def log_message(self, *_arguments: t.Any) -> None:
        """Be quiet."""


@pytest.fixture
def server() -> t.Iterator[str]:
    Handler.asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{http.server_address[1]}"
        http.shutdown()


@pytest.fixture
def stranger() -> t.Iterator[str]:
    """A server that does not speak HTTP."""

    def answer(listener: socket.socket) -> None:
        while True:
            try:
                connection, _address = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(1024)
                connection.sendall(b"-ERR unknown command\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=answer, args=(listener,), daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/ok"


def test_whole_list_at_once(server: str, stranger: str) -> None:
    urls = {"good": f"{server}/ok", "late": f"{server}/late", "bad": f"{server}/bad", "odd": stranger, "no": "http://["}
    targets = {name: Target(url) for name, url in urls.items()}
    assert wait_for(targets, timeout=1, interval=0.05) == {
        "good": Answer(200, True),
        "late": Answer(200, True),
        "bad": Answer(500, False),
        "odd": Answer(None, False),
        "no": Answer(None, False),
    }
    assert Handler.asked.count("/ok") == 1


def test_without_time_each_is_asked_once(server: str) -> None:
    assert wait_for({"bad": Target(f"{server}/bad")}, timeout=0) == {"bad": Answer(500, False)}
    assert Handler.asked == ["/bad"]


def test_a_server_that_hangs_is_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        assert ask(f"http://127.0.0.1:{silent.getsockname()[1]}/ok", timeout=0.2) == Answer(None, False)
    assert time.monotonic() - started < 2


def test_nothing_to_ask() -> None:
    assert wait_for({}, 60) == {}


def test_a_deployment_is_asked_for_by_its_host_name(server: str) -> None:
    targets = {"named": Target(f"{server}/named", "bot.example.com"), "unnamed": Target(f"{server}/named")}
    assert {name: answer.ok for name, answer in wait_for(targets, 0).items()} == {"named": True, "unnamed": False}


# The path; for how long it must be healthy; the answer, and the minimum number of requests.
STABLE: dict[str, tuple[str, float, Answer, int]] = {
    "healthy": ("/ok", 0.2, Answer(200, True), 2),
    "for no time": ("/ok", 0, Answer(200, True), 1),
    "late": ("/late", 0.2, Answer(200, True), 5),
    "sick once in between": ("/shaky", 0.2, Answer(200, True), 6),
    "sick": ("/bad", 0.2, Answer(500, False), 3),
    "never for so long": ("/ok", 60, Answer(200, False), 3),
}


@pytest.mark.parametrize(("path", "seconds", "expected", "times"), STABLE.values(), ids=STABLE)
def test_healthy_for_so_long(server: str, path: str, seconds: float, expected: Answer, times: int) -> None:
    started = time.monotonic()
    assert wait_until_stable(f"{server}{path}", seconds, started + 1.5, interval=0.05) == expected
    assert len(Handler.asked) >= times
    assert time.monotonic() - started >= (seconds if expected.ok else 1.4)
