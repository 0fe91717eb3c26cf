# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Both servers and the module calls of a play, without one process per module."""

from __future__ import annotations

import json
import sys
import typing as t

import servers

sys.path.insert(0, servers.collection_path())

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres import (
    connection as postgres_connection,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres import module as postgres_module
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.info import inspect
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis import connection as redis_connection
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis import module as redis_module

CLAIMS = "selfhost.langgraph:claims"
OWNER = "the-inventory-of-this-t"
PASSWORD = "torture-password-of-"
OWNER = "owner-of-the-tests-0001"
ADDRESS = "redis.of.the.tests:6379"

REDIS_DEFAULTS = {name: spec.get("default") for name, spec in redis_connection.REDIS_ARGS.items()}
POSTGRES_DEFAULTS = {name: spec.get("default") for name, spec in postgres_connection.POSTGRES_ARGS.items()}


class Stage:
    """The two servers, and the module calls of a play."""

    def __init__(self, databases: int = 512) -> None:
        self.redis = servers.RedisServer(databases=databases)
        self.postgres = servers.PostgresServer({"log_statement": "none", "max_connections": "150"})
        self.redis_login, self.postgres_login = self.redis.login(), self.postgres.login()
        self.server: str | None = None
        self.acknowledged = self.redis.directory / "acknowledged"

    def close(self) -> None:
        """Remove both servers."""
        self.redis.stop()
        self.postgres.stop()

    def known(self) -> list[dict[str, t.Any]]:
        """Call postgres_database_info."""
        params = {**POSTGRES_DEFAULTS, **self.postgres_login, "sizes": False, "names": []}
        with postgres_connection.connect(params) as connection:
            claims: list[dict[str, t.Any]] = inspect(connection, params, False)["claims"]
        return claims

    def claim_numbers(
        self, names: t.Sequence[str], known: list[dict[str, t.Any]], owner: str | None = OWNER
    ) -> dict[str, int]:
        """Call redis_database."""
        empty = {"redis_db": None, "users_in_use": None, "key_patterns": None, "channel_patterns": None}
        entries = [
            {
                "name": name,
                "password": PASSWORD + name,
                "state": "present",
                "extra_commands": [],
                "shared_channels": False,
                "retire": False,
                **empty,
            }
            for name in names
        ]
        params = {**REDIS_DEFAULTS, **self.redis_login, "databases": entries, "known_claims": known}
        params |= {"manage_users": True, "allow_shared_number": False, "address": ADDRESS, "owner": owner}
        params |= {"previous_owners": [], "take_over": False}
        server = redis_connection.connect(params)
        result = redis_module.ensure(server, params, False)
        server.close()
        self.server = result["server"]
        return {name: item["redis_db"] for name, item in result["databases"].items()}

    def make_databases(self, numbers: t.Mapping[str, int]) -> dict[str, t.Any]:
        """Call postgres_database."""
        where = {"redis_server": self.server, "redis_address": ADDRESS, "extensions": [], "state": "present"}
        entries = [
            {"name": name, "password": PASSWORD + name, "redis_db": number, **where} for name, number in numbers.items()
        ]
        params = {**POSTGRES_DEFAULTS, **self.postgres_login, "databases": entries}
        params |= {"revoke_public_connect": ["postgres", "template1"], "lock_timeout": 600}
        params |= {"owner": OWNER, "previous_owners": [], "take_over": False}
        with postgres_connection.connect(params) as connection:
            return postgres_module.ensure(connection, params, False)

    def play(self, names: t.Sequence[str]) -> None:
        """Make all calls, and record the assigned database numbers immediately."""
        numbers = self.claim_numbers(names, self.known())
        with open(self.acknowledged, "a", encoding="utf-8") as file:
            file.write(json.dumps(numbers) + "\n")
        self.make_databases(numbers)
