# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Extensions, created with the administrator's rights in a database that belongs to a deployment.

The script of an extension runs with the rights of whoever creates it, and resolves names in the schema that it fills and in
those of the extensions that it needs. So these schemas must not be the deployment's: ours belongs to the administrator, and
is on the search path of the database, so that its types are found by their unqualified names.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.errors import ClaimError, Refused
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import Problem

try:
    import psycopg
    from psycopg import sql
except ImportError:
    pass  # reported by connection.py

if t.TYPE_CHECKING:
    from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.connection import Connection

SCHEMA = "langgraph_extensions"
# A schema is safe if its owner has the rights that the script runs with, and nobody else may create objects there. These are
# the owner, whether it has these rights, and the others who may create objects.
_SCHEMAS = """
SELECT n.nspname, o.rolname, o.rolname OPERATOR(pg_catalog.=) CURRENT_USER OR o.rolsuper, ARRAY(
    SELECT CASE WHEN g.grantee OPERATOR(pg_catalog.=) CAST(0 AS pg_catalog.oid) THEN 'PUBLIC'
      ELSE CAST(pg_catalog.pg_get_userbyid(g.grantee) AS pg_catalog.text) END
    FROM pg_catalog.aclexplode(n.nspacl) g
    WHERE g.privilege_type OPERATOR(pg_catalog.=) 'CREATE' AND g.grantee OPERATOR(pg_catalog.<>) n.nspowner)
FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_roles o ON o.oid OPERATOR(pg_catalog.=) n.nspowner
"""
_NEEDED = """
SELECT e.extname, n.nspname FROM pg_catalog.pg_available_extension_versions v
JOIN pg_catalog.pg_extension e ON e.extname OPERATOR(pg_catalog.=) ANY(v.requires)
JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) e.extnamespace
WHERE v.name OPERATOR(pg_catalog.=) %(name)s AND v.version OPERATOR(pg_catalog.=) %(version)s
"""
_FIXED_SCHEMA = """
SELECT v.schema FROM pg_catalog.pg_available_extension_versions v
WHERE v.name OPERATOR(pg_catalog.=) %(name)s AND v.version OPERATOR(pg_catalog.=) %(version)s
"""
_FOUND = """
SELECT extname, extversion FROM pg_catalog.pg_extension
WHERE extname OPERATOR(pg_catalog.=) ANY(CAST(%s AS pg_catalog.text[]))
"""
_PATHS = """
SELECT coalesce((SELECT pg_catalog.string_agg(s, ' ') FROM pg_catalog.pg_db_role_setting r, pg_catalog.unnest(r.setconfig) s
  WHERE r.setrole OPERATOR(pg_catalog.=) 0 AND pg_catalog.starts_with(s, 'search_path=')
    AND r.setdatabase OPERATOR(pg_catalog.=)
      (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database())), '')
"""


def create_extensions(inside: Connection, name: str, target: str, wanted: t.Mapping[str, str]) -> dict[str, str]:
    """Create the missing extensions of ``wanted`` (name: version); return the versions that exist afterwards.

    ``inside`` is a session in the database ``target`` of the deployment ``name``. An existing extension stays in its schema.
    """
    missing = [extension for extension in wanted if extension not in _found(inside, wanted)]
    for extension in missing:
        version = {"name": extension, "version": wanted[extension]}
        schemas = _schemas(inside)
        for needed, schema in inside.execute(_NEEDED, version).fetchall():
            _require_safe(
                name,
                schema,
                schemas,
                f"'{extension}' needs the extension '{needed}', which is in the schema",
                f"drop '{needed}' as the deployment's role, and list it in extensions before '{extension}'",
            )
        row = inside.execute(_FIXED_SCHEMA, version).fetchone()
        fixed = row[0] if row else None
        if fixed is None:
            _create_schema(inside, name, target, schemas)
        elif fixed in schemas:
            _require_safe(
                name,
                fixed,
                schemas,
                f"the extension '{extension}' is created in the schema",
                "rename or drop that schema as the deployment's role",
            )
        _create(inside, name, target, extension, None if fixed else SCHEMA)
    return _found(inside, wanted)


def _found(inside: Connection, names: t.Iterable[str]) -> dict[str, str]:
    return dict(inside.execute(_FOUND, [list(names)]).fetchall())


@dataclass(frozen=True)
class _Schema:
    """Who may create objects in a schema besides the administrator."""

    owner: str
    trusted: bool  # whether the owner has the administrator's rights
    others: tuple[str, ...] = ()


def _schemas(inside: Connection) -> dict[str, _Schema]:
    found = inside.execute(_SCHEMAS).fetchall()
    return {name: _Schema(owner, trusted, tuple(others)) for name, owner, trusted, others in found}


def _require_safe(name: str, schema: str, schemas: t.Mapping[str, _Schema], what: str, remedy: str) -> None:
    """Refuse a schema in which somebody else may create objects: scripts of extensions use what is there.

    ``what`` precedes the schema's name, ``remedy`` is what helps if the deployment owns it.
    """
    found = schemas.get(schema)
    if found is None or (found.trusted and not found.others):
        return
    if found.trusted:
        remedy = f"ask an administrator to run in the database: REVOKE CREATE ON SCHEMA {schema} FROM {', '.join(found.others)}"
    who = ", ".join(f"'{role}'" for role in (found.others if found.trusted else (found.owner, *found.others)))
    raise Refused(
        [
            Problem(
                name,
                "extensions",
                f"{what} '{schema}', in which {who} can create objects, so their code could run with the administrator's rights",
                f"{remedy}; new extensions go to '{SCHEMA}'",
            )
        ]
    )


def _create_schema(inside: Connection, name: str, target: str, schemas: t.Mapping[str, _Schema]) -> None:
    """Create our schema, or refuse one of that name that the deployment created before us."""
    if SCHEMA in schemas:
        remedy = "rename or drop that schema as the deployment's role"
        _require_safe(name, SCHEMA, schemas, "its database already has a schema", remedy)
    else:
        inside.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(SCHEMA)))
    parts = [sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(sql.Identifier(SCHEMA), sql.Identifier(target))]
    row = inside.execute(_PATHS).fetchone()
    # An existing search path was set deliberately and is kept.
    if not row or not row[0]:
        parts.append(
            sql.SQL('ALTER DATABASE {} SET search_path = "$user", public, {}').format(
                sql.Identifier(target), sql.Identifier(SCHEMA)
            )
        )
    inside.execute(sql.SQL("; ").join(parts))


def _create(inside: Connection, name: str, target: str, extension: str, schema: str | None) -> None:
    place = f" SCHEMA {schema}" if schema else ""
    try:
        inside.execute(sql.SQL("CREATE EXTENSION IF NOT EXISTS {}" + place).format(sql.Identifier(extension)))
    except psycopg.Error as exc:
        raise ClaimError(
            f"deployment '{name}', option 'extensions': Postgres refused '{extension}'"
            f" ({exc.diag.message_primary}); ask an administrator to run in the database '{target}':"
            f' CREATE EXTENSION "{extension}"{place}, then run this again'
        ) from exc
