# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The table of all options of a deployment.

An option that sets a variable of the server has the lower-case name of that variable, so that the vendor's list of
environment variables (docs: "Environment variables") also documents the options.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

Kind = t.Literal["str", "int", "float", "bool", "dict", "list"]


@dataclass(frozen=True)
class Option:
    """One option of a deployment.

    ``variable`` is the server's variable that it sets, if any. ``minimum``/``maximum`` are inclusive.
    """

    kind: Kind
    variable: str | None = None
    default: t.Any = None
    required: bool = False
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None


def _server(kind: Kind, variable: str, **rules: t.Any) -> tuple[str, Option]:
    return variable.lower(), Option(kind, variable=variable, **rules)


OPTIONS: dict[str, Option] = {
    # Identity and placement
    "name": Option("str", required=True),
    "image": Option("str", required=True),
    "build": Option("str"),
    "port": Option("int", required=True, minimum=1, maximum=65535),
    "bind_address": Option("str"),
    "hostname": Option("str"),
    "tls": Option("bool", default=False),
    "may_reach": Option("list", default=()),
    "state": Option("str", default="present", choices=("present", "stopped")),
    "edition": Option("str", choices=("lite", "enterprise", "none")),
    # Backing services
    "redis_db": Option("int", minimum=1),
    "redis_key_patterns": Option("list"),
    "redis_channel_patterns": Option("list"),
    "redis_shared_channels": Option("bool", default=False),
    "redis_password": Option("str"),
    "postgres_password": Option("str"),
    "password_generation": Option("int", default=1, minimum=1),
    "accept_new_aes_key": Option("bool", default=False),
    "extensions": Option("list", default=()),
    # The container
    "memory": Option("str"),
    "cpus": Option("float", minimum=0.01),
    "user": Option("str"),
    "read_only": Option("bool", default=False),
    # The user's own variables
    "env": Option("dict", default={}),
    "env_file": Option("str"),
    # The server's variables
    **dict(
        (
            _server("str", "LANGSMITH_API_KEY"),
            _server("str", "LANGGRAPH_CLOUD_LICENSE_KEY"),
            _server("str", "LANGCHAIN_ENDPOINT"),
            _server("str", "LANGSMITH_ENDPOINT"),
            _server("dict", "LANGSMITH_RUNS_ENDPOINTS"),
            _server("bool", "LANGSMITH_TRACING"),
            _server("str", "LANGSMITH_AUTH_ENDPOINT"),
            _server("str", "LANGSMITH_TENANT_ID"),
            _server("str", "LANGGRAPH_AUTH_TYPE", choices=("noop", "langsmith")),
            _server("str", "LANGGRAPH_AES_KEY"),
            _server("str", "REDIS_KEY_PREFIX"),
            _server("int", "REDIS_MAX_CONNECTIONS", minimum=1),
            _server("int", "LANGGRAPH_POSTGRES_POOL_MAX_SIZE", minimum=5),
            _server("str", "LANGGRAPH_POSTGRES_EXTENSIONS", choices=("standard", "lite")),
            _server("int", "RESUMABLE_STREAM_TTL_SECONDS", minimum=1),
            _server("int", "N_JOBS_PER_WORKER", minimum=0),
            _server("int", "BG_JOB_TIMEOUT_SECS", minimum=1),
            _server("int", "BG_JOB_MAX_RETRIES", minimum=0),
            _server("int", "BG_JOB_SHUTDOWN_GRACE_PERIOD_SECS", minimum=0, maximum=3600),
            _server("bool", "BG_JOB_ISOLATED_LOOPS"),
            _server("dict", "LANGGRAPH_THREAD_TTL"),
            _server("bool", "FF_CRONS_ENABLED"),
            _server("str", "MOUNT_PREFIX"),
            _server("list", "CORS_ALLOW_ORIGINS"),
            _server("int", "HTTP_MAX_REQUEST_BODY_BYTES", minimum=1),
            _server("str", "LOG_LEVEL", choices=("DEBUG", "INFO", "WARNING", "ERROR")),
            _server("bool", "LOG_JSON"),
        )
    ),
}

# The server's variable -> the option that sets it.
OPTION_OF_VARIABLE: dict[str, str] = {
    option.variable: name for name, option in OPTIONS.items() if option.variable is not None
}

# Variables that the collection computes; a user's own value could point two deployments at one database.
COMPUTED_VARIABLES: dict[str, str] = {
    "DATABASE_URI": "the collection claims the Postgres database and sets it",
    "POSTGRES_URI": "the collection claims the Postgres database and sets DATABASE_URI",
    "POSTGRES_URI_CUSTOM": "the collection claims the Postgres database and sets DATABASE_URI",
    "REDIS_URI": "the collection claims the Redis database and sets it",
    "REDIS_URI_CUSTOM": "the collection claims the Redis database and sets REDIS_URI",
    "REDIS_CLUSTER": "the collection determines it from the Redis server",
    "PORT": "the container listens on 8000 and the option 'port' publishes it",
}

SECRET_OPTIONS = frozenset(
    {
        "langsmith_api_key",
        "langgraph_cloud_license_key",
        "langgraph_aes_key",
        "langsmith_runs_endpoints",
        "redis_password",
        "postgres_password",
        "env",
    }
)

# Revisions of one deployment that run side by side: one that serves, one that starts, one that drains.
DEFAULT_RUNNING_REVISIONS = 3
MINIMUM_RUNNING_REVISIONS = 2
# How many revisions of all deployments of a host may run in addition to the serving ones.
DEFAULT_EXTRA_REVISIONS = 8
# Docs: "LANGGRAPH_AES_KEY must be 16, 24, or 32 bytes long".
AES_KEY_BYTES = (16, 24, 32)
# Connections of a server's own pool, and of what it opens in addition (checkpointer, migration).
DEFAULT_POOL_SIZE = 20
CONNECTIONS_BESIDE_POOL = 12
# Seconds for which a server drains its background runs before it exits (docs: BG_JOB_SHUTDOWN_GRACE_PERIOD_SECS).
DEFAULT_DRAIN_SECONDS = 180
