# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""One HTTP request to an untrusted server: its time and its size are limited, whatever the server does.

Also shipped to the host, where the units use it: it imports only the standard library. A redirect is an answer like any
other and is not followed, as it may lead anywhere.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import ssl
import threading
import time
import typing as t
import urllib.parse
from dataclasses import dataclass, field

# The host connects to itself: its certificate need not name 127.0.0.1.
_TRUSTING = ssl.create_default_context()
_TRUSTING.check_hostname = False
_TRUSTING.verify_mode = ssl.CERT_NONE


class TooLarge(ValueError):
    """The answer has more bytes than allowed."""


@dataclass(frozen=True)
class Reply:
    """Status and body of an answer."""

    status: int
    body: bytes


@dataclass(frozen=True)
class Request:
    """The request to send; with a body it is a POST."""

    url: str
    body: bytes | None = None
    headers: t.Mapping[str, str] = field(default_factory=dict)


def fetch(request: Request, *, seconds: float, most: int) -> Reply:
    """Send one request, for at most ``seconds`` in total, and read at most ``most`` bytes.

    Raises OSError (TimeoutError if the time is over), TooLarge, ValueError if the URL is invalid, HTTPException if the answer
    is not HTTP. None of their messages is shown to users.
    """
    deadline = time.monotonic() + seconds
    parts = urllib.parse.urlsplit(request.url)
    connection = _connection(parts, max(0.001, seconds))
    over = threading.Event()
    with contextlib.closing(connection):
        connection.connect()
        # The timeout of a socket applies to each read: a server that sends a byte now and then never exceeds it.
        watch = threading.Timer(max(0.0, deadline - time.monotonic()), _hang_up, (connection.sock, over))
        watch.daemon = True
        watch.start()
        try:
            reply = _exchange(connection, parts, request, most)
        except (OSError, http.client.HTTPException, ValueError):
            if not over.is_set():
                raise
        else:
            # Without a length, the connection that the timer closed looks like one that the server closed.
            if not over.is_set():
                return reply
        finally:
            watch.cancel()
    raise TimeoutError


def _connection(parts: urllib.parse.SplitResult, timeout: float) -> http.client.HTTPConnection:
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(parts.scheme)
    if parts.scheme == "https":
        return http.client.HTTPSConnection(parts.hostname, parts.port, timeout=timeout, context=_TRUSTING)
    return http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)


def _hang_up(connection: socket.socket, over: threading.Event) -> None:
    over.set()
    with contextlib.suppress(OSError):
        # Not the method of the TLS layer, which the other thread is using.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


def _exchange(
    connection: http.client.HTTPConnection, parts: urllib.parse.SplitResult, request: Request, most: int
) -> Reply:
    path = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
    method = "GET" if request.body is None else "POST"
    connection.request(method, path, body=request.body, headers={**request.headers, "Connection": "close"})
    response = connection.getresponse()
    body = response.read(most + 1)
    if len(body) > most:
        raise TooLarge(most)
    if response.length:
        # A body that was cut off, by the server or by the time limit, is not an answer.
        raise http.client.IncompleteRead(body, response.length)
    return Reply(response.status, body)


def parse(body: bytes) -> t.Any:
    """Parse the JSON of an answer. Raises ValueError, also if it is nested too deeply."""
    try:
        return json.loads(body)
    except RecursionError as error:
        raise ValueError from error
