# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A checked deployment, which deployment_check returns: one part for each module that takes it, with that module's options."""

from __future__ import annotations

import typing as t


class RedisDatabase(t.TypedDict):
    """An entry of the option ``databases`` of redis_database."""

    name: str
    redis_db: int | None
    password: str
    key_patterns: list[str]
    channel_patterns: list[str]
    shared_channels: bool


class RedisClaim(RedisDatabase):
    """The same with what the containers of all hosts use."""

    users_in_use: list[str] | None
    retire: bool
    manage_user: bool


class PostgresDatabase(t.TypedDict):
    """An entry of the option ``databases`` of postgres_database; None leaves what the server has."""

    name: str
    password: str | None
    connection_limit: int
    extensions: list[str]
    aes_keys: list[str] | None
    accept_new_aes_key: bool


class PostgresClaim(PostgresDatabase):
    """The same with what the containers of all hosts use, and the claim in Redis that Postgres records."""

    lower_connection_limit: bool
    manage_login: bool
    logins_in_use: list[str] | None
    retire: bool
    redis_db: int | None
    redis_server: str | None
    redis_address: str | None


class Rollout(t.TypedDict):
    """An entry of the option ``deployments`` of deployment_rollout."""

    name: str
    state: str
    image: str | None
    port: int | None
    bind_address: str
    hostname: str | None
    prefix: str | None
    tls: bool
    may_reach: list[str]
    environment: dict[str, str]
    redis_password: str
    postgres_password: str
    drain_seconds: int
    memory: str | None
    cpus: float | None
    user: str | None
    read_only: bool


class Target(t.TypedDict):
    """An entry of the option ``deployments`` of health."""

    name: str
    url: str
    host: str | None


class CheckedDeployment(t.TypedDict):
    """A deployment with defaults and derived values. It contains secrets.

    ``health`` is None if it is stopped, ``build`` is the directory of its image.
    """

    name: str
    state: str
    image: str | None
    build: str | None
    database: str
    redis: RedisDatabase
    postgres: PostgresDatabase
    rollout: Rollout
    health: Target | None


def present(deployments: t.Iterable[CheckedDeployment]) -> list[CheckedDeployment]:
    """Return the deployments with ``state: present``."""
    return [deployment for deployment in deployments if deployment["state"] == "present"]
