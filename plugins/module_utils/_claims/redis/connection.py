# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The connection to a Redis or Valkey server: its options, and the calls made through it."""

# The options here must stay in sync with the doc fragment plugins/doc_fragments/_redis.py.

from __future__ import annotations

import json
import traceback
import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.errors import ClaimError
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.login_uri import demand_uri

REDIS_IMPORT_ERROR: str | None
try:
    import redis
except ImportError:
    REDIS_IMPORT_ERROR = traceback.format_exc()
else:
    REDIS_IMPORT_ERROR = None

REDIS_ARGS: dict[str, t.Any] = {
    "login_uri": {"type": "str", "no_log": True},
    "login_unix_socket": {"type": "path"},
    "login_host": {"type": "str", "default": "127.0.0.1"},
    "login_port": {"type": "int", "default": 6379},
    "login_user": {"type": "str"},
    "login_password": {"type": "str", "no_log": True},
    "login_password_file": {"type": "path", "no_log": False},
    "login_tls": {"type": "bool", "default": False},
    "login_ca_file": {"type": "path"},
    "login_timeout": {"type": "int", "default": 30},
}
# What postgres_database_info returns for a claim, so that its list can be passed on unchanged.
KNOWN_CLAIM: dict[str, t.Any] = {
    "name": {"type": "str", "required": True},
    "redis_db": {"type": "int"},
    **{key: {"type": "str"} for key in ("database", "role", "redis_server", "redis_address", "owner")},
}
REDIS_EXCLUSIVE = [
    ("login_uri", "login_unix_socket"),
    ("login_password", "login_password_file"),
]

MINIMUM_VERSION = (7, 0)
Reply = t.Any


def connection_options(params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Turn module options into arguments of redis-py."""
    timeout = params["login_timeout"]
    options = {
        "db": 0,
        "decode_responses": True,
        "encoding_errors": "surrogateescape",
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
    }
    if params["login_unix_socket"]:
        options["unix_socket_path"] = params["login_unix_socket"]
    elif not params["login_uri"]:
        options.update(host=params["login_host"], port=params["login_port"])
        if params["login_tls"]:
            options["ssl"] = True
    if params["login_ca_file"]:
        options["ssl_ca_certs"] = params["login_ca_file"]
    if params["login_user"]:
        options["username"] = params["login_user"]
    password = _password(params)
    if password:
        options["password"] = password
    return options


def _password(params: t.Mapping[str, t.Any]) -> str | None:
    if not params["login_password_file"]:
        return t.cast("str | None", params["login_password"])
    try:
        with open(params["login_password_file"], encoding="utf-8") as file:
            return file.read().rstrip("\n")
    except OSError as exc:
        raise ClaimError(f"cannot read login_password_file: {exc}") from exc


class Server:
    """One connection to the server. Every method is one round trip."""

    def __init__(self, client: t.Any, address: str) -> None:
        self._client = client
        self._address = address
        # In a cluster: the node that holds the claims, once the script has found it.
        self.home: Server = self

    @property
    def patience(self) -> int:
        """Return how many milliseconds a reply may take."""
        return int(self._client.connection_pool.connection_kwargs["socket_timeout"] * 1000)

    def call(self, *command: str | int) -> Reply:
        """Run one command."""
        return self.pipeline([command])[0]

    def pipeline(self, commands: t.Sequence[t.Sequence[str | int]], atomic: bool = False) -> list[Reply]:
        """Run many commands; errors of single commands are returned as exceptions among the replies."""
        pipe = self._client.pipeline(transaction=atomic)
        for command in commands:
            pipe.execute_command(*command)
        try:
            return list(pipe.execute(raise_on_error=False))
        except redis.exceptions.RedisError as exc:
            raise ClaimError(f"Redis at {self._address}: {exc}") from exc

    def change(
        self,
        key: str,
        questions: t.Sequence[t.Sequence[str]],
        decide: t.Callable[[t.Sequence[Reply]], t.Sequence[t.Sequence[str]]],
    ) -> Exception | None:
        """Read, decide and change in one atomic step; repeat it if another client changed ``key`` in between.

        Return the server's error, if any; in that case nothing was changed.
        """
        with self._client.pipeline(transaction=True) as pipe:
            for _attempt in range(100):
                try:
                    pipe.watch(key)
                    batch = decide([pipe.execute_command(*question) for question in questions])
                    if not batch:
                        return None
                    pipe.multi()
                    for command in batch:
                        pipe.execute_command(*command)
                    pipe.execute()
                    return None
                except redis.exceptions.WatchError:
                    continue
                except redis.exceptions.ResponseError as exc:
                    return t.cast("Exception", exc)
                except redis.exceptions.RedisError as exc:
                    raise ClaimError(f"Redis at {self._address}: {exc}") from exc
        raise ClaimError(f"Redis at {self._address}: other clients keep changing its claims; run again")

    def script(self, text: str, key: str, argument: t.Any) -> dict[str, t.Any]:
        """Run a script that takes and returns JSON."""
        reply = self.call("EVAL", text, 1, key, json.dumps(argument))
        if isinstance(reply, redis.exceptions.MovedError):
            # In a cluster another node has this key.
            self.home = self.at(reply.host, reply.port)
            return self.home.script(text, key, argument)
        if isinstance(reply, Exception):
            raise ClaimError(f"Redis at {self._address} refused the claims script: {reply}") from reply
        return t.cast("dict[str, t.Any]", json.loads(reply))

    def at(self, host: str, port: int) -> Server:
        """Connect to another node of the same cluster with the same options."""
        pool = self._client.connection_pool
        options = {**pool.connection_kwargs, "host": host or pool.connection_kwargs.get("host"), "port": port}
        other = redis.ConnectionPool(connection_class=pool.connection_class, **options)
        return Server(redis.Redis(connection_pool=other), f"{host}:{port}")

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


def connect(params: t.Mapping[str, t.Any]) -> Server:
    """Connect and log in; raise ClaimError if that fails."""
    options = connection_options(params)
    address = params["login_unix_socket"] or f"{params['login_host']}:{params['login_port']}"
    try:
        if params["login_uri"]:
            demand_uri(params["login_uri"])
            # The path of the URI would select a database, but claims are recorded in database 0 only.
            client = redis.Redis.from_url(params["login_uri"], **options)
            client.connection_pool.connection_kwargs["db"] = 0
            address = _address(client.connection_pool.connection_kwargs)
        else:
            client = redis.Redis(**options)
        client.ping()
    except (redis.exceptions.RedisError, OSError, ValueError) as exc:
        raise ClaimError(f"cannot use Redis at {address}: {exc}") from exc
    return Server(client, address)


def _address(options: t.Mapping[str, t.Any]) -> str:
    return str(options.get("path") or f"{options.get('host', 'localhost')}:{options.get('port', 6379)}")


def as_mapping(reply: Reply) -> dict[str, t.Any]:
    """Convert a reply of names and values to a dictionary: it is a flat list in RESP2, a map in RESP3."""
    if isinstance(reply, dict):
        return reply
    items = list(reply or ())
    return dict(zip(items[::2], items[1::2]))
