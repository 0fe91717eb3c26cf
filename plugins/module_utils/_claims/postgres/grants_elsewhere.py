# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Rights of a released deployment's roles in other databases: a role that has rights anywhere cannot be dropped.

The owner of a database can grant rights on it to any role without its consent, and could so prevent dropping that role. Rights
on a database itself are revoked from outside. Rights inside are left to an administrator: that database is not released.
"""

from __future__ import annotations

import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.logins import logins_of
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import Problem

try:
    from psycopg import sql
except ImportError:
    pass  # reported by connection.py

if t.TYPE_CHECKING:
    from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.connection import Connection
    from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.timeouts import PatientSession

_INSIDE = """
SELECT DISTINCT d.datname, r.rolname FROM pg_catalog.pg_shdepend s
JOIN pg_catalog.pg_roles r ON r.oid = s.refobjid
  AND s.refclassid = CAST('pg_catalog.pg_authid' AS pg_catalog.regclass)
JOIN pg_catalog.pg_database d ON d.oid = s.dbid
WHERE r.rolname = ANY(CAST(%(roles)s AS pg_catalog.text[])) AND d.datname <> ALL(CAST(%(going)s AS pg_catalog.text[]))
ORDER BY 1, 2
"""
_ON_DATABASES = """
SELECT DISTINCT d.datname, NULLIF(g.grantor, d.datdba) IS NOT NULL, pg_catalog.pg_get_userbyid(g.grantor), r.rolname
FROM pg_catalog.pg_database d, pg_catalog.aclexplode(d.datacl) g JOIN pg_catalog.pg_roles r ON r.oid = g.grantee
WHERE r.rolname = ANY(CAST(%s AS pg_catalog.text[])) AND g.grantee <> d.datdba
ORDER BY 1, 2, 3, 4
"""


def elsewhere_problems(connection: Connection, names: t.Sequence[str]) -> t.Iterator[Problem]:
    """Find objects and rights of released deployments in databases that stay, which would prevent dropping their roles."""
    going = [logins_of(name)[0] for name in names]
    for name in names:
        found: dict[str, list[str]] = {}
        values = {"roles": list(logins_of(name)), "going": going}
        for database, role in connection.execute(_INSIDE, values).fetchall():
            found.setdefault(database, []).append(role)
        for database, roles in found.items():
            quoted = ", ".join(f'"{role}"' for role in roles)
            yield Problem(
                name,
                "state",
                f"its role owns objects or has rights in the database '{database}', so the role cannot be dropped",
                f"ask an administrator to run in that database: DROP OWNED BY {quoted}",
            )


def revoke_elsewhere(connection: PatientSession, roles: t.Sequence[str]) -> None:
    """Revoke all rights of ``roles`` on databases of others, acting as the grantor: nobody else can revoke them."""
    parts: list[sql.Composable] = []
    for database, by_another, grantor, role in connection.execute(_ON_DATABASES, [list(roles)]).fetchall():
        revoke = sql.SQL("REVOKE ALL ON DATABASE {} FROM {} CASCADE").format(
            sql.Identifier(database), sql.Identifier(role)
        )
        acting = [sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(grantor)), revoke, sql.SQL("RESET ROLE")]
        parts += acting if by_another else [revoke]
    if parts:
        connection.execute(sql.SQL("; ").join(parts))
