# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The way to a Postgres server: options, connection and the login as another user of the host.

An administrator enters databases that deployments own, where a name that is looked up along their search path could be a
view, a function or an operator of theirs, and would run with the administrator's rights. So every session looks names up
in pg_catalog alone, by a start-up option, which counts more than what ALTER DATABASE or ALTER ROLE set; and a session in
which that did not come to pass is refused.
"""

# The options here must stay in sync with the doc fragment plugins/doc_fragments/_postgres.py.

from __future__ import annotations

import contextlib
import os
import pwd
import traceback
import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.errors import ClaimError
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
# Anybody can hold a lock on what is their own; nothing waits for one without limit.
LOCK_TIMEOUT = "5s"
# What the owner of a database can set for all who enter it, and what would hinder or change our work there.
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

if t.TYPE_CHECKING:
    Connection = psycopg.Connection[t.Any]


def startup_options(settings: t.Mapping[str, str], before: str | None = None) -> str:
    """Write libpq's ``options``; ``before`` are those of the login, after which ours count."""
    words = [f"-c {name}={_escaped(value)}" for name, value in {"search_path": SEARCH_PATH, **settings}.items()]
    return " ".join([before, *words] if before else words)


def _escaped(value: str) -> str:
    """Keep the server from splitting a value at its spaces."""
    return value.replace("\\", "\\\\").replace(" ", "\\ ")


def connection_text(
    params: t.Mapping[str, t.Any],
    database: str | None = None,
    settings: t.Mapping[str, str] | None = None,
    **instead: str,
) -> str:
    """Write libpq's connection string; ``database`` and more take the place of what the options say."""
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
    """Be another user of the host for a moment.

    A Unix socket tells the server who connects at the moment of connecting, so root can log in as ``postgres`` by
    peer authentication without another process and without any password.
    """
    if user is None or os.geteuid() == _account(user).pw_uid:
        yield
        return
    if os.geteuid() != 0:
        raise ClaimError(f"peer_user '{user}' can be taken on by root only: run this as root (become: true)")
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
        raise ClaimError(f"peer_user '{user}' does not exist on this host") from exc


def connect(params: t.Mapping[str, t.Any]) -> Connection:
    """Connect as the administrator; every statement is a transaction of its own unless grouped."""
    return _checked(_connect(params, connection_text(params, settings={"lock_timeout": LOCK_TIMEOUT})))


def enter(params: t.Mapping[str, t.Any], database: str, user: str) -> Connection:
    """Connect as the administrator to a database of a deployment, which may have prepared it for us.

    ``user`` is who the administrator's first session acts as, and who this one has to act as too.
    """
    text = connection_text(params, database, {**_INSIDE, "role": user})
    return _checked(_connect(params, text), user)


def log_in(params: t.Mapping[str, t.Any], database: str, user: str, password: str) -> Connection:
    """Connect as a deployment, to see whether Postgres lets it in; raise psycopg's error where it does not."""
    return psycopg.connect(connection_text(params, database, user=user, password=password), autocommit=True)


def _connect(params: t.Mapping[str, t.Any], text: str) -> Connection:
    try:
        with acting_as(params["peer_user"]):
            return psycopg.connect(text, autocommit=True)
    except psycopg.Error as exc:
        # PgBouncer, which knows no language but English, takes no start-up options.
        if "startup parameter" in str(exc):
            raise _pooled() from exc
        raise ClaimError(f"cannot use Postgres: {str(exc).strip()}") from exc


def _pooled() -> ClaimError:
    """A pooler gives each transaction another session, and start-up options to none."""
    return ClaimError(
        "there is a connection pooler such as PgBouncer between us and Postgres (the session that answers is not the one we"
        " opened): databases cannot be claimed safely through it. Give the address of Postgres itself here; the deployments"
        " may still go through the pooler, in its session mode."
    )


def _checked(connection: Connection, user: str | None = None) -> Connection:
    """Refuse a session that is not the one we asked for. Nothing here is looked up along any search path."""
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
            f" as '{user}': have the deployment undo its ALTER DATABASE ... SET session_authorization"
        )
    return connection
