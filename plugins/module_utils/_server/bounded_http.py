# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""One HTTP request to a server that is not trusted: it ends in time and is of a bounded size, whatever the server does.

Shipped to the host too, where the units use it: no imports but the standard library's. A redirect is an answer like any
other and is not followed: it may lead anywhere.
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

# The host asks itself: that its certificate names 127.0.0.1 is not asked for.
_TRUSTING = ssl.create_default_context()
_TRUSTING.check_hostname = False
_TRUSTING.verify_mode = ssl.CERT_NONE


class TooLarge(ValueError):
    """An answer of more bytes than were asked for."""


@dataclass(frozen=True)
class Reply:
    """Status and body of an answer."""

    status: int
    body: bytes


@dataclass(frozen=True)
class Request:
    """What to send; a body makes it a POST."""

    url: str
    body: bytes | None = None
    headers: t.Mapping[str, str] = field(default_factory=dict)


def fetch(request: Request, *, seconds: float, most: int) -> Reply:
    """Ask once, for at most ``seconds`` in all, and take at most ``most`` bytes.

    Raises OSError (TimeoutError where the time was over), TooLarge, ValueError where the URL is none, HTTPException where
    something answers that does not speak HTTP. None of them is told to people.
    """
    deadline = time.monotonic() + seconds
    parts = urllib.parse.urlsplit(request.url)
    connection = _connection(parts, max(0.001, seconds))
    over = threading.Event()
    with contextlib.closing(connection):
        connection.connect()
        # A time limit of a socket is for each of its reads: a server that sends a byte now and then never meets it.
        watch = threading.Timer(max(0.0, deadline - time.monotonic()), _hang_up, (connection.sock, over))
        watch.daemon = True
        watch.start()
        try:
            reply = _exchange(connection, parts, request, most)
        except (OSError, http.client.HTTPException, ValueError):
            if not over.is_set():
                raise
        else:
            # Without a length, the end that was made of it looks like the server's.
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
        # Not the TLS layer's own, which is in use by the other thread.
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
        # What was cut off, by the server or by the time limit, is no answer.
        raise http.client.IncompleteRead(body, response.length)
    return Reply(response.status, body)


def parse(body: bytes) -> t.Any:
    """The JSON of an answer. Raises ValueError, also where it is nested without end."""
    try:
        return json.loads(body)
    except RecursionError as error:
        raise ValueError from error
