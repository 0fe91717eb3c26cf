# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The state of a Postgres server, read with one query."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.errors import ClaimError
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.comment import decode_claim_comment
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.names import identifier

if t.TYPE_CHECKING:
    from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.connection import Connection

MINIMUM_VERSION = 140000

# Internal databases of managed services, which nobody else can change.
OF_SERVICES = {"rdsadmin", "cloudsqladmin", "azure_maintenance", "azure_sys"}

# Rows are returned as JSON, so that one round trip transfers tables of different shapes. A comment that is longer than any
# of ours is ignored; the owner of its database may have made it as long as a table.
_QUERY = """
WITH comments AS (
  SELECT objoid, classoid, CASE WHEN pg_catalog.octet_length(description) < 10000 THEN description END AS comment
  FROM pg_catalog.pg_shdescription),
sessions AS MATERIALIZED (
  SELECT usesysid, pg_catalog.count(*) AS count FROM pg_catalog.pg_stat_activity WHERE usesysid IS NOT NULL GROUP BY 1)
SELECT pg_catalog.json_build_object(
  'version', CAST(pg_catalog.current_setting('server_version_num') AS pg_catalog.int4),
  'max_connections', CAST(pg_catalog.current_setting('max_connections') AS pg_catalog.int4),
  'recovery', pg_catalog.pg_is_in_recovery(),
  'read_only', pg_catalog.current_setting('transaction_read_only') = 'on',
  'me', (SELECT pg_catalog.row_to_json(r) FROM (
    SELECT rolname AS name, rolsuper AS superuser, rolcreatedb AS createdb, rolcreaterole AS createrole
    FROM pg_catalog.pg_roles WHERE rolname = CURRENT_USER) r),
  'roles', (SELECT coalesce(pg_catalog.json_agg(r), '[]') FROM (
    SELECT rolname AS name, rolcanlogin AS login, rolsuper AS superuser, rolcreatedb AS createdb,
      rolcreaterole AS createrole, rolreplication AS replication, rolbypassrls AS bypassrls, rolconnlimit AS "limit",
      coalesce(rolvaliduntil, 'infinity') <> 'infinity' AS expires, {verifier} AS verifier, c.comment,
      ARRAY(SELECT pg_catalog.pg_get_userbyid(m.roleid) FROM pg_catalog.pg_auth_members m
        WHERE m.member = a.oid AND pg_catalog.row_to_json(m) OPERATOR(pg_catalog.->>) 'set_option' IS DISTINCT FROM 'false'
      ) AS member_of,
      ARRAY(SELECT pg_catalog.unnest(s.setconfig) FROM pg_catalog.pg_db_role_setting s
        WHERE s.setrole = a.oid AND s.setdatabase = 0) AS settings,
      ARRAY(SELECT pg_catalog.concat(d.datname, ':', pg_catalog.split_part(v, '=', 1))
        FROM pg_catalog.pg_db_role_setting s JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase,
          pg_catalog.unnest(s.setconfig) v
        WHERE s.setrole = a.oid) AS set_inside,
      coalesce((SELECT s.count FROM sessions s WHERE s.usesysid = a.oid), 0) AS sessions
    FROM pg_catalog.{roles} a LEFT JOIN comments c
      ON c.objoid = a.oid AND c.classoid = CAST('pg_catalog.pg_authid' AS pg_catalog.regclass)
    WHERE rolname = ANY(CAST(%(names)s AS pg_catalog.text[])) OR c.comment LIKE '%%selfhost.langgraph%%'
      OR rolname IN (SELECT datname FROM pg_catalog.pg_database)) r),
  'databases', (SELECT coalesce(pg_catalog.json_agg(d), '[]') FROM (
    SELECT datname AS name, o.rolname AS owner, datallowconn AS allow, datistemplate AS template, c.comment,
      o.rolsuper AND o.rolname <> CURRENT_USER AS foreign,
      EXISTS (SELECT FROM pg_catalog.aclexplode(coalesce(datacl, pg_catalog.acldefault('d', datdba))) WHERE grantee = 0)
        AS public,
      ARRAY(SELECT DISTINCT pg_catalog.pg_get_userbyid(grantee) FROM pg_catalog.aclexplode(datacl)
        WHERE grantee <> 0 AND grantee <> datdba ORDER BY 1) AS grantees
    FROM pg_catalog.pg_database b JOIN pg_catalog.pg_roles o ON o.oid = b.datdba LEFT JOIN comments c
      ON c.objoid = b.oid AND c.classoid = CAST('pg_catalog.pg_database' AS pg_catalog.regclass)) d),
  'extensions', (SELECT coalesce(pg_catalog.json_object_agg(name, default_version), '{{}}')
    FROM pg_catalog.pg_available_extensions WHERE name = ANY(CAST(%(extensions)s AS pg_catalog.text[]))))
"""


@dataclass(frozen=True)
class Role:
    """A role on the server."""

    name: str
    login: bool
    superuser: bool
    createdb: bool
    createrole: bool
    replication: bool
    bypassrls: bool
    limit: int
    expires: bool
    verifier: str | None
    comment: str | None
    member_of: tuple[str, ...] = ()  # roles that it may act as
    settings: tuple[str, ...] = ()  # of ALTER ROLE ... SET, as name=value
    sessions: int = 0
    set_inside: tuple[str, ...] = ()  # of ALTER ROLE ... IN DATABASE ... SET, as database:name

    @property
    def claim_comment(self) -> dict[str, t.Any] | None:
        """The claim in its comment. The role itself cannot change it, unlike the comment of its database."""
        return decode_claim_comment(self.comment)


@dataclass(frozen=True)
class Database:
    """A database on the server."""

    name: str
    owner: str
    allow: bool
    public: bool
    comment: str | None
    template: bool = False
    foreign: bool = False  # it belongs to another superuser, such as that of a managed service
    grantees: tuple[str, ...] = ()  # roles with rights on it other than its owner and PUBLIC

    @property
    def claim_comment(self) -> dict[str, t.Any] | None:
        """The claim in its comment."""
        return decode_claim_comment(self.comment)


@dataclass(frozen=True)
class ServerState:
    """The state of the server before any decision."""

    version: int
    max_connections: int
    me: t.Mapping[str, t.Any]
    roles: t.Mapping[str, Role]
    databases: t.Mapping[str, Database]
    extensions: t.Mapping[str, str]
    recovery: bool = False
    read_only: bool = False

    @property
    def superuser(self) -> bool:
        """Whether we are a superuser."""
        return bool(self.me["superuser"])


def read_state(connection: Connection, names: t.Sequence[str], extensions: t.Iterable[str] = ()) -> ServerState:
    """Read the roles of these names, all databases, and the available ones of these extensions."""
    # Only a superuser may see verifiers; the server reports this parameter at login, without a query.
    superuser = connection.info.parameter_status("is_superuser") == "on"
    query = _QUERY.format(
        verifier="rolpassword" if superuser else "NULL::text", roles="pg_authid" if superuser else "pg_roles"
    )
    row = connection.execute(query, {"names": list(names), "extensions": sorted(set(extensions))}).fetchone()
    content = row[0] if row else {}
    if content["version"] < MINIMUM_VERSION:
        raise ClaimError(f"Postgres {content['version'] // 10000} is too old: use 14 or newer, preferably 15 or newer")
    lists = ("member_of", "settings", "set_inside")
    return ServerState(
        version=content["version"],
        max_connections=content["max_connections"],
        me=content["me"],
        roles={item["name"]: Role(**{**item, **{key: tuple(item[key]) for key in lists}}) for item in content["roles"]},
        databases={
            item["name"]: Database(**{**item, "grantees": tuple(item["grantees"])}) for item in content["databases"]
        },
        extensions=content["extensions"],
        recovery=content["recovery"],
        read_only=content["read_only"],
    )


def require_writable(state: ServerState) -> None:
    """Raise ClaimError for a read-only server, before anything fails half-way."""
    if state.recovery:
        raise ClaimError(
            "this Postgres is a replica and read-only: use the address of its primary, such as the writer endpoint of a"
            " managed service"
        )
    if state.read_only:
        raise ClaimError(
            "this Postgres is read-only for us (default_transaction_read_only is on); managed services set this when their"
            " disk is full: free space there, or reset the setting"
        )


_REMEMBERED = {
    "redis_db": "redis_number",
    "redis_server": "redis_server",
    "redis_address": "redis_address",
    "owner": "owner",
}


def claims_of(state: ServerState) -> list[dict[str, t.Any]]:
    """Return the durable claims: those in comments of roles, and of databases whose role does not exist.

    A deployment can rewrite the comment of its own database, so a claim counts only on an object of its own name, and that of
    a database only if no role exists that could have written it.
    """
    found: dict[str, dict[str, t.Any]] = {}
    for role in state.roles.values():
        claim_comment = role.claim_comment
        if claim_comment is None or role.name != identifier(claim_comment["deployment"]):
            continue
        database = state.databases.get(role.name)
        # The deployment can remove the comment of its database; the database is still its own.
        made = database is not None and (
            (database.claim_comment or {}).get("deployment") == claim_comment["deployment"]
            or (database.owner == role.name and database.allow)
        )
        found[claim_comment["deployment"]] = _claim(claim_comment, database=role.name if made else None, role=role.name)
    for database in state.databases.values():
        claim_comment = database.claim_comment
        if (
            claim_comment is None
            or database.name != identifier(claim_comment["deployment"])
            or database.name in state.roles
        ):
            continue
        found.setdefault(claim_comment["deployment"], _claim(claim_comment, database=database.name, role=None))
    return [found[name] for name in sorted(found)]


def _claim(claim_comment: t.Mapping[str, t.Any], **objects: str | None) -> dict[str, t.Any]:
    return {
        "name": claim_comment["deployment"],
        **objects,
        **{name: claim_comment.get(key) for name, key in _REMEMBERED.items()},
    }


def orphans_of(state: ServerState) -> list[dict[str, t.Any]]:
    """Find claims whose role or database does not exist, and databases that nobody has claimed."""
    claims = claims_of(state)
    claimed = {claim["database"] for claim in claims}
    roles = [
        {"kind": "role_without_database", "name": claim["name"], "database": None}
        for claim in claims
        if claim["database"] is None and claim["role"] not in state.databases
    ]
    unfinished = [
        {"kind": "unfinished_database", "name": claim["name"], "database": claim["role"]}
        for claim in claims
        if claim["database"] is None and claim["role"] in state.databases
    ]
    no_roles = [
        {"kind": "database_without_role", "name": claim["name"], "database": claim["database"]}
        for claim in claims
        if claim["role"] is None
    ]
    unfinished_names = {item["database"] for item in unfinished}
    unclaimed = [
        {"kind": "database_without_claim", "name": None, "database": name}
        for name, database in sorted(state.databases.items())
        if name not in claimed | unfinished_names | {"postgres"} | OF_SERVICES
        and not database.template
        and not database.foreign
    ]
    return [*roles, *unfinished, *no_roles, *unclaimed]
