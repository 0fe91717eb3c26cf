# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The migration ledger of a schema as a deployment may have planted it: reading it returns in time, with a short string."""

from __future__ import annotations

import time
import typing as t

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._server import schema as _schema

PLANTED = {
    "sleeps": "CREATE VIEW schema_migrations AS SELECT 1 AS version, false AS dirty FROM pg_sleep(60)",
    "rows without end": "CREATE VIEW schema_migrations AS SELECT n AS version, false AS dirty "
    "FROM generate_series(1, 1000000000000) n",
    "a long text": "CREATE VIEW alembic_version AS SELECT repeat('x', 100000000) AS version_num",
    "lifts the limits": "CREATE SCHEMA evil; ALTER ROLE planted SET search_path = evil, public, pg_catalog; "
    "CREATE FUNCTION evil.slow(bool) RETURNS int LANGUAGE sql AS 'SELECT 1 FROM pg_sleep(60)'; "
    "CREATE VIEW schema_migrations AS SELECT set_config('statement_timeout', '0', false) AS version, false AS dirty "
    "FROM pg_sleep(60)",
    "an operator and a function": "CREATE SCHEMA evil; ALTER ROLE planted SET search_path = evil, public, pg_catalog; "
    "CREATE FUNCTION evil.to_regclass(text) RETURNS regclass LANGUAGE sql AS "
    "'SELECT ''pg_class''::regclass FROM pg_sleep(60)'; CREATE FUNCTION evil.cat(text, text) RETURNS text LANGUAGE sql AS "
    "'SELECT ''evil''::text FROM pg_sleep(60)'; CREATE OPERATOR evil.|| (LEFTARG = text, RIGHTARG = text, "
    "FUNCTION = evil.cat); CREATE TABLE public.schema_migrations(version int, dirty bool); "
    "INSERT INTO public.schema_migrations VALUES (16, false)",
}
VERSIONS: dict[str, str | None] = {"a long text": "x" * 64, "an operator and a function": "16"}


@pytest.fixture
def planted(postgres_server: t.Any) -> t.Iterator[str]:
    """Return the URI of a database that belongs to its own login."""
    with postgres_server.admin() as admin:
        admin.autocommit = True
        admin.execute("CREATE ROLE planted LOGIN PASSWORD 'secret'")
        admin.execute("CREATE DATABASE planted OWNER planted")
        yield postgres_server.uri("planted", "secret", "planted")
        admin.execute("DROP DATABASE planted WITH (FORCE)")
        admin.execute("DROP ROLE planted")


@pytest.mark.parametrize("what", PLANTED)
def test_a_planted_ledger(planted: str, what: str) -> None:
    with _schema.psycopg.connect(planted, autocommit=True) as connection:
        connection.execute(PLANTED[what])
    begin = time.monotonic()
    found = _schema.read(planted)
    assert time.monotonic() - begin < _schema.READ_SECONDS + 2
    assert found == VERSIONS.get(what, found)
    assert found is None or len(found) < 64 * 12 + 24


def test_a_locked_ledger(planted: str) -> None:
    """A migration that is stuck in the middle of its transaction."""
    with _schema.psycopg.connect(planted) as migration:
        migration.execute("CREATE TABLE schema_migrations(version int, dirty bool)")
        migration.commit()
        migration.execute("LOCK TABLE schema_migrations")
        begin = time.monotonic()
        assert _schema.read(planted) is None
        assert time.monotonic() - begin < 5
