# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The load generator's HTTP: nothing is sent twice, connections are kept as wanted, an incomplete body is a failure."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import typing as t
from pathlib import Path

import pytest

MOLECULE = Path(__file__).parents[3] / "molecule"
pytestmark = pytest.mark.skipif(not MOLECULE.exists(), reason="ansible-test copies no molecule/")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n"


class Server:
    """A server that answers each request with the next of its answers; an empty one closes the connection instead."""

    def __init__(self, answers: list[bytes], closes: bool = False) -> None:
        self.answers, self.closes = answers, closes
        self.requests: list[str] = []
        self.connections = 0
        self.writers: list[asyncio.StreamWriter] = []

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError):
            await self.answer(reader, writer)
        writer.close()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := (await reader.readuntil(b"\r\n\r\n")).decode():
            self.requests.append(head)
            length = head.lower().partition("content-length: ")[2].partition("\r\n")[0]
            await reader.readexactly(int(length or 0))
            answer = self.answers[len(self.requests) - 1]
            writer.write(answer)
            if answer and b"\r\n\r\n" not in answer:
                await reader.read()  # until the client gives up
            if self.closes or not answer or "Connection: close" in head:
                break

    def close_idle(self) -> None:
        for writer in self.writers:
            writer.close()


Calls = t.Callable[[t.Any, Server], t.Awaitable[t.Any]]


@pytest.fixture(params=[("http_client", "Client"), ("plain_client", "PlainClient")], ids=["aiohttp", "plain"])
def client_type(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> t.Any:
    pytest.importorskip("aiohttp")
    monkeypatch.syspath_prepend(str(MOLECULE))
    module, name = request.param
    return getattr(importlib.import_module(module), name)


def run(client_type: t.Any, server: Server, calls: Calls, kept: int = 1) -> t.Any:
    """Run calls against a server on this machine."""

    async def main() -> t.Any:
        listening = await asyncio.start_server(server.handle, "127.0.0.1", 0)
        client = client_type(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}", kept)
        try:
            return await calls(client, server)
        finally:
            await client.close()
            listening.close()

    return asyncio.run(main())


async def call(client: t.Any, keep: bool = True, seconds: float = 5) -> t.Any:
    """Return the body of a response, or the description of a failure."""
    until = asyncio.get_running_loop().time() + seconds
    try:
        return await client.call("GET", "/ok", None, until, keep=keep)
    except Exception as error:
        return str(error)


def test_kept_connections_are_opened_first_and_used_in_turn(client_type: t.Any) -> None:
    async def calls(client: t.Any, server: Server) -> None:
        assert [await call(client) for _number in range(6)] == [b"{}"] * 6

    server = Server([OK] * 6)
    run(client_type, server, calls, kept=2)
    assert server.connections == 2
    assert "Connection: close" not in "".join(server.requests)


def test_new_connections_are_not_kept(client_type: t.Any) -> None:
    async def calls(client: t.Any, server: Server) -> dict[str, int]:
        assert [await call(client, keep=False) for _number in range(3)] == [b"{}"] * 3
        return client.connections

    server = Server([OK] * 3)
    assert run(client_type, server, calls) == {"opened": 3, "reused": 0, "closed_while_idle": 0}
    assert server.connections == 3
    assert all("Connection: close" in request for request in server.requests)


def test_what_is_sent(client_type: t.Any) -> None:
    async def calls(client: t.Any, server: Server) -> t.Any:
        return await client.json("POST", "/threads", {"a": 1})

    server = Server([OK])
    assert run(client_type, server, calls) == {}
    assert server.requests[0].startswith("POST /threads HTTP/1.1\r\n")
    assert "Content-Type: application/json\r\n" in server.requests[0]
    assert "Content-Length: 8\r\n" in server.requests[0]


def test_a_connection_that_the_server_closes_while_it_is_idle(client_type: t.Any) -> None:
    """As a proxy does when it is reloaded: the next request uses another connection, and succeeds."""

    async def calls(client: t.Any, server: Server) -> dict[str, int]:
        first = await call(client)
        server.close_idle()
        await asyncio.sleep(0.1)
        assert [first, await call(client)] == [b"{}"] * 2
        return client.connections

    server = Server([OK] * 2)
    assert run(client_type, server, calls) == {"opened": 2, "reused": 0, "closed_while_idle": 1}


def test_a_request_on_a_kept_connection_is_not_sent_twice(client_type: t.Any) -> None:
    async def calls(client: t.Any, server: Server) -> t.Any:
        return [await call(client), await call(client), await call(client)]

    server = Server([OK, b"", OK])
    answers = run(client_type, server, calls)
    assert answers == [b"{}", "GET /ok, kept connection: the connection ended early", b"{}"]
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("answer", "described"),
    [
        (b"", "the connection ended early"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", "the connection ended early"),
        (CHUNKED, "the connection ended early"),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}", "an answer without a length"),
        (b"HTTP/1.1 503 Sorry\r\nContent-Length: 2\r\n\r\n{}", "HTTP 503"),
        (b"HTTP/1.1 307 There\r\nContent-Length: 0\r\nLocation: /ok\r\n\r\n", "HTTP 307"),
    ],
)
@pytest.mark.parametrize("keep", [True, False])
def test_failures(client_type: t.Any, answer: bytes, described: str, keep: bool) -> None:
    async def calls(client: t.Any, server: Server) -> t.Any:
        return await call(client, keep)

    server = Server([answer], closes=True)
    assert run(client_type, server, calls) == f"GET /ok, new connection: {described}"
    assert len(server.requests) == 1


def test_a_chunked_body(client_type: t.Any) -> None:
    async def calls(client: t.Any, server: Server) -> t.Any:
        return await call(client)

    assert run(client_type, Server([CHUNKED + b"0\r\n\r\n"]), calls) == b"{}"


def test_no_answer_in_time(client_type: t.Any) -> None:
    async def calls(client: t.Any, server: Server) -> t.Any:
        return [await call(client, keep, seconds=0.2) for keep in (True, False)]

    half = b"HTTP/1.1 200 OK\r\n"
    answers = run(client_type, Server([half, half]), calls)
    assert answers == ["GET /ok, new connection: no answer in time"] * 2


def test_nobody_listens(client_type: t.Any) -> None:
    async def calls(client: t.Any, server: Server) -> t.Any:
        client.port, client.url = 1, "http://127.0.0.1:1"
        return await call(client)

    assert "Connect call failed" in run(client_type, Server([]), calls)
