# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A deployment uses its own rights to prevent an administrator from revoking, changing or removing something."""

from __future__ import annotations

import time
import typing as t

import psycopg
import pytest
from servers import ModuleRun, PostgresServer, run_module

OLD, NEW = "password-of-before-", "password-of-now-"


def entry(name: str, password: str = OLD, **more: t.Any) -> dict[str, t.Any]:
    return {"name": name, "password": password + name, **more}


def claim(server: PostgresServer, *wanted: dict[str, t.Any]) -> dict[str, t.Any]:
    return run_module("postgres_database", {**server.login(), "databases": list(wanted)})


def done(result: dict[str, t.Any]) -> list[str]:
    assert not result.get("failed"), result["msg"]
    return [action["action"] for action in result["actions"]]


def log_in(server: PostgresServer, role: str, password: str, database: str, autocommit: bool = True) -> t.Any:
    return psycopg.connect(server.uri(role, password, database), autocommit=autocommit)


def rotated(server: PostgresServer) -> None:
    """Both logins of 'aa' are open, the previous one with a leaked password; 'bb' is another deployment."""
    done(claim(server, entry("aa"), entry("bb")))
    assert done(claim(server, entry("aa", NEW, logins_in_use=["aa"]))) == ["create_login"]


RETIRE: t.Any = {"logins_in_use": ["aa.b"], "retire": True}
OPEN_PASSWORD = f"ALTER ROLE aa PASSWORD '{OLD}aa'"


@pytest.mark.parametrize(("role", "password"), [("aa", OLD), ("aa.b", NEW)])
def test_an_open_transaction_does_not_hold_up_a_revocation(
    postgres_server: PostgresServer, role: str, password: str
) -> None:
    rotated(postgres_server)
    session = log_in(postgres_server, role, f"{password}aa", "aa", autocommit=False)
    session.execute(OPEN_PASSWORD)
    began = time.monotonic()
    assert done(claim(postgres_server, entry("aa", NEW, **RETIRE))) == ["retire_login"]
    assert time.monotonic() - began < 20
    with pytest.raises(psycopg.OperationalError):
        session.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError, match="not permitted to log in|password authentication failed"):
        log_in(postgres_server, "aa", f"{OLD}aa", "aa")


@pytest.mark.parametrize("then", ["SELECT 1", "SELECT pg_sleep(300)"])
def test_an_open_transaction_does_not_hold_up_a_change(postgres_server: PostgresServer, then: str) -> None:
    rotated(postgres_server)
    serving = log_in(postgres_server, "aa.b", f"{NEW}aa", "aa")
    serving.execute("COMMENT ON DATABASE aa IS 'x'")
    hostile = log_in(postgres_server, "aa.b", f"{NEW}aa", "aa", autocommit=False)
    hostile.execute("COMMENT ON DATABASE aa IS 'y'")
    hostile.pgconn.send_query(then.encode())
    run = ModuleRun(
        "postgres_database",
        {**postgres_server.login(), "databases": [entry("aa", NEW, logins_in_use=["aa.b"]), entry("bb")]},
    )
    assert done(run.result()) == ["remember"]
    hostile.close()
    # Sessions that serve and block nobody continue.
    assert serving.execute("SELECT 1").fetchone() == (1,)
    assert done(claim(postgres_server, entry("aa", NEW, logins_in_use=["aa.b"]), entry("bb"))) == []


def test_a_deployment_does_not_hold_up_another(postgres_server: PostgresServer) -> None:
    """A grant to a role in an open transaction prevents dropping that role."""
    done(claim(postgres_server, entry("aa"), entry("bb")))
    hostile = log_in(postgres_server, "aa", f"{OLD}aa", "aa", autocommit=False)
    hostile.execute("GRANT CONNECT ON DATABASE aa TO bb")
    assert done(claim(postgres_server, entry("bb", state="absent", confirm="bb"))) == ["drop_database", "drop_role"]
    with pytest.raises(psycopg.OperationalError):
        hostile.execute("SELECT 1")


def test_a_session_of_somebody_else_is_named_and_stays(postgres_server: PostgresServer) -> None:
    done(claim(postgres_server, entry("aa")))
    with postgres_server.admin() as other, other.transaction():
        other.execute("ALTER ROLE aa CONNECTION LIMIT 3")
        result = claim(postgres_server, entry("aa", connection_limit=7))
        assert result["failed"]
        assert f"process {other.info.backend_pid} of 'postgres' (idle in transaction)" in result["msg"]
        assert other.execute("SELECT 1").fetchone() == (1,)
    assert done(claim(postgres_server, entry("aa", connection_limit=7))) == ["change_role"]


def test_a_session_that_ends_in_time_is_waited_for(postgres_server: PostgresServer) -> None:
    done(claim(postgres_server, entry("aa")))
    with log_in(postgres_server, "aa", f"{OLD}aa", "aa", autocommit=False) as session:
        session.execute("COMMENT ON DATABASE aa IS 'x'")
        session.commit()
        session.execute("COMMENT ON DATABASE aa IS 'y'")
        run = ModuleRun("postgres_database", {**postgres_server.login(), "databases": [entry("aa")]})
        time.sleep(2)
        session.commit()
        assert done(run.result()) == ["remember"]
        assert session.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize("what", ["bb", "PUBLIC"])
def test_rights_that_a_deployment_gives_away_are_taken_back(postgres_server: PostgresServer, what: str) -> None:
    """A leaked password could keep access after its rotation through another deployment."""
    rotated(postgres_server)
    leaked = log_in(postgres_server, "aa", f"{OLD}aa", "aa")
    leaked.execute("CREATE TABLE secret (x text)")
    leaked.execute(f"GRANT CONNECT, TEMPORARY ON DATABASE aa TO {what}")
    leaked.execute(f"GRANT ALL ON secret TO {what}")
    intruder = log_in(postgres_server, "bb", f"{OLD}bb", "aa")
    intruder.execute("SELECT x FROM secret")
    planned = run_module(
        "postgres_database", {**postgres_server.login(), "databases": [entry("aa", NEW, **RETIRE)]}, check=True
    )
    result = claim(postgres_server, entry("aa", NEW, **RETIRE))
    assert done(planned) == done(result) == ["change_database", "retire_login"]
    assert result["actions"][0]["what"] == ["public" if what == "PUBLIC" else "grants"]
    with pytest.raises(psycopg.OperationalError):
        intruder.execute("SELECT x FROM secret")
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        log_in(postgres_server, "bb", f"{OLD}bb", "aa")
    log_in(postgres_server, "aa.b", f"{NEW}aa", "aa").close()
    assert done(claim(postgres_server, entry("aa", NEW, **RETIRE), entry("bb"))) == []


def test_rights_that_were_handed_on_are_taken_back(postgres_server: PostgresServer) -> None:
    done(claim(postgres_server, entry("aa"), entry("bb"), entry("cc")))
    with log_in(postgres_server, "aa", f"{OLD}aa", "aa") as session:
        session.execute("GRANT CONNECT ON DATABASE aa TO bb WITH GRANT OPTION")
    with log_in(postgres_server, "bb", f"{OLD}bb", "aa") as session:
        session.execute("GRANT CONNECT ON DATABASE aa TO cc")
    assert done(claim(postgres_server, entry("aa"))) == ["change_database"]
    for name in ("bb", "cc"):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            log_in(postgres_server, name, f"{OLD}{name}", "aa")
    assert done(claim(postgres_server, entry("aa"), entry("bb"), entry("cc"))) == []


@pytest.mark.parametrize("by_another", [False, True])
def test_rights_on_a_database_do_not_keep_a_role(postgres_server: PostgresServer, by_another: bool) -> None:
    done(claim(postgres_server, entry("aa"), entry("bb"), entry("cc")))
    with log_in(postgres_server, "aa", f"{OLD}aa", "aa") as session:
        session.execute(f"GRANT CONNECT ON DATABASE aa TO {'cc WITH GRANT OPTION' if by_another else 'bb'}")
    if by_another:
        with log_in(postgres_server, "cc", f"{OLD}cc", "aa") as session:
            session.execute("GRANT CONNECT ON DATABASE aa TO bb")
    assert done(claim(postgres_server, entry("bb", state="absent", confirm="bb"))) == ["drop_database", "drop_role"]
    assert postgres_server.query("SELECT 1 FROM pg_roles WHERE rolname = 'bb'") == []


def test_rights_inside_another_database_are_named_before_anything_goes(postgres_server: PostgresServer) -> None:
    done(claim(postgres_server, entry("aa"), entry("bb")))
    with log_in(postgres_server, "aa", f"{OLD}aa", "aa") as session:
        session.execute("GRANT CREATE ON SCHEMA public TO bb")
    before = postgres_server.snapshot()
    leaving = entry("bb", state="absent", confirm="bb")
    refused = claim(postgres_server, leaving)
    assert refused["problems"][0]["option"] == "state"
    assert "in the database 'aa'" in refused["msg"]
    assert 'DROP OWNED BY "bb"' in refused["msg"]
    assert postgres_server.snapshot() == before
    postgres_server.query('DROP OWNED BY "bb"', database="aa")
    assert done(claim(postgres_server, leaving)) == ["drop_database", "drop_role"]
    with log_in(postgres_server, "aa", f"{OLD}aa", "aa") as session:
        session.execute("CREATE TABLE mine (x int)")


def test_two_that_go_at_once_may_have_rights_on_each_other(postgres_server: PostgresServer) -> None:
    done(claim(postgres_server, entry("aa"), entry("bb")))
    for name, other in (("aa", "bb"), ("bb", "aa")):
        with log_in(postgres_server, name, f"{OLD}{name}", name) as session:
            session.execute(f"GRANT CREATE ON SCHEMA public TO {other}; GRANT CONNECT ON DATABASE {name} TO {other}")
    leaving = [entry(name, state="absent", confirm=name) for name in ("aa", "bb")]
    assert done(claim(postgres_server, *leaving)) == ["drop_database", "drop_role"] * 2
    assert postgres_server.query("SELECT rolname FROM pg_roles WHERE rolname IN ('aa', 'bb')") == []


@pytest.mark.parametrize("setting", ["role = 'none'", "search_path = elsewhere"])
@pytest.mark.parametrize(("role", "action"), [("aa", "change_role"), ("aa.b", "change_login")])
def test_what_a_login_sets_for_its_database_is_reset(
    postgres_server: PostgresServer, setting: str, role: str, action: str
) -> None:
    rotated(postgres_server)
    with log_in(postgres_server, role, f"{NEW if role == 'aa.b' else OLD}aa", "aa") as session:
        session.execute("SET ROLE NONE")
        session.execute(f'ALTER ROLE "{role}" IN DATABASE aa SET {setting}')
    wanted = entry("aa", NEW, logins_in_use=["aa", "aa.b"])
    result = claim(postgres_server, wanted)
    assert done(result) == [action]
    assert result["actions"][0]["what"] == ["settings"]
    assert done(claim(postgres_server, wanted)) == []
    with log_in(postgres_server, "aa.b", f"{NEW}aa", "aa") as session:
        assert session.execute("SELECT current_user, current_setting('search_path')").fetchone() == (
            "aa",
            '"$user", public',
        )


def test_a_deployment_that_made_its_database_a_template(postgres_server: PostgresServer) -> None:
    done(claim(postgres_server, entry("aa"), entry("bb")))
    for name in ("aa", "bb"):
        with log_in(postgres_server, name, f"{OLD}{name}", name) as session:
            session.execute(f"ALTER DATABASE {name} IS_TEMPLATE true")
    result = claim(postgres_server, entry("bb"))
    assert done(result) == ["change_database"]
    assert result["actions"][0]["what"] == ["template"]
    assert done(claim(postgres_server, entry("bb"))) == []
    assert done(claim(postgres_server, entry("aa", state="absent", confirm="aa"))) == ["drop_database", "drop_role"]


def test_an_administrator_who_is_no_superuser_is_not_held_up(postgres_server: PostgresServer) -> None:
    postgres_server.query("CREATE ROLE manager LOGIN PASSWORD 'manager-password' CREATEROLE CREATEDB")
    options = {
        **postgres_server.login(),
        "login_user": "manager",
        "login_password": "manager-password",
        "login_db": "postgres",
    }

    def managed(*wanted: dict[str, t.Any]) -> list[str]:
        return done(run_module("postgres_database", {**options, "databases": list(wanted)}))

    managed(entry("aa"), entry("bb"))
    assert managed(entry("aa", NEW, logins_in_use=["aa"])) == ["create_login"]
    leaked = log_in(postgres_server, "aa", f"{OLD}aa", "aa")
    leaked.execute("GRANT CONNECT ON DATABASE aa TO bb")
    leaked.execute("ALTER DATABASE aa IS_TEMPLATE true")
    intruder = log_in(postgres_server, "bb", f"{OLD}bb", "aa")
    held = log_in(postgres_server, "aa.b", f"{NEW}aa", "aa", autocommit=False)
    held.execute(OPEN_PASSWORD)
    assert managed(entry("aa", NEW, **RETIRE)) == ["change_database", "retire_login"]
    for session in (leaked, intruder, held):
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")
    assert managed(entry("aa", NEW, **RETIRE), entry("bb")) == []
    with log_in(postgres_server, "aa.b", f"{NEW}aa", "aa") as session:
        session.execute("GRANT CONNECT ON DATABASE aa TO bb")
    assert managed(entry("bb", state="absent", confirm="bb")) == ["drop_database", "drop_role"]


def test_what_is_given_away_at_the_last_moment_is_taken_back(postgres_server: PostgresServer) -> None:
    """Between the plan and the end of the retired session: here it grants while the run waits for it."""
    rotated(postgres_server)
    leaked = log_in(postgres_server, "aa", f"{OLD}aa", "aa", autocommit=False)
    leaked.execute("GRANT CONNECT ON DATABASE aa TO bb")
    holder = log_in(postgres_server, "aa.b", f"{NEW}aa", "aa", autocommit=False)
    holder.execute("ALTER ROLE aa PASSWORD NULL")
    wanted = entry("aa", NEW, connection_limit=9, **RETIRE)
    run = ModuleRun("postgres_database", {**postgres_server.login(), "databases": [wanted]})
    time.sleep(2)
    leaked.commit()
    assert done(run.result()) == ["change_role", "change_login", "retire_login"]
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        log_in(postgres_server, "bb", f"{OLD}bb", "aa")
    assert done(claim(postgres_server, wanted)) == []
