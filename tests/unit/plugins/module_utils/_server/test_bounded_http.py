# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Servers that do all they can to keep whoever asks: a question ends in time, with a bounded size, as no answer."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import socket
import threading
import time
import typing as t

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._server import health, runs
from ansible_collections.selfhost.langgraph.plugins.module_utils._server.bounded_http import (
    Reply,
    Request,
    TooLarge,
    fetch,
    parse,
)

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def whole(body: bytes) -> t.Iterator[bytes]:
    yield HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body


def dripping(*begin: bytes) -> t.Iterator[bytes]:
    """A byte now and then, for ever: no read of a socket takes long."""
    yield from begin
    for _time in itertools.count():
        time.sleep(0.05)
        yield b" "


def going_on() -> t.Iterator[bytes]:
    while True:
        time.sleep(0.01)
        yield b"HTTP/1.1 100 Continue\r\n\r\n"


def endless(*begin: bytes) -> t.Iterator[bytes]:
    yield from begin
    yield from itertools.repeat(b" " * 65536)


# What a server sends, piece by piece.
HOSTILE: dict[str, t.Callable[[], t.Iterator[bytes]]] = {
    "drips its first line": lambda: dripping(b"HTTP/1.1"),
    "drips a header": lambda: dripping(HEAD, b"X-A: "),
    "drips a body of some length": lambda: dripping(HEAD, b"Content-Length: 60000\r\n\r\n"),
    "drips a body without a length": lambda: dripping(HEAD, b'\r\n{"ok":true}'),
    "drips chunks": lambda: dripping(HEAD, b"Transfer-Encoding: chunked\r\n\r\nffff\r\n"),
    "goes on and on": going_on,
    "never ends": lambda: endless(HEAD, b'\r\n{"ok":true}'),
    "never ends a line": lambda: endless(b"HTTP/1.1 200 "),
    "never ends its headers": lambda: itertools.chain([HEAD], itertools.repeat(b"X-A: b\r\n" * 100)),
    "is cut off": lambda: iter([HEAD + b'Content-Length: 60000\r\n\r\n{"ok":true}']),
    "nests without end": lambda: whole(b"[" * 60000),
    "has a number without end": lambda: whole(b'{"ok":' + b"9" * 60000 + b"}"),
    "is no text": lambda: whole(b"\xff" * 100),
    "says nothing": lambda: iter(()),
}


@pytest.fixture
def serve() -> t.Iterator[t.Callable[[t.Callable[[], t.Iterator[bytes]]], str]]:
    """Have a server answer every question with what is given, and give its URL."""
    with contextlib.ExitStack() as stack:

        def answer(connection: socket.socket, pieces: t.Iterator[bytes]) -> None:
            with connection, contextlib.suppress(OSError):
                connection.recv(65536)
                for piece in pieces:
                    connection.sendall(piece)
                connection.shutdown(socket.SHUT_WR)

        def accept(listener: socket.socket, pieces: t.Callable[[], t.Iterator[bytes]]) -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _address = listener.accept()
                    threading.Thread(target=answer, args=(connection, pieces()), daemon=True).start()

        def start(pieces: t.Callable[[], t.Iterator[bytes]]) -> str:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            threading.Thread(target=accept, args=(listener, pieces), daemon=True).start()
            return f"http://127.0.0.1:{listener.getsockname()[1]}"

        yield start


@pytest.mark.parametrize("pieces", HOSTILE.values(), ids=HOSTILE)
def test_a_probe_ends_in_time(serve: t.Any, pieces: t.Callable[[], t.Iterator[bytes]]) -> None:
    url, begin = serve(pieces), time.monotonic()
    assert health.ask(url, timeout=0.5).ok is False
    assert time.monotonic() - begin < 1.5


@pytest.mark.parametrize("pieces", HOSTILE.values(), ids=HOSTILE)
def test_runs_end_in_time(
    serve: t.Any, pieces: t.Callable[[], t.Iterator[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "REQUEST_SECONDS", 0.5)
    url, begin = serve(pieces), time.monotonic()
    with pytest.raises(runs.RunsUnknown):
        runs.in_flight(url)
    with pytest.raises(runs.RunsUnknown):
        runs.statuses(url, {"run": "thread"})
    assert time.monotonic() - begin < 3


def test_many_threads_do_not_add_up(serve: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each answer is in time, and there are two hundred of them."""
    monkeypatch.setattr(runs, "TOTAL_SECONDS", 1)
    threads = ",".join(f'{{"thread_id":"{number}"}}' for number in range(1000))
    answers = itertools.chain([0.0], itertools.repeat(0.3))

    def slow() -> t.Iterator[bytes]:
        time.sleep(next(answers))
        return whole(f"[{threads}]".encode())

    url, begin = serve(slow), time.monotonic()
    with pytest.raises(runs.RunsUnknown):
        runs.in_flight(url)
    assert time.monotonic() - begin < 2.5


@pytest.mark.parametrize("value", ["a/../../b", "a b", "x" * 129, 5, "", "a?b", "\\u001b[31m"])
def test_what_is_no_id_goes_nowhere(serve: t.Any, value: t.Any) -> None:
    text = f'"{value}"' if isinstance(value, str) else value
    url = serve(lambda: whole(f'[{{"thread_id":{text}}}]'.encode()))
    with pytest.raises(runs.RunsUnknown, match="^<class "):
        runs.in_flight(url)


def test_a_redirect_is_not_followed(serve: t.Any) -> None:
    target = serve(lambda: whole(b'{"ok":true}'))
    url = serve(lambda: iter([f"HTTP/1.1 302 Found\r\nLocation: {target}/\r\nContent-Length: 0\r\n\r\n".encode()]))
    assert health.ask(url) == health.Answer(302, False)
    with pytest.raises(runs.RunsUnknown, match="302"):
        runs.in_flight(url)


def test_an_answer(serve: t.Any) -> None:
    url = serve(lambda: whole(b'{"ok":true}'))
    assert fetch(Request(f"{url}/a?b=c"), seconds=5, most=11) == Reply(200, b'{"ok":true}')
    with pytest.raises(TooLarge):
        fetch(Request(url), seconds=5, most=10)


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://127.0.0.1/", "http://", "no URL", "http://[", "http://a:b/"]
)
def test_what_is_no_url_to_ask(url: str) -> None:
    with pytest.raises((ValueError, http.client.HTTPException)):
        fetch(Request(url), seconds=1, most=10)


def test_parse() -> None:
    assert parse(b'{"a": [1]}') == {"a": [1]}
    with pytest.raises(ValueError):
        parse(b"[" * 100_000)
