# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""postgres_database and postgres_database_info against a real Postgres."""

from __future__ import annotations

import time
import typing as t
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from servers import PostgresServer, peer_user_can_be_tried, run_module

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.lock import lock

SECRET = "a-password-of-the-deployment"
CLOSED = ["postgres", "template1"]


def entries(*names: str, **more: t.Any) -> list[dict[str, t.Any]]:
    return [{"name": name, "password": f"{SECRET}-{name}", **more} for name in names]


def claim(
    server: PostgresServer, wanted: list[dict[str, t.Any]], check: bool = False, **more: t.Any
) -> dict[str, t.Any]:
    result = run_module("postgres_database", {**server.login(), "databases": wanted, **more}, check)
    assert SECRET not in result["_text"]
    assert "SCRAM-SHA-256$" not in result["_text"]
    return result


def done(result: dict[str, t.Any]) -> list[str]:
    assert not result.get("failed"), result["msg"]
    return [action["action"] for action in result["actions"]]


def refused(result: dict[str, t.Any], option: str, *words: str) -> None:
    assert result.get("failed"), result
    assert result["problems"][0]["option"] == option
    for word in words:
        assert word in result["msg"], result["msg"]


def login(server: PostgresServer, name: str, database: str | None = None) -> psycopg.Connection[t.Any]:
    role = name.replace("-", "_")
    return psycopg.connect(server.uri(role, f"{SECRET}-{name}", database or role), autocommit=True)


def test_quartet(postgres_server: PostgresServer) -> None:
    wanted = [*entries("bot-a", redis_db=1, connection_limit=7), *entries("bot-b", extensions=["btree_gin"])]
    before = postgres_server.snapshot()
    planned = claim(postgres_server, wanted, check=True, revoke_public_connect=CLOSED)
    assert postgres_server.snapshot() == before
    result = claim(postgres_server, wanted, revoke_public_connect=CLOSED)
    assert planned["changed"]
    for part in ("actions", "diff", "databases"):
        assert planned[part] == result[part]
    after = postgres_server.snapshot()
    for check in (True, False):
        again = claim(postgres_server, wanted[::-1], check, revoke_public_connect=CLOSED)
        assert (again["changed"], again["actions"], again["warnings"]) == (False, [], [])
    assert postgres_server.snapshot() == after
    assert result["databases"]["bot-a"]["redis_db"] == 1
    assert postgres_server.query("SELECT extversion FROM pg_extension WHERE extname = 'btree_gin'", database="bot_b")
    role = postgres_server.query(
        "SELECT rolcanlogin, rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls, rolconnlimit"
        " FROM pg_roles WHERE rolname = 'bot_a'"
    )
    assert role == [(True, False, False, False, False, False, 7)]
    with login(postgres_server, "bot-a") as connection:
        connection.execute("CREATE TABLE mine (x int)")
        connection.execute("CREATE EXTENSION ltree")
    for database in ("bot_b", "postgres", "template1"):
        with pytest.raises(psycopg.OperationalError, match="permission denied"):
            login(postgres_server, "bot-a", database)


def test_info(postgres_server: PostgresServer) -> None:
    claim(postgres_server, [*entries("b", redis_db=2, redis_server="one"), *entries("a")])
    result = run_module("postgres_database_info", postgres_server.login())
    nobody = {"redis_address": None, "owner": None}
    assert result["claims"] == [
        {"name": "a", "database": "a", "role": "a", "redis_db": None, "redis_server": None, **nobody},
        {"name": "b", "database": "b", "role": "b", "redis_db": 2, "redis_server": "one", **nobody},
    ]
    assert result["max_connections"] == 120
    assert not result["changed"]


def test_the_log_holds_no_password(postgres_server: PostgresServer) -> None:
    claim(postgres_server, entries("a"))
    log = (postgres_server.directory / "log").read_text()
    assert "CREATE ROLE" in log
    assert SECRET not in log


def test_verifiers_are_those_of_postgres(postgres_server: PostgresServer) -> None:
    """The module recognises a password whose verifier Postgres computed, whatever characters it has."""
    passwords = {
        "ascii": "x y",
        "umlaut": "pässwörd",
        "ligature": "ﬁne",
        "nbsp": "a\u00a0b",
        "rtl": "\u05d0a1",
        "soft": "a\u00adb",
    }
    wanted = [{"name": name, "password": password} for name, password in passwords.items()]
    claim(postgres_server, wanted)
    with postgres_server.admin() as connection:
        for name, password in passwords.items():
            statement = psycopg.sql.SQL("ALTER ROLE {} PASSWORD {}")
            connection.execute(statement.format(psycopg.sql.Identifier(name), psycopg.sql.Literal(password)))
    assert done(claim(postgres_server, wanted)) == []


@pytest.mark.parametrize(
    ("sql", "wanted", "option", "words"),
    [
        ("CREATE ROLE b", entries("b"), "name", ["role 'b'", "did not create"]),
        ("CREATE DATABASE b", entries("b"), "name", ["database 'b'", "did not create"]),
        ("SELECT 1", entries("postgres"), "name", ["administrator"]),
        ("SELECT 1", entries("b", "b"), "name", ["twice"]),
        ("SELECT 1", entries("B"), "name", ["lower-case"]),
        ("SELECT 1", [{"name": "b"}], "password", ["needs a password"]),
        ("SELECT 1", entries("b", extensions=["nothing"]), "extensions", ["'b'", "'nothing'", "package"]),
        ("SELECT 1", entries("b", extensions=['x"y']), "extensions", ["not the name"]),
        ("SELECT 1", entries("a", redis_db=2), "redis_db", ["records Redis database 1, not 2"]),
        ("SELECT 1", entries("b", redis_db=1), "redis_db", ["belongs to 'a'"]),
        ("SELECT 1", entries("b", "c", redis_db=5), "redis_db", ["also assigned to 'b'"]),
    ],
)
def test_refusals_change_nothing(
    postgres_server: PostgresServer, sql: str, wanted: t.Any, option: str, words: list[str]
) -> None:
    claim(postgres_server, entries("a", redis_db=1))
    postgres_server.query(sql)
    before = postgres_server.snapshot()
    for check in (True, False):
        refused(claim(postgres_server, [*entries("innocent"), *wanted], check), option, *words)
        assert postgres_server.snapshot() == before


DRIFT = {
    "ALTER ROLE a CREATEDB": ("change_role", "createdb"),
    "ALTER ROLE a SUPERUSER": ("change_role", "superuser"),
    "ALTER ROLE a CREATEROLE": ("change_role", "createrole"),
    "ALTER ROLE a REPLICATION": ("change_role", "replication"),
    "ALTER ROLE a BYPASSRLS": ("change_role", "bypassrls"),
    "ALTER ROLE a NOLOGIN": ("change_role", "login"),
    "ALTER ROLE a VALID UNTIL '2020-01-01'": ("change_role", "expires"),
    "ALTER ROLE a CONNECTION LIMIT 3": ("change_role", "connection_limit"),
    "ALTER ROLE a PASSWORD NULL": ("change_role", "password"),
    "ALTER DATABASE a OWNER TO postgres": ("change_database", "owner"),
    "GRANT CONNECT ON DATABASE a TO PUBLIC": ("change_database", "public"),
    "ALTER DATABASE a ALLOW_CONNECTIONS false": ("change_database", "allow_connections"),
    "COMMENT ON DATABASE a IS NULL": ("remember", None),
}


@pytest.mark.parametrize("sql", DRIFT)
def test_drift_is_cured(postgres_server: PostgresServer, sql: str) -> None:
    claim(postgres_server, entries("a", "b"))
    postgres_server.query(sql)
    action, what = DRIFT[sql]
    for check in (True, False):
        result = claim(postgres_server, entries("a", "b"), check)
        assert done(result) == [action]
        assert result["actions"][0].get("what", [None]) == [what]
        assert not result["databases"]["b"]["changed"]
    assert done(claim(postgres_server, entries("a", "b"))) == []
    login(postgres_server, "a").close()


def test_a_deployment_cannot_forge_a_claim(postgres_server: PostgresServer) -> None:
    claim(postgres_server, [*entries("a", redis_db=1), *entries("b", redis_db=2)])
    with login(postgres_server, "a") as connection:
        for forged in ('"b", "redis_number": 1', '"a", "redis_number": 2', '"ghost", "redis_number": 9'):
            connection.execute(
                'COMMENT ON DATABASE a IS \'{"selfhost.langgraph": {"deployment": %s}}\'' % forged  # noqa: UP031
            )
            result = run_module("postgres_database_info", postgres_server.login())
            assert {item["name"]: item["redis_db"] for item in result["claims"]} == {"a": 1, "b": 2}
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("COMMENT ON ROLE a IS NULL")
    result = claim(postgres_server, entries("a"))
    assert done(result) == ["remember"]
    assert "altered" in result["actions"][0]["why"]


def test_what_a_crash_leaves_is_finished(postgres_server: PostgresServer) -> None:
    """The states between the steps, created by hand; the torture test reaches them by killing."""
    comment = 'COMMENT ON ROLE a IS \'{"selfhost.langgraph": {"deployment": "a", "redis_number": 4}}\''
    steps = [f"CREATE ROLE a; {comment}", "CREATE DATABASE a OWNER a ALLOW_CONNECTIONS false"]
    for number in (1, 2):
        postgres_server.clean()
        for step in steps[:number]:
            postgres_server.query(step)
        info = run_module("postgres_database_info", postgres_server.login())
        assert [item["redis_db"] for item in info["claims"]] == [4]
        assert done(claim(postgres_server, entries("a", redis_db=4)))
        login(postgres_server, "a").close()
        assert done(claim(postgres_server, entries("a", redis_db=4))) == []


def test_a_database_restored_from_a_dump_keeps_its_claim(postgres_server: PostgresServer) -> None:
    postgres_server.query("CREATE DATABASE a")
    postgres_server.query('COMMENT ON DATABASE a IS \'{"selfhost.langgraph": {"deployment": "a", "redis_number": 4}}\'')
    info = run_module("postgres_database_info", postgres_server.login())
    assert [(item["name"], item["redis_db"], item["role"]) for item in info["claims"]] == [("a", 4, None)]
    refused(claim(postgres_server, entries("a", redis_db=3)), "redis_db", "records Redis database 4")
    claim(postgres_server, entries("a"))
    assert postgres_server.query("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'a'") == [("a",)]


def test_open_databases_and_memberships_are_warned_of(postgres_server: PostgresServer) -> None:
    result = claim(postgres_server, entries("a"))
    assert any("'template1'" in line and "REVOKE CONNECT ON DATABASE" in line for line in result["warnings"])
    postgres_server.query("GRANT pg_execute_server_program TO a")
    result = claim(postgres_server, entries("a"), revoke_public_connect=CLOSED)
    assert len(result["warnings"]) == 1
    assert "pg_execute_server_program" in result["warnings"][0]


def test_other_sessions_do_not_hinder_it(postgres_server: PostgresServer) -> None:
    with postgres_server.admin("template1"):
        assert "create_database" in done(claim(postgres_server, entries("a")))


def test_what_a_killed_run_was_still_doing_ends_first(postgres_server: PostgresServer) -> None:
    """The server notices the end of a client after its statement; the lock, in a session of its own, is free at once."""
    with postgres_server.admin() as killed, ThreadPoolExecutor(1) as pool:
        killed.execute("SET application_name = 'selfhost.langgraph'")
        running = pool.submit(killed.execute, "CREATE TABLE slow AS SELECT 1 FROM pg_sleep(2)")
        time.sleep(0.5)
        began = time.monotonic()
        assert "create_database" in done(claim(postgres_server, entries("a")))
        assert 1 < time.monotonic() - began < 10
        running.result()


def test_the_lock_is_waited_for_with_patience(postgres_server: PostgresServer) -> None:
    with postgres_server.admin() as connection:
        connection.execute("SET application_name = 'selfhost.langgraph'")
        connection.execute('BEGIN; CREATE ROLE "selfhost.langgraph:lock"')
        for database in ("postgres", "template1"):
            result = claim(postgres_server, entries("a"), lock_timeout=1, login_db=database)
            assert "another run has been changing databases of this Postgres for more than the 1 s" in result["msg"]
            assert f"(process {connection.info.backend_pid} of 'postgres' from 127.0.0.1, since 20" in result["msg"]
        assert done(claim(postgres_server, [], lock_timeout=1)) == []
        connection.execute("ROLLBACK")
    assert postgres_server.query("SELECT 1 FROM pg_roles WHERE rolname LIKE '%lock'") == []


def test_a_session_without_a_client_does_not_keep_the_lock(postgres_server: PostgresServer) -> None:
    """A client that lost power sends nothing; with the system's settings the server would notice after two hours."""
    with postgres_server.admin() as connection, lock(connection, 1):
        shown = {
            name: connection.execute(f"SHOW tcp_keepalives_{name}").fetchone() for name in ("idle", "interval", "count")
        }
    assert shown == {"idle": ("15",), "interval": ("5",), "count": ("3",)}


def test_another_aes_key_is_refused_over_all_hosts(postgres_server: PostgresServer) -> None:
    """No running deployment is queried: Postgres records the fingerprint."""
    with_key = entries("a", aes_keys=["fingerprint"])
    assert done(claim(postgres_server, entries("a"))) != []
    assert done(claim(postgres_server, with_key)) == ["remember"]
    assert done(claim(postgres_server, with_key)) == done(claim(postgres_server, entries("a"))) == []
    before = postgres_server.snapshot()
    for other in (["other"], []):
        refused(
            claim(postgres_server, entries("a", aes_keys=other)), "langgraph_aes_key", "it is not the key that", "'a'"
        )
    assert postgres_server.snapshot() == before
    assert done(claim(postgres_server, entries("a", aes_keys=["other"], accept_new_aes_key=True))) == ["remember"]
    assert done(claim(postgres_server, entries("a", aes_keys=["other"]))) == []


def test_a_limit_is_not_lowered_under_a_revision_that_needs_it(postgres_server: PostgresServer) -> None:
    """On both logins; a run that reports no such revision lowers it."""
    claim(postgres_server, entries("a", connection_limit=9))
    limit = "SELECT rolconnlimit FROM pg_roles WHERE rolname = 'a'"
    kept = claim(postgres_server, entries("a", connection_limit=5, lower_connection_limit=False))
    assert (done(kept), postgres_server.query(limit)) == ([], [(9,)])
    higher = claim(postgres_server, entries("a", connection_limit=12, lower_connection_limit=False))
    assert (done(higher), postgres_server.query(limit)) == (["change_role"], [(12,)])
    lower = claim(postgres_server, entries("a", connection_limit=5))
    assert (done(lower), postgres_server.query(limit)) == (["change_role"], [(5,)])


def test_peer_login_without_any_password(postgres_server: PostgresServer) -> None:
    if not peer_user_can_be_tried():
        pytest.skip("needs root and a server of this machine")
    options = {"login_unix_socket": str(postgres_server.directory), "login_port": postgres_server.port}
    wanted = {**options, "peer_user": "postgres", "databases": entries("a", extensions=["ltree"])}
    assert not run_module("postgres_database", wanted).get("failed")
    result = run_module("postgres_database", {**wanted, "peer_user": "nobody-of-that-name"})
    assert "does not exist on this host" in result["msg"]
    result = run_module("postgres_database", {**options, "databases": entries("a")})
    assert "cannot use Postgres" in result["msg"]


def absent(name: str, **more: t.Any) -> list[dict[str, t.Any]]:
    return [{"name": name, "state": "absent", **more}]


def names_left(server: PostgresServer) -> list[tuple[str]]:
    return server.query(
        "SELECT datname::text FROM pg_database WHERE datname IN ('a', 'b')"
        " UNION ALL SELECT rolname::text FROM pg_roles WHERE rolname IN ('a', 'b') ORDER BY 1"
    )


def test_release(postgres_server: PostgresServer) -> None:
    claim(postgres_server, entries("a", "b"))
    with login(postgres_server, "a") as connection:
        connection.execute("CREATE TABLE mine AS SELECT generate_series(1, 1000) AS x")
        connection.execute("ANALYZE mine")
    before = postgres_server.snapshot()
    kept = claim(postgres_server, absent("a"))
    assert not kept["changed"]
    assert kept["databases"]["a"]["would_lose"]["rows"] == 1000
    assert kept["databases"]["a"]["would_lose"]["bytes"] > 1_000_000
    assert any("confirm: a" in line for line in kept["warnings"])
    refused(claim(postgres_server, absent("a", confirm="b")), "confirm", "not the deployment's name")
    planned = claim(postgres_server, absent("a", confirm="a"), check=True)
    assert postgres_server.snapshot() == before
    gone = claim(postgres_server, [*absent("a", confirm="a"), *entries("b")])
    assert [action["action"] for action in planned["actions"]] == done(gone) == ["drop_database", "drop_role"]
    assert names_left(postgres_server) == [("b",), ("b",)]
    assert done(claim(postgres_server, absent("a", confirm="a"))) == []


def test_release_waits_for_clients_to_go(postgres_server: PostgresServer) -> None:
    claim(postgres_server, entries("a"))
    before = postgres_server.snapshot()
    with login(postgres_server, "a"):
        refused(claim(postgres_server, absent("a", confirm="a")), "state", "1 clients are connected")
    assert postgres_server.snapshot() == before


def test_release_lets_a_query_end(postgres_server: PostgresServer) -> None:
    claim(postgres_server, entries("a"))
    connection = login(postgres_server, "a")
    connection.pgconn.send_query(b"SELECT pg_sleep(2)")
    connection.close()
    assert claim(postgres_server, absent("a", confirm="a"))["changed"]
    assert names_left(postgres_server) == []


def test_release_counts_no_process_of_the_server(postgres_server: PostgresServer) -> None:
    claim(postgres_server, entries("a"))
    # A table that autovacuum starts to process at once and never finishes.
    slow = "autovacuum_vacuum_threshold = 1, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_limit = 1"
    with login(postgres_server, "a") as connection:
        connection.execute(
            f"CREATE TABLE mine WITH ({slow}, autovacuum_vacuum_cost_delay = 100)"
            " AS SELECT x, repeat('x', 500) FROM generate_series(1, 20000) AS x"
        )
        connection.execute("DELETE FROM mine")
    postgres_server.query("ALTER SYSTEM SET autovacuum_naptime = 1")
    postgres_server.query("SELECT pg_reload_conf()")
    try:
        wait_for_autovacuum(postgres_server, "a")
        kept = claim(postgres_server, absent("a"))
        assert kept["databases"]["a"]["clients"] == 0
        assert claim(postgres_server, absent("a", confirm="a"))["changed"]
    finally:
        postgres_server.query("ALTER SYSTEM RESET autovacuum_naptime")
        postgres_server.query("SELECT pg_reload_conf()")
    assert names_left(postgres_server) == []


def wait_for_autovacuum(server: PostgresServer, database: str) -> None:
    working = "SELECT 1 FROM pg_stat_activity WHERE backend_type = 'autovacuum worker' AND datname = %s"
    deadline = time.monotonic() + 60
    while not server.query(working, database):
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_release_refuses_what_is_not_ours(postgres_server: PostgresServer) -> None:
    postgres_server.query("CREATE ROLE a")
    postgres_server.query("CREATE DATABASE b")
    for name in ("a", "b"):
        refused(claim(postgres_server, absent(name, confirm=name)), "name", "did not create")


def test_release_finishes_what_a_crash_left(postgres_server: PostgresServer) -> None:
    for left in ("ALTER ROLE a NOLOGIN", "ALTER DATABASE a ALLOW_CONNECTIONS false", "DROP DATABASE a"):
        postgres_server.clean()
        claim(postgres_server, entries("a"))
        postgres_server.query(left)
        assert claim(postgres_server, absent("a", confirm="a"))["changed"]
        assert names_left(postgres_server) == []


OURS, BEFORE, THEIRS = "o" * 22, "b" * 22, "t" * 22


def owner_of(server: PostgresServer) -> list[str | None]:
    return [item["owner"] for item in run_module("postgres_database_info", server.login())["claims"]]


def test_an_owner_is_remembered_and_an_earlier_claim_adopted(postgres_server: PostgresServer) -> None:
    claim(postgres_server, entries("a", redis_db=1))
    assert owner_of(postgres_server) == [None]
    adopted = claim(postgres_server, entries("a", redis_db=1), owner=OURS)
    assert done(adopted) == ["remember"]
    assert owner_of(postgres_server) == [OURS]
    assert done(claim(postgres_server, entries("a"), owner=OURS)) == []


@pytest.mark.parametrize("more", [{"owner": OURS}, {}, {"owner": OURS, "previous_owners": [BEFORE]}])
def test_what_belongs_to_another_inventory_is_refused(postgres_server: PostgresServer, more: dict[str, t.Any]) -> None:
    claim(postgres_server, entries("a", redis_db=1), owner=THEIRS)
    before = postgres_server.snapshot()
    for wanted in ([{**entries("a")[0], "password": "theirs"}], absent("a"), absent("a", confirm="a")):
        for check in (True, False):
            result = claim(postgres_server, [*entries("innocent"), *wanted], check, **more)
            refused(result, "name", "Postgres database 'a' belongs to another inventory", THEIRS)
    assert postgres_server.snapshot() == before


@pytest.mark.parametrize("more", [{"previous_owners": [BEFORE, THEIRS]}, {"take_over": True}])
def test_who_proves_the_owner_of_before_gets_it(postgres_server: PostgresServer, more: dict[str, t.Any]) -> None:
    claim(postgres_server, entries("a", redis_db=1), owner=THEIRS)
    assert done(claim(postgres_server, entries("a"), owner=OURS, **more)) == ["remember"]
    assert owner_of(postgres_server) == [OURS]
    assert done(claim(postgres_server, absent("a", confirm="a"), owner=OURS)) == ["drop_database", "drop_role"]


def test_taking_over_without_an_owner_keeps_the_one_there(postgres_server: PostgresServer) -> None:
    claim(postgres_server, entries("a"), owner=THEIRS)
    assert done(claim(postgres_server, entries("a"), take_over=True)) == []
    assert owner_of(postgres_server) == [THEIRS]


def test_another_redis_has_other_numbers(postgres_server: PostgresServer) -> None:
    first = {"redis_server": "uuid-1", "redis_address": "172.29.0.1:6379"}
    claim(postgres_server, entries("a", redis_db=7, **first) + entries("b", redis_db=1, **first))
    moved = claim(postgres_server, entries("a", redis_db=1, redis_server="uuid-2", redis_address="other:6379"))
    assert done(moved) == ["remember"]
    info = run_module("postgres_database_info", postgres_server.login())["claims"]
    assert [(item["redis_db"], item["redis_server"], item["redis_address"]) for item in info] == [
        (1, "uuid-2", "other:6379"),
        (1, "uuid-1", "172.29.0.1:6379"),
    ]
    refused(claim(postgres_server, entries("c", redis_db=1, redis_server="uuid-1")), "redis_db", "belongs to 'b'")


def new_password(**more: t.Any) -> list[dict[str, t.Any]]:
    return [{"name": "a", "password": f"{SECRET}-new", **more}]


def opens(server: PostgresServer, role: str, password: str) -> bool:
    try:
        psycopg.connect(server.uri(role, f"{SECRET}-{password}", "a")).close()
    except psycopg.OperationalError as exc:
        if "authentication failed" not in str(exc):
            raise
        return False
    return True


def test_two_logins_alternate(postgres_server: PostgresServer) -> None:
    claim(postgres_server, entries("a", connection_limit=5))
    serving = login(postgres_server, "a")
    wanted = new_password(connection_limit=5, logins_in_use=["a"])
    planned = claim(postgres_server, wanted, check=True)
    changed = claim(postgres_server, wanted)
    assert planned["actions"] == changed["actions"]
    assert done(changed) == ["create_login"]
    item = changed["databases"]["a"]
    assert (item["login"], item["retired"], item["retiring"]) == ("a.b", [], ["a"])
    assert serving.execute("SELECT 1").fetchone() == (1,)
    assert opens(postgres_server, "a", "a"), "a pool that grows still opens connections with the password of before"
    with psycopg.connect(postgres_server.uri("a.b", f"{SECRET}-new", "a"), autocommit=True) as connection:
        connection.execute("CREATE TABLE mine (x int); CREATE EXTENSION ltree")
        owners = "SELECT tableowner FROM pg_tables WHERE tablename = 'mine'"
        assert connection.execute(owners).fetchone() == ("a",)
    limits = "SELECT rolname, rolconnlimit FROM pg_roles WHERE rolname LIKE 'a%' ORDER BY 1"
    assert postgres_server.query(limits) == [("a", 5), ("a.b", 5)]
    # Both are in use while the previous revision drains: nothing is closed.
    both = new_password(connection_limit=5, logins_in_use=["a", "a.b"], retire=True)
    assert done(claim(postgres_server, both)) == []
    retiring = new_password(connection_limit=5, logins_in_use=["a.b"], retire=True)
    retired = claim(postgres_server, retiring)
    assert done(retired) == ["retire_login"]
    assert (retired["databases"]["a"]["retired"], retired["databases"]["a"]["retiring"]) == (["a"], [])
    with pytest.raises(psycopg.OperationalError):
        serving.execute("SELECT 1")
    assert not opens(postgres_server, "a", "a")
    assert done(claim(postgres_server, retiring)) == []
    # The owner stays closed: the third login gets the next password, and then the second one again.
    for previous, following, password in (("a.b", "a.c", "third"), ("a.c", "a.b", "fourth")):
        wanted = [{"name": "a", "password": f"{SECRET}-{password}", "connection_limit": 5, "retire": True}]
        wanted[0]["logins_in_use"] = [previous]
        again = claim(postgres_server, wanted)
        assert (again["databases"]["a"]["login"], again["databases"]["a"]["retiring"]) == (following, [previous])
        wanted[0]["logins_in_use"] = [following]
        assert claim(postgres_server, wanted)["databases"]["a"]["retired"] == [previous]
        assert opens(postgres_server, following, password)
    open_roles = "SELECT rolname FROM pg_authid WHERE rolname LIKE 'a%' AND rolcanlogin AND rolpassword IS NOT NULL"
    assert postgres_server.query(open_roles) == [("a.b",)]


def test_a_leaked_session_cannot_prevent_the_next_rotation(postgres_server: PostgresServer) -> None:
    """A session may change the password of the role that it acts as, at any moment of a rotation."""
    claim(postgres_server, entries("a"))
    claim(postgres_server, new_password())
    claim(postgres_server, new_password(logins_in_use=["a.b"], retire=True))
    third = {"name": "a", "password": f"{SECRET}-third", "logins_in_use": ["a.b"]}
    with psycopg.connect(postgres_server.uri("a.b", f"{SECRET}-new", "a"), autocommit=True) as leaked:

        def attack() -> None:
            leaked.execute(f"ALTER ROLE a PASSWORD '{SECRET}-planted'")
            for statement in ("ALTER ROLE \"a.c\" PASSWORD 'x'", "ALTER ROLE a LOGIN", 'SET ROLE "a.c"'):
                with pytest.raises(
                    (psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedObject, psycopg.Error)
                ):
                    leaked.execute(statement)

        attack()
        assert claim(postgres_server, [third])["databases"]["a"]["login"] == "a.c"
        attack()
        assert opens(postgres_server, "a.c", "third")
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(postgres_server.uri("a", f"{SECRET}-planted", "a"))
        retired = claim(postgres_server, [{**third, "logins_in_use": ["a.c"], "retire": True}])
        assert retired["databases"]["a"]["retired"] == ["a.b"]
        with pytest.raises(psycopg.OperationalError):
            leaked.execute("SELECT 1")
    assert opens(postgres_server, "a.c", "third")


@pytest.mark.parametrize("in_use", [None, ["a.b", "a.c"]], ids=["unknown", "known"])
def test_a_fourth_password_waits_for_a_free_login(postgres_server: PostgresServer, in_use: list[str] | None) -> None:
    claim(postgres_server, entries("a"))
    claim(postgres_server, new_password())
    claim(postgres_server, [{"name": "a", "password": f"{SECRET}-third"}])
    before = postgres_server.snapshot()
    fourth = [{"name": "a", "password": "fourth", "logins_in_use": in_use}]
    refused(
        claim(postgres_server, fourth),
        "password",
        "neither of its logins 'a.b' and 'a.c'",
        "the wanted password",
        "not all hosts" if in_use is None else "both are in use",
    )
    assert postgres_server.snapshot() == before


def test_an_unknown_change_of_the_password_leaves_it(postgres_server: PostgresServer) -> None:
    """Somebody changed it by hand: a running revision may use that password, so the other login gets the wanted one."""
    for statement in ("ALTER ROLE a PASSWORD 'x'", "SET password_encryption = md5; ALTER ROLE a PASSWORD 'x'"):
        postgres_server.clean()
        claim(postgres_server, entries("a"))
        postgres_server.query(statement)
        assert done(claim(postgres_server, entries("a"))) == ["create_login"]
        assert done(claim(postgres_server, entries("a", logins_in_use=[], retire=True))) == ["retire_login"]


SECOND_DRIFT = {
    'ALTER ROLE "a.b" CREATEDB': ("change_login", ["createdb"]),
    'ALTER ROLE "a.b" NOLOGIN': ("change_login", ["login"]),
    'ALTER ROLE "a.b" CONNECTION LIMIT 3': ("change_login", ["connection_limit"]),
    'ALTER ROLE "a.b" RESET role': ("change_login", ["acting"]),
    'REVOKE a FROM "a.b"': ("change_login", ["membership"]),
    'DROP ROLE "a.b"': ("create_login", None),
}


@pytest.mark.parametrize("sql", SECOND_DRIFT)
def test_drift_of_the_second_login_is_cured(postgres_server: PostgresServer, sql: str) -> None:
    claim(postgres_server, entries("a"))
    claim(postgres_server, new_password())
    postgres_server.query(sql)
    cured = claim(postgres_server, new_password())
    assert [(action["action"], action.get("what")) for action in cured["actions"]] == [SECOND_DRIFT[sql]]
    assert done(claim(postgres_server, new_password())) == []
    with psycopg.connect(postgres_server.uri("a.b", f"{SECRET}-new", "a")) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("a",)


@pytest.mark.parametrize("name", ["a.b", "a.c"])
def test_a_stranger_with_the_name_of_a_login_is_refused(postgres_server: PostgresServer, name: str) -> None:
    claim(postgres_server, entries("a"))
    postgres_server.query(f'CREATE ROLE "{name}" LOGIN')
    refused(claim(postgres_server, new_password()), "name", f"role '{name}'", "did not create")


def test_sessions_that_a_killed_retirement_left_are_ended(postgres_server: PostgresServer) -> None:
    claim(postgres_server, entries("a"))
    claim(postgres_server, new_password())
    left = login(postgres_server, "a")
    postgres_server.query("ALTER ROLE a NOLOGIN PASSWORD NULL")
    assert done(claim(postgres_server, new_password(logins_in_use=["a.b"], retire=True))) == ["retire_login"]
    with pytest.raises(psycopg.OperationalError):
        left.execute("SELECT 1")


def test_release_counts_and_drops_all_logins(postgres_server: PostgresServer) -> None:
    claim(postgres_server, entries("a"))
    claim(postgres_server, [{"name": "a", "password": f"{SECRET}-third"}])
    claim(postgres_server, new_password(logins_in_use=["a", "a.b"]))
    with psycopg.connect(postgres_server.uri("a.c", f"{SECRET}-new", "a")):
        assert claim(postgres_server, absent("a"))["databases"]["a"]["clients"] == 1
        refused(claim(postgres_server, absent("a", confirm="a")), "state", "1 clients are connected")
        assert opens(postgres_server, "a", "a")
    assert done(claim(postgres_server, absent("a", confirm="a"))) == [
        "drop_database",
        "drop_login",
        "drop_login",
        "drop_role",
    ]
    assert postgres_server.query("SELECT rolname FROM pg_roles WHERE rolname LIKE 'a%'") == []


def test_a_name_of_63_letters_has_two_logins(postgres_server: PostgresServer) -> None:
    name = "n" * 63
    wanted = {"name": name, "password": f"{SECRET}-1"}
    claim(postgres_server, [wanted])
    changed = claim(postgres_server, [{**wanted, "password": f"{SECRET}-2"}])
    second = changed["databases"][name]["login"]
    assert (len(second), second[:48]) == (63, "n" * 48)
    psycopg.connect(postgres_server.uri(second, f"{SECRET}-2", name)).close()


def test_extensions_are_used_by_their_bare_names(postgres_server: PostgresServer) -> None:
    """Extensions that a superuser created, and those that the migrations create; from both logins."""
    claim(postgres_server, entries("a", extensions=["ltree", "btree_gin", "cube", "bloom"]))
    made = "SELECT nspname, extname FROM pg_extension e JOIN pg_namespace n ON n.oid = extnamespace ORDER BY 2"
    ours = [("langgraph_extensions", name) for name in ("bloom", "btree_gin", "cube", "ltree")]
    assert postgres_server.query(made, database="a") == [*ours, ("pg_catalog", "plpgsql")]
    claim(postgres_server, new_password())
    second = postgres_server.uri("a.b", f"{SECRET}-new", "a")
    for number, connection in enumerate((login(postgres_server, "a"), psycopg.connect(second, autocommit=True))):
        for statement in (
            "CREATE EXTENSION IF NOT EXISTS ltree",
            "CREATE EXTENSION IF NOT EXISTS hstore",
            f"CREATE TABLE t{number} (path ltree, point cube, n int, pairs hstore)",
            f"CREATE INDEX ON t{number} USING gist (path)",
            f"CREATE INDEX ON t{number} USING gin (n)",
            f"CREATE INDEX ON t{number} USING bloom (n)",
            f"INSERT INTO t{number} VALUES ('a.b', '(1,2)', 1, 'a=>1')",
        ):
            connection.execute(statement)
        query = f"SELECT path <@ 'a', point <-> '(1,3)'::cube FROM t{number}"
        assert connection.execute(query).fetchone() == (True, 1.0)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE FUNCTION langgraph_extensions.f() RETURNS int LANGUAGE sql AS 'SELECT 1'")
        connection.close()
    # Existing extensions stay in their schema, such as those that an earlier version created in public.
    assert done(claim(postgres_server, new_password(extensions=["hstore"]))) == ["create_extension", "remember"]
    assert ("public", "hstore") in postgres_server.query(made, database="a")


def test_vector(postgres_server: PostgresServer) -> None:
    if not postgres_server.query("SELECT 1 FROM pg_available_extensions WHERE name = 'vector'"):
        pytest.skip("the server has no pgvector")
    claim(postgres_server, entries("a", extensions=["vector"]))
    with login(postgres_server, "a") as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector; CREATE TABLE t (v vector(2))")
        connection.execute("CREATE INDEX ON t USING hnsw (v vector_l2_ops)")
        connection.execute("INSERT INTO t VALUES ('[1,2]')")
        assert connection.execute("SELECT v <-> '[1,3]' FROM t").fetchone() == (1.0,)


def test_a_search_path_that_somebody_chose_stays(postgres_server: PostgresServer) -> None:
    claim(postgres_server, entries("a"))
    postgres_server.query("ALTER DATABASE a SET search_path = mine, public")
    assert not claim(postgres_server, entries("a", extensions=["ltree"])).get("failed")
    assert postgres_server.query("SHOW search_path", database="a") == [("mine, public",)]


def test_the_claim_of_a_stopped_deployment_follows_the_owner(postgres_server: PostgresServer) -> None:
    """Otherwise a changed secret key would lock its inventory out of it. Its logins and its database stay as they are."""
    claim(postgres_server, entries("a"), owner="old")
    stopped = [{"name": "a", "manage_login": False, "connection_limit": 7}]
    for check in (True, False):
        done = claim(postgres_server, stopped, check, owner="new", previous_owners=["old"])
        assert [action["action"] for action in done["actions"]] == ["remember"]
    assert not claim(postgres_server, stopped, owner="new")["changed"]
    assert claim(postgres_server, stopped, owner="old").get("failed")
    assert claim(postgres_server, entries("a"), owner="new")["actions"] == []
