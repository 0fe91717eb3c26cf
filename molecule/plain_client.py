# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP of the load generator without a library, for the comparison with http_client.py (compare_clients.py)."""

from __future__ import annotations

import asyncio
import json
import re
import typing as t
import urllib.parse
from collections import deque

from http_client import REQUEST_SECONDS, TROUBLE, Failure, describe


async def body_of(reader: asyncio.StreamReader, head: str) -> bytes:
    """Return the whole body of a response; raise EOFError if it is incomplete."""
    if "transfer-encoding: chunked" in head:
        parts = []
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            parts.append((await reader.readexactly(size + 2))[:-2])
        await reader.readexactly(2)
        return b"".join(parts)
    length = re.search(r"content-length: *(\d+)", head)
    if not length:
        raise Failure("an answer without a length")
    return await reader.readexactly(int(length[1]))


class PlainClient:
    """A minimal HTTP/1.1 client, as it shares two processors with the servers."""

    def __init__(self, url: str, kept: int) -> None:
        parts = urllib.parse.urlsplit(url)
        self.host, self.port = parts.hostname, parts.port
        self.kept, self.alive = kept, 0  # the wanted and the actual number of persistent connections
        self.idle: deque[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = deque()
        self.connections = {"opened": 0, "reused": 0, "closed_while_idle": 0}

    def take(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """Return the longest idle open connection, once there are enough persistent ones."""
        while self.idle and self.alive >= self.kept:
            reader, writer = self.idle.popleft()
            if not (reader.at_eof() or reader.exception() or writer.is_closing()):
                return reader, writer
            self.connections["closed_while_idle"] += 1
            self.alive -= 1
            writer.close()
        return None

    async def call(self, method: str, path: str, content: t.Any, until: float, keep: bool = False) -> t.Any:
        """Send one request, without retries, and return the body of the response; until is a time of the loop."""
        used, writer = self.take() if keep else None, None
        self.alive += keep and not used
        again = False
        self.connections["reused" if used else "opened"] += 1
        data = b"" if content is None else json.dumps(content).encode()
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.host}:{self.port}", f"Content-Length: {len(data)}"]
        lines += ["Content-Type: application/json", *([] if keep else ["Connection: close"]), "", ""]
        try:
            async with asyncio.timeout_at(until):
                reader, writer = used or await asyncio.open_connection(self.host, self.port)
                writer.write("\r\n".join(lines).encode() + data)
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                body = await body_of(reader, head)
            if not head.startswith("http/1.1 2"):
                raise Failure(f"HTTP {head[9:12]}")
            if keep and "connection: close" not in head and self.alive <= self.kept:
                self.idle.append((reader, writer))
                again = True
            return body
        except TROUBLE as error:
            raise Failure(f"{method} {path}, {'kept' if used else 'new'} connection: {describe(error)}") from error
        finally:
            self.alive -= keep and not again
            if writer and not again:
                writer.close()

    async def json(self, method: str, path: str, content: t.Any = None) -> t.Any:
        """Return the API's response, over a new connection."""
        return json.loads(await self.call(method, path, content, asyncio.get_running_loop().time() + REQUEST_SECONDS))

    async def close(self) -> None:
        """Close the persistent connections."""
        for _reader, writer in self.idle:
            writer.close()
