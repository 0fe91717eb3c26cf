# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Objects that a deployment plants in its own database: none of them may ever run with an administrator's rights.

Every case plants something as the deployment's own role, then does everything that the collection does in that database with
an administrator's rights. The planted function logs the role that it runs as in the server's log, and tries to make its own
role a superuser.
"""

from __future__ import annotations

import typing as t

import psycopg
import pytest
from servers import PostgresServer, run_module

PASSWORD = "m-password"
VICTIM = {"name": "victim", "password": "v-password", "redis_db": 2}
MALLORY = {"name": "mallory", "password": PASSWORD, "redis_db": 1}
MANAGER = {"login_user": "manager", "login_password": "manager-password"}
# Some places accept only functions that are declared immutable, so the striking function is called by such a one.
STRIKE = """
CREATE FUNCTION public.strike_now() RETURNS int LANGUAGE plpgsql AS $$
BEGIN
  RAISE LOG 'PLANTED RAN AS %', session_user;
  BEGIN EXECUTE 'ALTER ROLE mallory SUPERUSER'; EXCEPTION WHEN OTHERS THEN NULL; END;
  BEGIN EXECUTE 'RESET ROLE; ALTER ROLE mallory SUPERUSER'; EXCEPTION WHEN OTHERS THEN NULL; END;
  BEGIN EXECUTE 'GRANT manager TO mallory'; EXCEPTION WHEN OTHERS THEN NULL; END;
  RETURN 1;
END $$;
CREATE FUNCTION public.strike() RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN public.strike_now(); END'
"""
PATH = "ALTER DATABASE mallory SET search_path = public, pg_catalog"


def shadow(view: str) -> list[str]:
    """Return a view over the catalog of the same name whose columns all call the planted function."""
    return [PATH, f"CREATE VIEW public.{view} AS SELECT c.* FROM pg_catalog.{view} c WHERE public.strike() = 1"]


def function(signature: str, result: str, body: str) -> list[str]:
    """Return a function that is found before the server's own and returns the same."""
    text = f"CREATE FUNCTION public.{signature} RETURNS {result} LANGUAGE plpgsql AS $$ BEGIN"
    return [PATH, f"{text} PERFORM public.strike(); RETURN {body}; END $$"]


def operator(symbol: str, left: str, right: str) -> list[str]:
    """Return an operator that is found before the server's own and returns the same."""
    body = f"$1 OPERATOR(pg_catalog.{symbol}) $2"
    return [
        *function(f"op(a {left}, b {right})", "boolean", body),
        f"CREATE OPERATOR public.{symbol} (FUNCTION = public.op, LEFTARG = {left}, RIGHTARG = {right})",
    ]


def aggregate(name: str, kind: str) -> list[str]:
    """Return an aggregate that is found before the server's own."""
    return [
        *function(f"step(state bigint, value {kind})", "bigint", "$1 + 1"),
        f'CREATE AGGREGATE public.{name}({kind}) (SFUNC = public.step, STYPE = bigint, INITCOND = "0")'.replace(
            '"', "'"
        ),
    ]


PLANTED: dict[str, list[str]] = {
    # Views under the names of catalogs, on a search path that finds them first.
    "view pg_stat_user_tables": shadow("pg_stat_user_tables"),
    "view pg_class": shadow("pg_class"),
    "view pg_namespace": shadow("pg_namespace"),
    "view pg_extension": shadow("pg_extension"),
    "view pg_available_extension_versions": shadow("pg_available_extension_versions"),
    "view pg_database": shadow("pg_database"),
    "view pg_roles": shadow("pg_roles"),
    "view pg_db_role_setting": shadow("pg_db_role_setting"),
    "view pg_stat_activity": shadow("pg_stat_activity"),
    "table with a rule": [
        PATH,
        "CREATE TABLE public.pg_extension (extname name, extversion text)",
        "CREATE RULE r AS ON INSERT TO public.pg_extension DO ALSO SELECT public.strike()",
    ],
    # Functions and aggregates.
    "function pg_stat_get_live_tuples": function(
        "pg_stat_get_live_tuples(o oid)", "bigint", "pg_catalog.pg_stat_get_live_tuples($1)"
    ),
    "function current_setting": function("current_setting(a text)", "text", "pg_catalog.current_setting($1)"),
    "function pg_backend_pid": function("pg_backend_pid()", "int", "pg_catalog.pg_backend_pid()"),
    "function aclexplode": [
        PATH,
        "CREATE FUNCTION public.aclexplode(aclitem[]) RETURNS TABLE (grantor oid, grantee oid, privilege_type text,"
        " is_grantable boolean) LANGUAGE sql AS 'SELECT g.* FROM pg_catalog.aclexplode($1) g, public.strike()'",
    ],
    "function unnest": [
        PATH,
        "CREATE FUNCTION public.unnest(text[]) RETURNS SETOF text LANGUAGE sql AS"
        " 'SELECT pg_catalog.unnest($1) FROM public.strike()'",
    ],
    "function starts_with": function("starts_with(a text, b text)", "boolean", "pg_catalog.starts_with($1, $2)"),
    "function format": function("format(a text)", "text", "$1"),
    "function string_agg": function("string_agg(a text, b text)", "text", "$1"),
    "function without arguments called like a keyword": function('"current_user"()', "name", "'postgres'::name"),
    "aggregate sum(real)": aggregate("sum", "real"),
    "aggregate sum(double precision)": aggregate("sum", "double precision"),
    "aggregate sum(bigint)": aggregate("sum", "bigint"),
    "aggregate count": aggregate("count", "oid"),
    # Operators.
    "operator = on oid": operator("=", "oid", "oid"),
    "operator = on name": operator("=", "name", "name"),
    "operator = on name and text": operator("=", "name", "text"),
    "operator <> on name": operator("<>", "name", "name"),
    "operator > on real": operator(">", "real", "real"),
    "operator > on real and integer": operator(">", "real", "int"),
    "operator > on real and double precision": operator(">", "real", "double precision"),
    # Types and casts.
    "domain int8": [PATH, "CREATE DOMAIN public.int8 AS pg_catalog.int8 CHECK (public.strike() = 1)"],
    "domain float8": [PATH, "CREATE DOMAIN public.float8 AS pg_catalog.float8 CHECK (public.strike() = 1)"],
    "domain text": [PATH, "CREATE DOMAIN public.text AS pg_catalog.text CHECK (public.strike() = 1)"],
    "domain name": [PATH, "CREATE DOMAIN public.name AS pg_catalog.name CHECK (public.strike() = 1)"],
    "cast from a type of its own": [
        PATH,
        "CREATE TYPE public.bigint AS (x int)",
        "CREATE FUNCTION public.cast_it(real) RETURNS public.bigint LANGUAGE sql AS"
        " 'SELECT ROW(public.strike())::public.bigint'",
        "CREATE CAST (real AS public.bigint) WITH FUNCTION public.cast_it(real) AS IMPLICIT",
    ],
    "collation": [PATH, 'CREATE COLLATION public."default" FROM pg_catalog."C"'],
    "text search configuration": [
        "CREATE TEXT SEARCH CONFIGURATION public.planted (COPY = pg_catalog.simple)",
        "ALTER DATABASE mallory SET default_text_search_config = 'public.planted'",
    ],
    # Settings for all sessions of the database.
    "search path of the role": ["ALTER ROLE mallory SET search_path = public, pg_catalog", *shadow("pg_class")[1:]],
    "search path of the role in the database": [
        "ALTER ROLE mallory IN DATABASE mallory SET search_path = public, pg_catalog",
        *shadow("pg_class")[1:],
    ],
    "search path that splits": [
        """ALTER DATABASE mallory SET search_path = 'public"; ALTER ROLE mallory SUPERUSER; --'"""
    ],
    "pg_temp first": ["ALTER DATABASE mallory SET search_path = pg_temp, public, pg_catalog"],
    "role": ["ALTER DATABASE mallory SET role = 'mallory'"],
    "session_authorization": ["ALTER DATABASE mallory SET session_authorization = 'mallory'"],
    "read-only transactions": ["ALTER DATABASE mallory SET default_transaction_read_only = on"],
    "serializable transactions": ["ALTER DATABASE mallory SET default_transaction_isolation = 'serializable'"],
    "statement_timeout": ["ALTER DATABASE mallory SET statement_timeout = 1"],
    "lock_timeout": ["ALTER DATABASE mallory SET lock_timeout = 1"],
    "idle_session_timeout": ["ALTER DATABASE mallory SET idle_session_timeout = 1"],
    # Postgres 17. An older server stores a setting with a dot in its name only.
    "transaction_timeout": [
        "DO $$ BEGIN EXECUTE 'ALTER DATABASE mallory SET transaction_timeout = 1';"
        " EXCEPTION WHEN undefined_object THEN NULL; END $$"
    ],
    "client_encoding": ["ALTER DATABASE mallory SET client_encoding = 'SJIS'"],
    "standard_conforming_strings": ["ALTER DATABASE mallory SET standard_conforming_strings = off"],
    "default_table_access_method": ["ALTER DATABASE mallory SET default_table_access_method = 'nothing'"],
    "local_preload_libraries": ["ALTER DATABASE mallory SET local_preload_libraries = 'nothing'"],
    "check_function_bodies": ["ALTER DATABASE mallory SET check_function_bodies = off"],
    # Objects of its own that run code when they are read.
    "expression of an index": [
        "CREATE TABLE public.t (x int)",
        "CREATE INDEX ON public.t ((x + public.strike()))",
        "INSERT INTO public.t SELECT 1",
    ],
    "row security policy": [
        "CREATE TABLE public.t (x int)",
        "CREATE POLICY p ON public.t USING (public.strike() = 1)",
        "ALTER TABLE public.t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
    ],
    "trigger, default, check and generated column": [
        "CREATE TABLE public.t (x int DEFAULT public.strike() CHECK (public.strike() = 1),"
        " y int GENERATED ALWAYS AS (public.strike()) STORED)",
        "CREATE FUNCTION public.fire() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN PERFORM public.strike(); RETURN NEW; END'",
        "CREATE TRIGGER f BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON public.t EXECUTE FUNCTION public.fire()",
    ],
    "materialized view": ["CREATE MATERIALIZED VIEW public.m AS SELECT public.strike() AS x"],
    "extended statistics": [
        "CREATE TABLE public.t (x int)",
        "CREATE STATISTICS public.s ON (x + public.strike()), x FROM public.t",
    ],
    # Schemas of extensions.
    "schema called like ours": ["CREATE SCHEMA langgraph_extensions", *operator("=", "oid", "oid")],
    "schema called like ours that all may write to": [
        "CREATE SCHEMA langgraph_extensions",
        "GRANT ALL ON SCHEMA langgraph_extensions TO PUBLIC",
    ],
    "function of the extension in public": [
        "CREATE FUNCTION public.get_raw_page(text, int8) RETURNS bytea LANGUAGE sql AS 'SELECT NULL::bytea FROM public.strike()'"
    ],
    "extension that another needs": ["CREATE SCHEMA mine", "CREATE EXTENSION cube SCHEMA mine"],
    # Comments that are read as claims.
    "comment with another owner": [
        '{"selfhost.langgraph": {"deployment": "mallory", "owner": "EVIL", "redis_number": 2}}'
    ],
    "comment with the victim's name": ['{"selfhost.langgraph": {"deployment": "victim", "redis_number": 9}}'],
    "comment with a name nearly its own": ['{"selfhost.langgraph": {"deployment": "Mallory", "redis_number": 2}}'],
    "comment as long as a table": ['{"selfhost.langgraph": {"deployment": "mallory"}}' + " " * 30_000_000],
    "comment as deep as a well": ["[" * 9000],
    "comment of wrong kinds": [
        '{"selfhost.langgraph": {"deployment": "mallory", "redis_number": {}, "extensions": []}}'
    ],
}


def as_mallory(server: PostgresServer, database: str = "mallory") -> psycopg.Connection[t.Any]:
    return psycopg.connect(server.uri("mallory", PASSWORD, database), autocommit=True)


def plant(server: PostgresServer, statements: t.Sequence[str]) -> None:
    with as_mallory(server) as connection:
        connection.execute("SET search_path = pg_catalog")
        connection.execute(STRIKE)
        connection.execute("CREATE TABLE public.rows AS SELECT x FROM generate_series(1, 3) AS x; ANALYZE public.rows")
        for statement in statements:
            if statement.startswith(("{", "[")):
                text = psycopg.sql.SQL("COMMENT ON DATABASE mallory IS {}").format(psycopg.sql.Literal(statement))
                connection.execute(text)
            else:
                connection.execute(statement)


def ran_as(server: PostgresServer) -> set[str]:
    """Return the roles that the planted function ran as, from the server's log."""
    log = (server.directory / "log").read_text(errors="replace")
    return {line.split()[-1] for line in log.splitlines() if "PLANTED RAN AS " in line and "%" not in line}


def step_on_it(server: PostgresServer, login: t.Mapping[str, t.Any]) -> list[dict[str, t.Any]]:
    """Do everything that the collection does with an administrator's rights in or to a deployment's database."""
    more = {**login, "lock_timeout": 5}
    return [
        run_module("postgres_database_info", {**login, "sizes": True}),
        run_module("postgres_database", {**more, "databases": [{"name": "mallory", "state": "absent"}]}),
        run_module("postgres_database", {**more, "databases": [MALLORY, VICTIM]}),
        *(
            run_module("postgres_database", {**more, "databases": [{**MALLORY, "extensions": extensions}]})
            for extensions in (["pageinspect", "ltree"], ["earthdistance"])
        ),
        run_module("postgres_database", {**more, "databases": [{**MALLORY, "password": "new"}], "take_over": True}),
    ]


# Cases that matter more, or differently, for an administrator who is not a superuser but may act as the deployment.
BOTH = [
    "view pg_class",
    "view pg_extension",
    "function pg_stat_get_live_tuples",
    "aggregate sum(double precision)",
    "operator = on name",
    "domain int8",
    "search path of the role",
    "role",
    "session_authorization",
    "read-only transactions",
    "row security policy",
    "schema called like ours",
    "extension that another needs",
    "comment with another owner",
]
# Cases that stop us too: they are refused in one line, and harm the deployment only.
STOPS = {"schema called like ours", "schema called like ours that all may write to"}
CASES = [("superuser", what) for what in PLANTED] + [("no superuser", what) for what in BOTH]


def two_deployments(server: PostgresServer, kind: str) -> dict[str, t.Any]:
    """Create the deployments, and return the login of the role that created them."""
    server.query("CREATE ROLE manager LOGIN PASSWORD 'manager-password' CREATEROLE CREATEDB")
    (server.directory / "log").write_text("")
    login = server.login() if kind == "superuser" else {**server.login(), **MANAGER}
    result = run_module("postgres_database", {**login, "databases": [MALLORY, VICTIM]})
    assert not result.get("failed"), result["msg"]
    return login


def like_new(server: PostgresServer, kind: str) -> dict[str, t.Any]:
    """Return the two deployments in their initial state. Creating them again takes longer than the rest of a case."""
    if server.query("SELECT shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = 'manager'") != [(kind,)]:
        server.clean()
        login = two_deployments(server, kind)
        server.query(f"COMMENT ON ROLE manager IS '{kind}'")
        return login
    mark = '{"selfhost.langgraph": {"deployment": "mallory", "redis_number": 1}}'
    for statement in (
        f"ALTER ROLE mallory NOSUPERUSER PASSWORD '{PASSWORD}'",
        "REVOKE manager FROM mallory",
        'DROP ROLE IF EXISTS "mallory.b"',
        "ALTER ROLE mallory RESET ALL",
        "ALTER DATABASE mallory RESET ALL",
        "ALTER ROLE mallory IN DATABASE mallory RESET ALL",
        f"COMMENT ON ROLE mallory IS '{mark}'",
        f"COMMENT ON DATABASE mallory IS '{mark}'",
    ):
        server.query(statement)
    with server.admin("mallory") as connection:
        connection.execute("DROP EXTENSION IF EXISTS pageinspect, ltree, earthdistance, cube CASCADE")
        connection.execute("DROP SCHEMA IF EXISTS langgraph_extensions, mine, public CASCADE")
        connection.execute("CREATE SCHEMA public AUTHORIZATION pg_database_owner")
    (server.directory / "log").write_text("")
    return server.login() if kind == "superuser" else {**server.login(), **MANAGER}


def unharmed(server: PostgresServer) -> None:
    superusers = server.query("SELECT rolname FROM pg_roles WHERE rolsuper OR rolcreaterole ORDER BY 1")
    assert superusers == [("manager",), ("postgres",)]
    assert ran_as(server) <= {"mallory", "mallory.b"}
    members = (
        "SELECT pg_get_userbyid(member) FROM pg_auth_members WHERE pg_get_userbyid(roleid) IN ('manager', 'postgres')"
    )
    assert server.query(members) == []


@pytest.mark.parametrize(("kind", "what"), CASES)
def test_planted(used_postgres: PostgresServer, kind: str, what: str) -> None:
    login = like_new(used_postgres, kind)
    plant(used_postgres, PLANTED[what])
    info, kept, changed, *made = step_on_it(used_postgres, login)
    unharmed(used_postgres)
    for result in (info, kept, changed):
        assert not result.get("failed"), result["msg"]
    assert {item["name"]: item["redis_db"] for item in info["claims"]} == {"mallory": 1, "victim": 2}
    rows = next(item["rows"] for item in info["claims"] if item["name"] == "mallory")
    assert rows is not None
    if kind == "superuser":
        assert bool(made[0].get("failed")) == (what in STOPS), made[0].get("msg")
    for result in made:
        assert "MODULE FAILURE" not in result["_text"]
        assert "\n" not in result.get("msg", "")


def test_the_trap_springs_where_somebody_steps_on_it(postgres_server: PostgresServer) -> None:
    """Otherwise none of the cases could fail."""
    two_deployments(postgres_server, "superuser")
    plant(postgres_server, PLANTED["view pg_class"])
    with postgres_server.admin("mallory") as connection:
        connection.execute("SELECT count(*) FROM pg_class")
    assert "postgres" in ran_as(postgres_server)
    assert postgres_server.query("SELECT rolsuper FROM pg_roles WHERE rolname = 'mallory'") == [(True,)]


# Functions that match better than the server's own, though these come first: for a server where all roles may create objects
# in the database that administrators log in to, as in Postgres 14.
BETTER_FITTING = {
    "shobj_description": "shobj_description(a oid, b text) RETURNS text",
    "pg_advisory_lock": "pg_advisory_lock(a int) RETURNS int",
    "count": "count(a int) RETURNS bigint",
    "json_object_agg": "json_object_agg(a name, b text) RETURNS json",
    "json_build_object": "json_build_object(a text, b int) RETURNS json",
}


@pytest.mark.parametrize("what", [*BETTER_FITTING, "unnest"])
def test_planted_where_administrators_log_in(postgres_server: PostgresServer, what: str) -> None:
    login = two_deployments(postgres_server, "superuser")
    postgres_server.query("GRANT CREATE ON SCHEMA public TO PUBLIC")
    try:
        with as_mallory(postgres_server, "postgres") as connection:
            connection.execute(STRIKE)
            body = "LANGUAGE plpgsql AS 'BEGIN PERFORM public.strike(); RETURN NULL; END'"
            if what == "unnest":
                rows = "SELECT pg_catalog.unnest($1) FROM public.strike()"
                connection.execute(f"CREATE FUNCTION public.unnest(text[]) RETURNS SETOF text LANGUAGE sql AS '{rows}'")
            else:
                connection.execute(f"CREATE FUNCTION public.{BETTER_FITTING[what]} {body}")
        step_on_it(postgres_server, login)
        unharmed(postgres_server)
    finally:
        postgres_server.query("REVOKE CREATE ON SCHEMA public FROM PUBLIC; DROP OWNED BY mallory")


def test_a_deployment_cannot_hold_the_lock(postgres_server: PostgresServer) -> None:
    login = two_deployments(postgres_server, "superuser")
    with as_mallory(postgres_server, "postgres") as connection:
        connection.execute("SELECT pg_advisory_lock(1818324583), pg_advisory_lock(0)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute('CREATE ROLE "selfhost.langgraph:lock"')
        changed = {**login, "databases": [{**MALLORY, "connection_limit": 9}], "lock_timeout": 2}
        assert run_module("postgres_database", changed)["changed"]


def test_a_deployment_cannot_claim_what_is_not_its_own(postgres_server: PostgresServer) -> None:
    """It can claim neither a database number that its role's comment lacks, nor one under a similar name."""
    login = postgres_server.login()
    databases = [{"name": "mal-lory", "password": PASSWORD}, VICTIM]
    run_module("postgres_database", {**login, "databases": databases})
    with psycopg.connect(postgres_server.uri("mal_lory", PASSWORD, "mal_lory"), autocommit=True) as connection:
        for name in ("mal-lory", "mal_lory"):
            mark = f'{{"selfhost.langgraph": {{"deployment": "{name}", "redis_number": 2, "owner": "EVIL"}}}}'
            connection.execute(psycopg.sql.SQL("COMMENT ON DATABASE mal_lory IS {}").format(psycopg.sql.Literal(mark)))
            claims = run_module("postgres_database_info", login)["claims"]
            assert [(item["name"], item["redis_db"], item["owner"]) for item in claims] == [
                ("mal-lory", None, None),
                ("victim", 2, None),
            ]
    assert not run_module("postgres_database", {**login, "databases": databases}).get("failed")


def test_the_second_login_is_no_way_out(postgres_server: PostgresServer) -> None:
    """It may leave the owner's role, and gains nothing by it; the change is reverted."""
    login = two_deployments(postgres_server, "superuser")
    new = {**MALLORY, "password": "new"}
    assert (
        run_module("postgres_database", {**login, "databases": [new]})["databases"]["mallory"]["login"] == "mallory.b"
    )
    with psycopg.connect(postgres_server.uri("mallory.b", "new", "mallory"), autocommit=True) as connection:
        assert connection.execute("SELECT current_user, session_user").fetchone() == ("mallory", "mallory.b")
        for statement in ("DISCARD ALL", "RESET ALL", "RESET ROLE"):
            connection.execute(statement)
            assert connection.execute("SELECT current_user").fetchone() == ("mallory",)
        connection.execute("SET ROLE NONE; ALTER ROLE \"mallory.b\" SET role = 'none'")
        for statement in ("GRANT mallory TO victim", 'ALTER ROLE "mallory.b" CONNECTION LIMIT -1', "SET ROLE victim"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)
    for database in ("victim", "template0"):
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(postgres_server.uri("mallory.b", "new", database))
    cured = run_module("postgres_database", {**login, "databases": [new]})
    assert [action.get("what") for action in cured["actions"]] == [["acting"]]
