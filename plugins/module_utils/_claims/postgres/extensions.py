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
# A schema is safe if its owner has the rights that the script runs with, and nobody else may create objects there.
_SCHEMAS = """
SELECT n.nspname, o.rolname,
  (o.rolname OPERATOR(pg_catalog.=) CURRENT_USER OR o.rolsuper) AND NOT EXISTS (
    SELECT FROM pg_catalog.aclexplode(n.nspacl) g
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
        safe = _safe_schemas(inside)
        for needed, schema in inside.execute(_NEEDED, version).fetchall():
            _require_safe(name, schema, safe, f"the extension '{needed}', which '{extension}' needs, is in the schema")
        row = inside.execute(_FIXED_SCHEMA, version).fetchone()
        fixed = row[0] if row else None
        if fixed is None:
            _create_schema(inside, name, target, safe)
        elif fixed in safe:
            _require_safe(name, fixed, safe, f"the extension '{extension}' is created in the schema")
        _create(inside, name, target, extension, None if fixed else SCHEMA)
    return _found(inside, wanted)


def _found(inside: Connection, names: t.Iterable[str]) -> dict[str, str]:
    return dict(inside.execute(_FOUND, [list(names)]).fetchall())


def _safe_schemas(inside: Connection) -> dict[str, tuple[str, bool]]:
    return {schema: (owner, safe) for schema, owner, safe in inside.execute(_SCHEMAS).fetchall()}


def _require_safe(name: str, schema: str, schemas: t.Mapping[str, tuple[str, bool]], what: str) -> None:
    owner, safe = schemas.get(schema, ("nobody", True))
    if not safe:
        raise Refused(
            [
                Problem(
                    name,
                    "extensions",
                    f"{what} '{schema}', in which '{owner}' can create objects that would run with the administrator's rights",
                    f"rename or drop that schema or extension as the deployment's role; new extensions go to '{SCHEMA}'",
                )
            ]
        )


def _create_schema(inside: Connection, name: str, target: str, schemas: t.Mapping[str, tuple[str, bool]]) -> None:
    """Create our schema, or refuse one of that name that the deployment created before us."""
    if SCHEMA in schemas:
        _require_safe(name, SCHEMA, schemas, "its database has a schema")
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
