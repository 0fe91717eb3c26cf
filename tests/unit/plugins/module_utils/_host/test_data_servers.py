# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import typing as t

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._host.data_servers import HELLO, refused


@contextlib.contextmanager
def server(serve: t.Callable[[socket.socket], None]) -> t.Iterator[int]:
    """Serve one connection on the loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            connection, _address = listener.accept()
            with connection:
                serve(connection)

        thread = threading.Thread(target=accept)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def answer(connection: socket.socket) -> None:
    """Answer, as each of the two does, once the whole first message is there."""
    first = connection.recv(64)
    connection.sendall({HELLO["postgres"]: b"N", HELLO["redis"]: b"-NOAUTH Authentication required.\r\n"}[first])


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def wait(connection: socket.socket) -> None:
    while connection.recv(64):
        pass


@pytest.mark.parametrize("name", HELLO)
@pytest.mark.parametrize(
    ("serve", "closes"), [(answer, False), (lambda _connection: None, True), (reset, True), (wait, False)]
)
def test_only_a_server_that_closes_has_refused(name, serve, closes):
    with server(serve) as port:
        found = refused([{"name": name, "address": "127.0.0.1", "port": port}], timeout=0.5)
    assert found == ([name] if closes else [])


def test_a_server_that_is_not_there_has_refused_nothing():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert refused([{"name": "redis", "address": "127.0.0.1", "port": port}]) == []
    assert refused([]) == []
