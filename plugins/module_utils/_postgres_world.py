# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Everything that has to be known of a Postgres server, read with one query."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims import (
    ClaimError,
    decode_mark,
    identifier,
)

if t.TYPE_CHECKING:
    from ansible_collections.selfhost.langgraph.plugins.module_utils._postgres_connection import Connection

MINIMUM_VERSION = 140000
GOOD_VERSION = 150000

# Rows come as JSON, so that one round trip carries tables of different shapes.
_QUERY = """
SELECT json_build_object(
  'pid', pg_backend_pid(),
  'version', current_setting('server_version_num')::int,
  'max_connections', current_setting('max_connections')::int,
  'me', (SELECT row_to_json(r) FROM (
    SELECT rolname AS name, rolsuper AS superuser, rolcreatedb AS createdb, rolcreaterole AS createrole
    FROM pg_roles WHERE rolname = current_user) r),
  'roles', (SELECT coalesce(json_agg(r), '[]') FROM (
    SELECT rolname AS name, rolcanlogin AS login, rolsuper AS superuser, rolcreatedb AS createdb,
      rolcreaterole AS createrole, rolreplication AS replication, rolbypassrls AS bypassrls, rolconnlimit AS "limit",
      coalesce(rolvaliduntil, 'infinity') <> 'infinity' AS expires, {verifier} AS verifier, shobj_description(oid, 'pg_authid') AS comment,
      ARRAY(SELECT pg_get_userbyid(m.roleid) FROM pg_auth_members m WHERE m.member = a.oid) AS member_of
    FROM {roles} a
    WHERE rolname = ANY(%(names)s) OR shobj_description(oid, 'pg_authid') LIKE '%%selfhost.langgraph%%') r),
  'databases', (SELECT coalesce(json_agg(d), '[]') FROM (
    SELECT datname AS name, pg_get_userbyid(datdba) AS owner, datallowconn AS allow, datistemplate AS template,
      shobj_description(oid, 'pg_database') AS comment,
      EXISTS (SELECT FROM aclexplode(coalesce(datacl, acldefault('d', datdba))) WHERE grantee = 0) AS public
    FROM pg_database) d),
  'extensions', (SELECT coalesce(json_object_agg(name, default_version), '{{}}')
    FROM pg_available_extensions WHERE name = ANY(%(extensions)s)))
"""


@dataclass(frozen=True)
class Role:
    """A role as it is."""

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
    member_of: tuple[str, ...] = ()

    @property
    def mark(self) -> dict[str, t.Any] | None:
        """The claim that stands in its comment. The role itself cannot change it, unlike that of its database."""
        return decode_mark(self.comment)


@dataclass(frozen=True)
class Database:
    """A database as it is."""

    name: str
    owner: str
    allow: bool
    public: bool
    comment: str | None
    template: bool = False

    @property
    def mark(self) -> dict[str, t.Any] | None:
        """The claim that stands in its comment."""
        return decode_mark(self.comment)


@dataclass(frozen=True)
class World:
    """What the server said before anything was decided."""

    version: int
    max_connections: int
    me: t.Mapping[str, t.Any]
    roles: t.Mapping[str, Role]
    databases: t.Mapping[str, Database]
    extensions: t.Mapping[str, str]
    pooled: bool = False

    @property
    def superuser(self) -> bool:
        """Whether we are one."""
        return bool(self.me["superuser"])


def read_world(connection: Connection, names: t.Sequence[str], extensions: t.Iterable[str] = ()) -> World:
    """Ask for roles of these names, all databases, and which of these extensions the server has."""
    # Only a superuser may see verifiers, and this parameter is told at login, without a question.
    superuser = connection.info.parameter_status("is_superuser") == "on"
    query = _QUERY.format(
        verifier="rolpassword" if superuser else "NULL::text", roles="pg_authid" if superuser else "pg_roles"
    )
    row = connection.execute(query, {"names": list(names), "extensions": sorted(set(extensions))}).fetchone()
    content = row[0] if row else {}
    if content["version"] < MINIMUM_VERSION:
        raise ClaimError(f"Postgres {content['version'] // 10000} is too old: use 14 at least, better 15 or newer")
    return World(
        version=content["version"],
        max_connections=content["max_connections"],
        me=content["me"],
        roles={item["name"]: Role(**{**item, "member_of": tuple(item["member_of"])}) for item in content["roles"]},
        databases={item["name"]: Database(**item) for item in content["databases"]},
        extensions=content["extensions"],
        pooled=content["pid"] != connection.info.backend_pid,
    )


def claims_of(world: World) -> list[dict[str, t.Any]]:
    """List the durable claims: of each marked role and database, the role's word first.

    A deployment can rewrite the comment of its own database, so a mark counts only where it stands under its own name.
    """
    found: dict[str, dict[str, t.Any]] = {}
    for kind, objects in (("role", world.roles), ("database", world.databases)):
        for item in objects.values():
            mark = item.mark
            if mark is None or item.name != identifier(mark["deployment"]):
                continue
            claim = found.setdefault(mark["deployment"], {"name": mark["deployment"], "database": None, "role": None})
            claim[kind] = item.name
            for key in ("redis_number", "redis_server", "redis_address", "owner"):
                claim[key] = mark.get(key) if claim.get(key) is None else claim[key]
    return [found[name] for name in sorted(found)]


def orphans_of(world: World) -> list[dict[str, t.Any]]:
    """Find claims whose role or database is gone, and databases that nobody has claimed."""
    claims = claims_of(world)
    claimed = {claim["database"] for claim in claims}
    roles = [
        {"kind": "role_without_database", "name": claim["name"], "database": None}
        for claim in claims
        if claim["database"] is None and claim["role"] not in world.databases
    ]
    unfinished = [
        {"kind": "unfinished_database", "name": claim["name"], "database": claim["role"]}
        for claim in claims
        if claim["database"] is None and claim["role"] in world.databases
    ]
    no_roles = [
        {"kind": "database_without_role", "name": claim["name"], "database": claim["database"]}
        for claim in claims
        if claim["role"] is None
    ]
    half_made = {item["database"] for item in unfinished}
    strangers = [
        {"kind": "database_without_claim", "name": None, "database": name}
        for name, database in sorted(world.databases.items())
        if name not in claimed | half_made | {"postgres"} and not database.template
    ]
    return [*roles, *unfinished, *no_roles, *strangers]
