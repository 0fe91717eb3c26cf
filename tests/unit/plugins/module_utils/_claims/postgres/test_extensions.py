# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Extensions: in which schema each is created, and schemas that a deployment could have prepared."""

from __future__ import annotations

import types
import typing as t

import psycopg
import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.errors import ClaimError, Refused
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.extensions import create_extensions

OURS = "langgraph_extensions"
GRANT = f'GRANT USAGE ON SCHEMA "{OURS}" TO "a"'
SEARCH = f'ALTER DATABASE "a" SET search_path = "$user", public, "{OURS}"'


class Denied(psycopg.errors.InsufficientPrivilege):
    """The error of a server that refuses to create an extension."""

    @property
    def diag(self) -> t.Any:
        return types.SimpleNamespace(message_primary='permission denied to create extension "vector"')


class FakeDatabase:
    """A session in the database of a deployment."""

    def __init__(
        self,
        existing: t.Mapping[str, str] | None = None,
        schemas: t.Sequence[tuple[str, str, bool, list[str]]] = (),
        needed: t.Sequence[tuple[str, str]] = (),
        fixed: str | None = None,
        path: str = "",
        denied: bool = False,
    ) -> None:
        self.existing, self.schemas, self.needed = dict(existing or {}), list(schemas), needed
        self.fixed, self.path, self.denied = fixed, path, denied
        self.done: list[str] = []
        self._rows: t.Sequence[t.Any] = ()

    def execute(self, statement: t.Any, values: t.Any = None) -> FakeDatabase:
        text = statement if isinstance(statement, str) else statement.as_string(None)
        if "SELECT extname, extversion" in text:
            self._rows = [(name, version) for name, version in self.existing.items() if name in values[0]]
        elif "SELECT e.extname" in text:
            self._rows = self.needed
        elif "SELECT v.schema" in text:
            self._rows = [(self.fixed,)]
        elif "string_agg" in text:
            self._rows = [(self.path,)]
        elif "aclexplode" in text:
            self._rows = self.schemas
        else:
            self._change(text)
        return self

    def _change(self, text: str) -> None:
        self.done.append(text)
        if text.startswith("CREATE EXTENSION"):
            if self.denied:
                raise Denied
            self.existing[text.split('"')[1]] = "1.0"
        elif text.startswith("CREATE SCHEMA"):
            self.schemas.append((text.split('"')[1], "postgres", True, []))

    def fetchall(self) -> list[t.Any]:
        return list(self._rows)

    def fetchone(self) -> t.Any:
        return self._rows[0] if self._rows else None


def create(database: FakeDatabase, **wanted: str) -> dict[str, str]:
    return create_extensions(t.cast("t.Any", database), "a", "a", wanted or {"vector": "0.8"})


def test_an_extension_gets_our_schema_on_the_search_path() -> None:
    database = FakeDatabase()
    assert create(database) == {"vector": "1.0"}
    assert database.done == [
        f'CREATE SCHEMA "{OURS}"',
        f"{GRANT}; {SEARCH}",
        f'CREATE EXTENSION IF NOT EXISTS "vector" SCHEMA {OURS}',
    ]


def test_the_second_one_shares_it() -> None:
    database = FakeDatabase()
    assert create(database, vector="0.8", ltree="1.2") == {"vector": "1.0", "ltree": "1.0"}
    assert [text for text in database.done if text.startswith("CREATE SCHEMA")] == [f'CREATE SCHEMA "{OURS}"']


def test_an_existing_extension_stays_where_it_is() -> None:
    database = FakeDatabase({"vector": "0.7", "other": "1"})
    assert create(database) == {"vector": "0.7"}
    assert database.done == []


def test_a_search_path_that_somebody_set_is_kept() -> None:
    database = FakeDatabase(path="search_path=mine")
    create(database)
    assert GRANT in database.done
    assert not [text for text in database.done if "search_path" in text]


def test_an_extension_with_a_schema_of_its_own() -> None:
    database = FakeDatabase(fixed="pg_catalog")
    create(database)
    assert database.done == ['CREATE EXTENSION IF NOT EXISTS "vector"']
    safe = FakeDatabase(fixed="cron", schemas=[("cron", "postgres", True, [])])
    create(safe)
    assert safe.done == ['CREATE EXTENSION IF NOT EXISTS "vector"']


@pytest.mark.parametrize(
    ("database", "finding"),
    [
        (
            FakeDatabase(schemas=[(OURS, "a", False, [])]),
            f"its database already has a schema '{OURS}', in which 'a' can create objects, so their code could run",
        ),
        (
            FakeDatabase(fixed="cron", schemas=[("cron", "a", False, [])]),
            "the extension 'vector' is created in the schema 'cron', in which 'a' can create objects",
        ),
        (
            FakeDatabase(needed=[("cube", "public")], schemas=[("public", "a", False, [])]),
            "'vector' needs the extension 'cube', which is in the schema 'public', in which 'a' can create objects",
        ),
        (
            FakeDatabase(needed=[("cube", "public")], schemas=[("public", "postgres", True, ["PUBLIC", "b"])]),
            "'vector' needs the extension 'cube', which is in the schema 'public', in which 'PUBLIC', 'b' can create objects, so"
            " their code could run with the administrator's rights; ask an administrator to run in the database: REVOKE CREATE ON"
            " SCHEMA public FROM PUBLIC, b;",
        ),
    ],
)
def test_a_schema_that_the_deployment_controls(database: FakeDatabase, finding: str) -> None:
    """The script of an extension would run what the deployment put there, with the administrator's rights."""
    with pytest.raises(Refused) as caught:
        create(database)
    assert str(caught.value).startswith(f"deployment 'a', option 'extensions': {finding}")
    assert f"new extensions go to '{OURS}'" in str(caught.value)
    assert not [text for text in database.done if text.startswith("CREATE")]


def test_schemas_that_are_safe_or_belong_to_nobody() -> None:
    create(FakeDatabase(schemas=[(OURS, "postgres", True, [])]))
    create(FakeDatabase(needed=[("cube", "public")], schemas=[("public", "postgres", True, [])]))
    create(FakeDatabase(needed=[("cube", "gone")]))


@pytest.mark.parametrize(("fixed", "place"), [(None, f" SCHEMA {OURS}"), ("pg_catalog", "")])
def test_a_refusal_of_the_server_names_what_an_administrator_can_run(fixed: str | None, place: str) -> None:
    with pytest.raises(ClaimError) as caught:
        create(FakeDatabase(denied=True, fixed=fixed))
    assert str(caught.value) == (
        "deployment 'a', option 'extensions': Postgres refused 'vector' (permission denied to create extension \"vector\"); ask an"
        f" administrator to run in the database 'a': CREATE EXTENSION \"vector\"{place}, then run this again"
    )
