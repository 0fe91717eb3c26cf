# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP of the load generator: requests over new and over persistent connections, none of which is sent twice."""

from __future__ import annotations

import asyncio
import json
import typing as t
from collections import deque

import aiohttp

REQUEST_SECONDS = 30
# The least that a server needs, because the client shares two processors with the servers.
SKIPPED_HEADERS = ("User-Agent", "Accept", "Accept-Encoding")
HEADERS = {"Content-Type": "application/json"}
IDLE_SECONDS = 3600  # how long a persistent connection may be idle: longer than any load


class Failure(Exception):
    """An unexpected response."""


TROUBLE = (
    Failure,
    aiohttp.ClientError,
    OSError,
    EOFError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    asyncio.LimitOverrunError,
)


def describe(error: BaseException) -> str:
    """Return a description of an error that is the same for the same cause."""
    if isinstance(error, (EOFError, aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError)):
        return "the connection ended early"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return str(error) if isinstance(error, Failure) else f"{type(error).__name__}: {error}"


async def _opened(_session: object, context: t.Any, _parameters: object) -> None:
    context.trace_request_ctx["opened"] = True


class Client:
    """A client of one server.

    Each persistent connection has a session of its own with one connection: aiohttp's pool would use the last used one
    again, and never open as many as wanted.
    """

    def __init__(self, url: str, kept: int) -> None:
        self.url = url.rstrip("/")
        self.kept, self.alive = kept, 0  # the wanted and the actual number of persistent connections
        self.connections = {"opened": 0, "reused": 0, "closed_while_idle": 0}
        self._idle: deque[aiohttp.ClientSession] = deque()
        self._new = self._session(aiohttp.TCPConnector(limit=0, force_close=True))

    @staticmethod
    def _session(connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
        trace = aiohttp.TraceConfig()
        trace.on_connection_create_start.append(_opened)
        session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=HEADERS,
            skip_auto_headers=SKIPPED_HEADERS,
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            trace_configs=[trace],
        )
        # A request that fails on a persistent connection would be sent again. There is no public setting for it (3.14).
        session._retry_connection = False
        return session

    def _take(self) -> aiohttp.ClientSession:
        """Return the session of the longest idle persistent connection, or of a new one until there are enough."""
        if self._idle and self.alive >= self.kept:
            return self._idle.popleft()
        self.alive += 1
        return self._session(aiohttp.TCPConnector(limit=1, keepalive_timeout=IDLE_SECONDS))

    async def call(self, method: str, path: str, content: t.Any, until: float, keep: bool = False) -> bytes:
        """Send one request, without retries, and return the body of the response; until is a time of the loop."""
        idle = len(self._idle)
        session = self._take() if keep else self._new
        was_kept = len(self._idle) < idle
        seen, again = {"opened": False}, False
        try:
            async with asyncio.timeout_at(until):
                body, again = await self._exchange(session, method, path, content, seen)
            return body
        except TROUBLE as error:
            used = "kept" if was_kept and not seen["opened"] else "new"
            raise Failure(f"{method} {path}, {used} connection: {describe(error)}") from error
        finally:
            self.connections["opened" if seen["opened"] else "reused"] += 1
            self.connections["closed_while_idle"] += was_kept and seen["opened"]
            if keep and again and self.alive <= self.kept:
                self._idle.append(session)
            elif keep:
                self.alive -= 1
                await session.close()

    async def _exchange(
        self, session: aiohttp.ClientSession, method: str, path: str, content: t.Any, seen: dict[str, bool]
    ) -> tuple[bytes, bool]:
        """Return the complete body, and whether the connection can be used again."""
        data = None if content is None else json.dumps(content).encode()
        options = {"data": data, "allow_redirects": False, "trace_request_ctx": seen}
        async with session.request(method, self.url + path, **options) as response:
            if "Content-Length" not in response.headers and "chunked" not in response.headers.get(
                "Transfer-Encoding", ""
            ):
                raise Failure("an answer without a length")
            body = await response.read()
        if response.status // 100 != 2:
            raise Failure(f"HTTP {response.status}")
        return body, response.headers.get("Connection", "").lower() != "close"

    async def json(self, method: str, path: str, content: t.Any = None) -> t.Any:
        """Return the API's response, over a new connection."""
        return json.loads(await self.call(method, path, content, asyncio.get_running_loop().time() + REQUEST_SECONDS))

    async def close(self) -> None:
        """Close all connections."""
        for session in (self._new, *self._idle):
            await session.close()
