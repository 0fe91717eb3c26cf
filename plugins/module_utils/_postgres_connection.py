# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The way to a Postgres server: options, connection and the login as another user of the host."""

# The options here must stay in sync with the doc fragment plugins/doc_fragments/_postgres.py.

from __future__ import annotations

import contextlib
import os
import pwd
import traceback
import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims import ClaimError, demand_uri

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
    "login_user": {"type": "str", "default": "postgres"},
    "login_password": {"type": "str", "no_log": True},
    "login_db": {"type": "str", "default": "postgres"},
    "login_ssl_mode": {"type": "str", "choices": ["disable", "prefer", "require", "verify-ca", "verify-full"]},
    "login_ca_file": {"type": "path"},
    "login_timeout": {"type": "int", "default": 30},
    "peer_user": {"type": "str"},
}
POSTGRES_EXCLUSIVE = [("login_uri", "login_unix_socket", "login_host")]

if t.TYPE_CHECKING:
    Connection = psycopg.Connection[t.Any]


def connection_text(params: t.Mapping[str, t.Any], database: str | None = None, **instead: str) -> str:
    """Write libpq's connection string; ``database`` and more take the place of what the options say."""
    common = {"connect_timeout": params["login_timeout"], "application_name": "selfhost.langgraph", **instead}
    if params["login_uri"]:
        demand_uri(params["login_uri"])
        common.update({"dbname": database} if database else {})
        tls = {"sslmode": params["login_ssl_mode"], "sslrootcert": params["login_ca_file"]}
        common = {**{key: value for key, value in tls.items() if value is not None}, **common}
        return conninfo.make_conninfo(params["login_uri"], **common)
    options = {
        "host": params["login_unix_socket"] or params["login_host"] or "/var/run/postgresql",
        "port": params["login_port"],
        "user": params["login_user"],
        "password": params["login_password"],
        "dbname": database or params["login_db"],
        "sslmode": params["login_ssl_mode"],
        "sslrootcert": params["login_ca_file"],
        **common,
    }
    return conninfo.make_conninfo("", **{key: value for key, value in options.items() if value is not None})


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


def connect(params: t.Mapping[str, t.Any], database: str | None = None, **instead: str) -> Connection:
    """Connect; every statement is a transaction of its own unless grouped."""
    try:
        text = connection_text(params, database, **instead)
        with acting_as(params["peer_user"]):
            return psycopg.connect(text, autocommit=True)
    except psycopg.Error as exc:
        raise ClaimError(f"cannot use Postgres: {str(exc).strip()}") from exc
