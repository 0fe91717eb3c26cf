# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The info modules: all claims with their sizes and clients, and all orphans."""

from __future__ import annotations

import psycopg
from servers import PostgresServer, RedisServer, run_module


def test_redis_database_info(redis_server: RedisServer) -> None:
    databases = [{"name": name, "password": name * 8} for name in ("b", "a", "c")]
    run_module("redis_database", {**redis_server.login(), "databases": databases})
    client = redis_server.client("a", "aaaaaaaa", 2)
    client.mset({"a:x": 1, "a:y": 2})
    redis_server.admin(9).set("somebody's", 1)
    before = redis_server.snapshot()
    result = run_module("redis_database_info", redis_server.login())
    assert redis_server.snapshot() == before
    assert result["claims"] == [
        {"name": "a", "redis_db": 2, "key_count": 2, "clients": 1, "user": True, "owner": None},
        {"name": "b", "redis_db": 1, "key_count": 0, "clients": 0, "user": True, "owner": None},
        {"name": "c", "redis_db": 3, "key_count": 0, "clients": 0, "user": True, "owner": None},
    ]
    assert result["orphans"] == [{"kind": "keys_without_claim", "name": None, "redis_db": 9, "key_count": 1}]
    assert (result["number_limit"], result["changed"]) == (64, False)
    facts = redis_server.admin().info("server")
    assert result["server_version"] == facts.get("valkey_version", facts["redis_version"])
    known = [{"name": name, "redis_db": number} for name, number in (("a", 2), ("b", 5), ("d", 9))]
    result = run_module("redis_database_info", {**redis_server.login(), "known_claims": known})
    assert [(item["kind"], item["name"], item["key_count"]) for item in result["orphans"]] == [
        ("disagreement", "b", 0),
        ("claim_without_database", "c", 0),
        ("database_without_claim", "d", 1),
    ]


def test_postgres_database_info(postgres_server: PostgresServer) -> None:
    databases = [{"name": name, "password": name * 8} for name in ("a", "b")]
    run_module("postgres_database", {**postgres_server.login(), "databases": databases})
    postgres_server.query("DROP DATABASE b")
    postgres_server.query("CREATE DATABASE wiki")
    with psycopg.connect(postgres_server.uri("a", "aaaaaaaa", "a"), autocommit=True) as connection:
        connection.execute("CREATE TABLE mine AS SELECT generate_series(1, 50) AS x")
        connection.execute("ANALYZE mine")
        before = postgres_server.snapshot()
        result = run_module("postgres_database_info", {**postgres_server.login(), "sizes": True})
        assert postgres_server.snapshot() == before
    first, second = result["claims"]
    assert (first["name"], first["rows"], first["clients"], first["bytes"] > 1_000_000) == ("a", 50, 1, True)
    assert (second["name"], second["database"], second["rows"], second["bytes"]) == ("b", None, None, 0)
    assert result["orphans"] == [
        {"kind": "role_without_database", "name": "b", "database": None},
        {"kind": "database_without_claim", "name": None, "database": "wiki"},
    ]


def test_owners_and_a_server_that_is_unavailable(postgres_server: PostgresServer) -> None:
    login = postgres_server.login()
    run_module("postgres_database", {**login, "owner": "them", "databases": [{"name": "a", "password": "a" * 8}]})
    asked = {"names": ["a", "b"], "owner": "us", "fail_if_unavailable": False}
    result = run_module("postgres_database_info", {**login, **asked})
    assert [line.partition(";")[0] for line in result["foreign"]] == [
        "deployment 'a', option 'name': its claim belongs to another inventory: its owner is them, ours is us"
    ]
    assert result["unavailable"] is None
    nowhere = {"login_host": "127.0.0.1", "login_port": 1, "login_timeout": 2}
    result = run_module("postgres_database_info", {**nowhere, **asked})
    assert "cannot use Postgres" in result["unavailable"]
    assert (result.get("failed", False), "claims" in result) == (False, False)
    assert run_module("postgres_database_info", nowhere)["failed"]
    stranger = {"peer_user": "nobody-of-this-name", **asked}
    assert "does not exist on this host" in run_module("postgres_database_info", stranger)["unavailable"]
