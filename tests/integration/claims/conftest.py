# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real servers for the tests of the claims, one of each kind per test run."""

from __future__ import annotations

import pathlib
import sys
import typing as t

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import servers

if servers.collection_path() not in sys.path:
    sys.path.insert(0, servers.collection_path())


def _start(kind: t.Callable[[], servers.Program]) -> servers.Program:
    try:
        return kind()
    except servers.MissingProgram as exc:
        pytest.fail(str(exc), pytrace=False)


@pytest.fixture(scope="session")
def _redis() -> t.Iterator[servers.Program]:
    server = _start(servers.RedisServer)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def _postgres() -> t.Iterator[servers.Program]:
    server = _start(servers.PostgresServer)
    yield server
    server.stop()


@pytest.fixture
def redis_server(_redis: servers.RedisServer) -> t.Iterator[servers.RedisServer]:
    """Return a Redis in its initial state."""
    _redis.clean()
    return _redis


@pytest.fixture
def postgres_server(_postgres: servers.PostgresServer) -> servers.PostgresServer:
    """Return a Postgres in its initial state."""
    _postgres.clean()
    return _postgres


@pytest.fixture
def used_postgres(_postgres: servers.PostgresServer) -> servers.PostgresServer:
    """Return a Postgres in the state in which the last test left it."""
    return _postgres


@pytest.fixture
def new_redis() -> t.Iterator[t.Callable[..., servers.RedisServer]]:
    """Return a function that starts another Redis with other settings."""
    started: list[servers.RedisServer] = []

    def make(**options: t.Any) -> servers.RedisServer:
        started.append(servers.RedisServer(**options))
        return started[-1]

    yield make
    for server in started:
        server.stop()
