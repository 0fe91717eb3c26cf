# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of a connection to Redis, and replies of both protocol versions."""

from __future__ import annotations

import typing as t
from pathlib import Path
from types import SimpleNamespace

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.errors import ClaimError
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis import connection
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.connection import (
    Server,
    _address,
    as_mapping,
    connection_options,
)

USUAL: dict[str, t.Any] = {
    "login_uri": None,
    "login_unix_socket": None,
    "login_host": "127.0.0.1",
    "login_port": 6379,
    "login_user": None,
    "login_password": None,
    "login_password_file": None,
    "login_tls": False,
    "login_ca_file": None,
    "login_timeout": 30,
}
ALWAYS = {
    "db": 0,
    "decode_responses": True,
    "encoding_errors": "surrogateescape",
    "socket_timeout": 30,
    "socket_connect_timeout": 30,
}
ADDRESS = {"host": "127.0.0.1", "port": 6379}


@pytest.mark.parametrize(
    ("params", "options"),
    [
        ({}, ADDRESS),
        ({"login_host": "r", "login_port": 1}, {"host": "r", "port": 1}),
        ({"login_unix_socket": "/run/r.sock"}, {"unix_socket_path": "/run/r.sock"}),
        ({"login_unix_socket": "/run/r.sock", "login_tls": True}, {"unix_socket_path": "/run/r.sock"}),
        # The URI has the address, and says whether TLS is used.
        ({"login_uri": "rediss://r:1/0", "login_tls": True}, {}),
        ({"login_tls": True}, {**ADDRESS, "ssl": True}),
        ({"login_ca_file": "/ca.pem"}, {**ADDRESS, "ssl_ca_certs": "/ca.pem"}),
        ({"login_uri": "rediss://r:1/0", "login_ca_file": "/ca.pem"}, {"ssl_ca_certs": "/ca.pem"}),
        ({"login_user": "u", "login_password": "p"}, {**ADDRESS, "username": "u", "password": "p"}),
        ({"login_password": ""}, ADDRESS),
        ({"login_timeout": 5}, {**ADDRESS, "socket_timeout": 5, "socket_connect_timeout": 5}),
    ],
)
def test_options(params: dict[str, t.Any], options: dict[str, t.Any]) -> None:
    assert connection_options({**USUAL, **params}) == {**ALWAYS, **options}


def test_a_password_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(" p w \n\n", encoding="utf-8")
    assert connection_options({**USUAL, "login_password_file": str(file)})["password"] == " p w "
    with pytest.raises(ClaimError, match="cannot read login_password_file: .*No such file"):
        connection_options({**USUAL, "login_password_file": str(tmp_path / "missing")})


@pytest.mark.parametrize(
    ("reply", "mapping"),
    [
        (["a", 1, "b", 2], {"a": 1, "b": 2}),
        ({"a": 1}, {"a": 1}),
        ([], {}),
        (None, {}),
        ((), {}),
    ],
)
def test_replies_of_names_and_values(reply: t.Any, mapping: dict[str, t.Any]) -> None:
    assert as_mapping(reply) == mapping


@pytest.mark.parametrize(
    ("options", "address"),
    [
        ({"path": "/run/r.sock"}, "/run/r.sock"),
        ({"host": "r", "port": 1}, "r:1"),
        ({}, "localhost:6379"),
    ],
)
def test_addresses_in_messages(options: dict[str, t.Any], address: str) -> None:
    assert _address(options) == address


class FakeClient:
    """A client of redis-py that answers pipelines."""

    def __init__(self, *replies: t.Any) -> None:
        self.replies, self.sent, self.transactions = replies, t.cast("list[tuple[t.Any, ...]]", []), []  # type: ignore[var-annotated]

    def pipeline(self, transaction: bool) -> FakeClient:
        self.transactions.append(transaction)
        return self

    def execute_command(self, *command: t.Any) -> None:
        self.sent.append(command)

    def execute(self, raise_on_error: bool) -> tuple[t.Any, ...]:
        assert raise_on_error is False
        return self.replies


def test_one_round_trip_for_many_commands() -> None:
    client = FakeClient("one", ValueError("two"))
    server = Server(client, "r:1")
    first, second = server.pipeline([("GET", "a"), ("GET", "b")])
    assert (first, str(second)) == ("one", "two")
    assert client.sent == [("GET", "a"), ("GET", "b")]
    assert server.call("PING") == "one"
    server.pipeline([], atomic=True)
    assert client.transactions == [False, False, True]


class Moved(Exception):
    """The answer of a node of a cluster that does not have the key."""

    host, port = "other", 2


@pytest.fixture
def _library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace redis-py, which the environments of ansible-test do not have."""
    library = SimpleNamespace(exceptions=SimpleNamespace(MovedError=Moved))
    monkeypatch.setattr(connection, "redis", library, raising=False)


@pytest.mark.usefixtures("_library")
def test_a_script_takes_and_returns_json() -> None:
    client = FakeClient('{"answer": 7}')
    server = Server(client, "r:1")
    assert server.script("return 1", "key", {"a": [1]}) == {"answer": 7}
    assert client.sent == [("EVAL", "return 1", 1, "key", '{"a": [1]}')]
    assert server.home is server
    with pytest.raises(ClaimError, match="Redis at r:1 refused the claims script: no scripts here"):
        Server(FakeClient(ValueError("no scripts here")), "r:1").script("return 1", "key", {})


@pytest.mark.usefixtures("_library")
def test_the_node_that_has_the_key_runs_the_script(monkeypatch: pytest.MonkeyPatch) -> None:
    server, home = Server(FakeClient(Moved()), "r:1"), Server(FakeClient('{"answer": 7}'), "other:2")
    monkeypatch.setattr(server, "at", lambda *place: home if place == ("other", 2) else None)
    assert server.script("return 1", "key", {}) == {"answer": 7}
    assert server.home is home
