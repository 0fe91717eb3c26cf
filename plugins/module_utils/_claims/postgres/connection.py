# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The connection to a Postgres server: its options, and peer authentication as another user of the host.

An administrator connects to databases that deployments own. A name that is resolved along their search path could be a
view, a function or an operator of theirs, and would run with the administrator's rights. So every session resolves names
in pg_catalog only, by a start-up option, which overrides ALTER DATABASE and ALTER ROLE; a session in which that option has
no effect is refused.
"""

# The options here must stay in sync with the doc fragment plugins/doc_fragments/_postgres.py.

from __future__ import annotations

import contextlib
import os
import pwd
import traceback
import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.errors import ClaimError, Unavailable
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.login_uri import demand_uri

PSYCOPG_IMPORT_ERROR: str | None
try:
    import psycopg
    from psycopg import conninfo
except ImportError:
    PSYCOPG_IMPORT_ERROR = traceback.format_exc()
else:
    PSYCOPG_IMPORT_ERROR = None

POSTGRES_ARGS: dict[str, t.Any] = {
    "login_uri": {"type": "str", "no_log": True},
    "login_unix_socket": {"type": "path"},
    "login_host": {"type": "str"},
    "login_port": {"type": "int", "default": 5432},
    "login_user": {"type": "str"},
    "login_password": {"type": "str", "no_log": True},
    "login_db": {"type": "str", "default": "postgres"},
    "login_ssl_mode": {"type": "str", "choices": ["disable", "prefer", "require", "verify-ca", "verify-full"]},
    "login_ca_file": {"type": "path"},
    "login_timeout": {"type": "int", "default": 30},
    "peer_user": {"type": "str"},
}
POSTGRES_EXCLUSIVE = [("login_uri", "login_unix_socket", "login_host")]

APPLICATION = "selfhost.langgraph"
SEARCH_PATH = "pg_catalog, pg_temp"
# Any role can hold a lock on its own objects; no statement waits for one without limit.
LOCK_TIMEOUT = "5s"
# Settings that the owner of a database can make for all its sessions, and that would prevent or change our work there.
_INSIDE = {
    "statement_timeout": "60s",
    "lock_timeout": LOCK_TIMEOUT,
    "idle_in_transaction_session_timeout": "0",
    "default_transaction_read_only": "off",
    "default_transaction_isolation": "read committed",
    "standard_conforming_strings": "on",
    "check_function_bodies": "on",
    "default_tablespace": "",
    "default_table_access_method": "heap",
    "local_preload_libraries": "",
}
# Setting -> the first version that has it. A server refuses a connection that sets an unknown one.
_INSIDE_SINCE = {"idle_session_timeout": (140000, "0"), "transaction_timeout": (170000, "0")}

if t.TYPE_CHECKING:
    Connection = psycopg.Connection[t.Any]


def startup_options(settings: t.Mapping[str, str], before: str | None = None) -> str:
    """Build libpq's ``options``; ``before`` are those of the login, which ours override."""
    words = [f"-c {name}={_escaped(value)}" for name, value in {"search_path": SEARCH_PATH, **settings}.items()]
    return " ".join([before, *words] if before else words)


def _escaped(value: str) -> str:
    """Escape a value so that the server does not split it at spaces."""
    return value.replace("\\", "\\\\").replace(" ", "\\ ")


def connection_string(
    params: t.Mapping[str, t.Any],
    database: str | None = None,
    settings: t.Mapping[str, str] | None = None,
    **instead: str,
) -> str:
    """Build libpq's connection string; ``database`` and ``instead`` override the module's options."""
    common = {
        "connect_timeout": params["login_timeout"],
        "application_name": APPLICATION,
        "client_encoding": "UTF8",
        **instead,
    }
    if params["login_uri"]:
        demand_uri(params["login_uri"])
        common["options"] = startup_options(settings or {}, _options_of(params["login_uri"]))
        common.update({"dbname": database} if database else {})
        tls = {"sslmode": params["login_ssl_mode"], "sslrootcert": params["login_ca_file"]}
        common = {**{key: value for key, value in tls.items() if value is not None}, **common}
        return conninfo.make_conninfo(params["login_uri"], **common)
    options = {
        "host": params["login_unix_socket"] or params["login_host"] or "/var/run/postgresql",
        "port": params["login_port"],
        "user": params["login_user"] or params["peer_user"] or "postgres",
        "password": params["login_password"],
        "dbname": database or params["login_db"],
        "sslmode": params["login_ssl_mode"],
        "sslrootcert": params["login_ca_file"],
        "options": startup_options(settings or {}),
        **common,
    }
    return conninfo.make_conninfo("", **{key: value for key, value in options.items() if value is not None})


def _options_of(uri: str) -> str | None:
    return t.cast("str | None", conninfo.conninfo_to_dict(uri).get("options"))


@contextlib.contextmanager
def acting_as(user: str | None) -> t.Iterator[None]:
    """Act as another user of the host temporarily.

    A Unix socket reports the connecting user to the server at the time of connecting, so root can log in as ``postgres``
    by peer authentication without another process and without a password.
    """
    if user is None or os.geteuid() == _account(user).pw_uid:
        yield
        return
    if os.geteuid() != 0:
        raise ClaimError(f"peer_user '{user}' requires root: run this as root (become: true)")
    account, group = _account(user), os.getegid()
    os.setegid(account.pw_gid)
    os.seteuid(account.pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)


def _account(user: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(user)
    except KeyError as exc:
        raise Unavailable(f"peer_user '{user}' does not exist on this host") from exc


def connect(params: t.Mapping[str, t.Any]) -> Connection:
    """Connect as the administrator; every statement is a transaction of its own unless grouped."""
    return _checked(_connect(params, connection_string(params, settings={"lock_timeout": LOCK_TIMEOUT})))


def enter(params: t.Mapping[str, t.Any], database: str, user: str, version: int) -> Connection:
    """Connect as the administrator to a database of a deployment, which may have manipulated it.

    ``user`` is the role of the administrator's first session; this session must act as the same role. ``version`` is that of
    the server, as in server_version_num.
    """
    settings = {**_INSIDE, **{name: value for name, (since, value) in _INSIDE_SINCE.items() if version >= since}}
    conninfo_string = connection_string(params, database, {**settings, "role": user})
    return _checked(_connect(params, conninfo_string), user)


def log_in(params: t.Mapping[str, t.Any], database: str, user: str, password: str) -> Connection:
    """Connect as a deployment, to test whether Postgres accepts the login; raise psycopg's error if it does not."""
    return psycopg.connect(connection_string(params, database, user=user, password=password), autocommit=True)


def _connect(params: t.Mapping[str, t.Any], conninfo_string: str) -> Connection:
    try:
        with acting_as(params["peer_user"]):
            return psycopg.connect(conninfo_string, autocommit=True)
    except psycopg.Error as exc:
        # PgBouncer, whose messages are always English, accepts no start-up options.
        if "startup parameter" in str(exc):
            raise _pooled() from exc
        raise Unavailable(f"cannot use Postgres: {str(exc).strip()}") from exc


def _pooled() -> ClaimError:
    """Return the error for a pooler, which assigns each transaction another session and passes no start-up options on."""
    return ClaimError(
        "there is a connection pooler such as PgBouncer between us and Postgres (the session that answers is not the one we"
        " opened): databases cannot be claimed safely through it. Set the address of Postgres itself here; the deployments"
        " may still use the pooler, in its session mode."
    )


def _checked(connection: Connection, user: str | None = None) -> Connection:
    """Raise ClaimError for a session that is not the one we opened. No name here is resolved along a search path."""
    row = connection.execute(
        "SELECT pg_catalog.current_setting('search_path'), pg_catalog.pg_backend_pid(), CURRENT_USER"
    ).fetchone()
    path, pid, acting = row or (None, None, None)
    if path != SEARCH_PATH or pid != connection.info.backend_pid:
        connection.close()
        raise _pooled()
    if user is not None and acting != user:
        connection.close()
        raise ClaimError(
            f"the database '{connection.info.dbname}' makes every session act as '{acting}', so nothing can be done in it"
            f" as '{user}': undo its ALTER DATABASE ... SET session_authorization as the deployment"
        )
    return connection
