# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a deployment cannot do with its own credentials, and what its server must be able to do."""

from __future__ import annotations

import typing as t

import psycopg
import pytest
import redis
from servers import PostgresServer, RedisServer, run_module

CLAIMS = "selfhost.langgraph:claims"
PASSWORDS = {"mallory": "m-password", "victim": "v-password"}
# What the open runtime (langgraph-runtime-pg) uses, with fixed keys and channels.
OPEN_RUNTIME = {
    "key_patterns": ["lg:*"],
    "channel_patterns": ["lg:*", "lg:run-fanout:*", "lg:thread-fanout:*", "langgraph:run_queue"],
}


@pytest.fixture(scope="module")
def both(_redis: RedisServer) -> RedisServer:
    """Return a Redis on which mallory has database 1, and the victim database 2 with a key."""
    _redis.clean()
    databases = [{"name": name, "password": password} for name, password in PASSWORDS.items()]
    databases.append({"name": "fixed", "password": "f-password", **OPEN_RUNTIME})
    result = run_module("redis_database", {**_redis.login(), "databases": databases})
    assert [item["redis_db"] for item in result["databases"].values()] == [1, 2, 3]
    _redis.admin(2).set("victim:secret", "x")
    _redis.admin().execute_command("FUNCTION", "LOAD", "#!lua name=l\nredis.register_function('f', function() end)")
    return _redis


REDIS_TRESPASSES = {
    "select another": "SELECT 2",
    "select the claims": "SELECT 0",
    "select in a script": ["EVAL", "return redis.call('SELECT', 2)", "0"],
    "read foreign key": "GET victim:secret",
    "write foreign key": "SET victim:secret y",
    "foreign key in a script": ["EVAL", "return redis.call('GET', 'victim:secret')", "1", "mallory:a"],
    "undeclared key in a script": ["EVAL", "return redis.call('GET', 'victim:secret')", "0"],
    "sort by foreign keys": "SORT mallory:list BY victim:* GET victim:*",
    "move": "MOVE mallory:a 2",
    "copy": "COPY mallory:a mallory:b DB 2",
    "swapdb": "SWAPDB 1 2",
    "flushall": "FLUSHALL",
    "flushdb": "FLUSHDB",
    "keys": "KEYS *",
    "config get": "CONFIG GET requirepass",
    "config set": "CONFIG SET appendonly no",
    "acl list": "ACL LIST",
    "acl setuser": "ACL SETUSER mallory allkeys",
    "acl save": "ACL SAVE",
    "script flush": "SCRIPT FLUSH",
    "script kill": "SCRIPT KILL",
    "function flush": "FUNCTION FLUSH",
    "function load": ["FUNCTION", "LOAD", "REPLACE", "#!lua name=l\nredis.register_function('f', function() end)"],
    "monitor": "MONITOR",
    "client list": "CLIENT LIST",
    "client kill": "CLIENT KILL USER victim",
    "client pause": "CLIENT PAUSE 1000",
    "client tracking": "CLIENT TRACKING ON BCAST",
    "tracking by prefix": "CLIENT TRACKING ON BCAST PREFIX victim:",
    "tracking for another": "CLIENT TRACKING ON REDIRECT 1",
    "another user": "AUTH default x",
    "channels of others": "PUBSUB CHANNELS",
    "who subscribes": "PUBSUB NUMSUB victim:c",
    "how many patterns": "PUBSUB NUMPAT",
    "publish to others": "PUBLISH victim:c x",
    "publish in a script": ["EVAL", "return redis.call('PUBLISH', 'victim:c', 'x')", "0"],
    "subscribe to others": "SUBSCRIBE victim:c",
    "subscribe to one of each": "SUBSCRIBE mallory:c victim:c",
    "subscribe to all": "PSUBSCRIBE *",
    "subscribe to all by classes": "PSUBSCRIBE [m-v]*",
    "subscribe to prefixes of all": "PSUBSCRIBE *:*",
    "pattern of others": "PSUBSCRIBE victim:*",
    "pattern beyond one's own": "PSUBSCRIBE mallory*",
    "fixed channels": "PSUBSCRIBE lg:*",
    "fixed fan-out": "PSUBSCRIBE lg:run-fanout:*",
    "forge a fixed event": "PUBLISH lg:run-fanout:t:r x",
    "wake the queue of others": "PUBLISH langgraph:run_queue wake",
    "shard channel of others": "SPUBLISH victim:c x",
    "hear a shard channel": "SSUBSCRIBE victim:c",
    "keyspace events of all": "PSUBSCRIBE __keyspace@*__:*",
    "keyspace events of others": "SUBSCRIBE __keyspace@2__:victim:secret",
    "keyevents": "PSUBSCRIBE __key*__:*",
    "switch on keyspace events": "CONFIG SET notify-keyspace-events KEA",
    "tracking's own channel": "SUBSCRIBE __redis__:invalidate",
    "the mark of shared channels": "SUBSCRIBE selfhost.langgraph:shared-channels",
    "migrate": "MIGRATE 127.0.0.1 1 mallory:a 0 1",
    "replicate": "REPLICAOF 127.0.0.1 1",
    "shutdown": "SHUTDOWN",
    "debug": "DEBUG SLEEP 0",
    "info": "INFO",
    "memory purge": "MEMORY PURGE",
    "save": "BGSAVE",
    "module": "MODULE LIST",
    "claims as a hash": f"HGETALL {CLAIMS}",
    "claims overwritten": f"HSET {CLAIMS} mallory 2",
    "claims deleted": f"DEL {CLAIMS}",
    "claims renamed": f"RENAME {CLAIMS} mallory:c",
}


@pytest.mark.parametrize("number", [0, 1], ids=["where it starts", "in its number"])
@pytest.mark.parametrize("what", REDIS_TRESPASSES)
def test_redis_trespass(both: RedisServer, what: str, number: int) -> None:
    client = both.client("mallory", PASSWORDS["mallory"], number)
    command = REDIS_TRESPASSES[what]
    words = command.split() if isinstance(command, str) else command
    connection = client.connection_pool.get_connection()
    with pytest.raises((redis.AuthenticationError, redis.ResponseError)) as refusal:
        connection.send_command(*words)
        reply = connection.read_response()
        assert not reply, reply
    connection.disconnect()
    text = str(refusal.value)
    assert any(
        word in text for word in ("permission", "WRONGPASS", "invalid username-password", "ACL", "can't", "not allowed")
    ), text
    assert both.record() == {"mallory": "1", "victim": "2", "fixed": "3"}
    assert both.admin(2).get("victim:secret") == "x"


def test_reset_leads_to_nobody(both: RedisServer) -> None:
    """No rule can forbid RESET, so the default user that it leads to must be off."""
    for words in (["GET", "victim:secret"], ["SELECT", "2"], ["ACL", "LIST"]):
        connection = both.client("mallory", PASSWORDS["mallory"], 1).connection_pool.get_connection()
        connection.send_command("RESET")
        assert connection.read_response() == "RESET"
        connection.send_command(*words)
        with pytest.raises(redis.AuthenticationError):
            connection.read_response()


def test_fixed_keys_do_not_open_other_numbers(both: RedisServer) -> None:
    client = both.client("fixed", "f-password", 3)
    client.set("lg:a", 1)
    for number in (1, 2):
        with pytest.raises(redis.RedisError):
            both.client("fixed", "f-password", number).get("lg:a")


def test_streams_of_two_deployments_stay_apart(both: RedisServer) -> None:
    """Messages of a server with its own prefix are received by that server only."""
    clients = {
        name: both.client(name, password, number) for number, (name, password) in enumerate(PASSWORDS.items(), 1)
    }
    listeners = {}
    for name, client in clients.items():
        listeners[name] = client.pubsub()
        listeners[name].psubscribe(f"{name}:*")
        assert listeners[name].get_message(timeout=2)["type"] == "psubscribe"
    assert clients["victim"].publish("victim:lg:run-fanout:t:r", "a secret") == 1
    assert listeners["victim"].get_message(timeout=2)["data"] == "a secret"
    assert listeners["mallory"].get_message(timeout=0.2) is None
    assert clients["mallory"].publish("mallory:lg:run-fanout:t:r", "forged") == 1
    assert listeners["victim"].get_message(timeout=0.2) is None


def test_what_a_server_needs_works(both: RedisServer) -> None:
    client = both.client("fixed", "f-password", 3)
    assert client.ping()
    assert client.client_setname("server")
    assert client.client_info()["db"] == 3
    client.set("lg:run-heartbeat:1", "x", ex=30)
    assert client.get("lg:run-heartbeat:1") == "x"
    with client.pipeline(transaction=True) as pipe:
        pipe.xadd("lg:run-stream:1", {"e": "1"}, maxlen=100).expire("lg:run-stream:1", 120)
        pipe.rpush("lg:queue", "job").execute()
    assert client.xread({"lg:run-stream:1": "0"})
    assert client.xrange("lg:run-stream:1")
    assert client.blpop(["lg:queue"], timeout=1) == ("lg:queue", "job")
    script = client.register_script("redis.call('SET', KEYS[1], ARGV[1]) return redis.call('GET', KEYS[1])")
    assert script(keys=["lg:lock"], args=["1"]) == "1"
    assert client.evalsha(client.script_load("return 1"), 0) == 1
    assert "lg:lock" in set(client.scan_iter("lg:*"))
    assert client.dbsize() >= 2
    assert client.memory_usage("lg:lock")
    with client.lock("lg:a-lock", timeout=5):
        pass
    listener = client.pubsub()
    listener.psubscribe("lg:run-fanout:*")
    listener.subscribe("langgraph:run_queue")
    for _round in range(2):
        listener.get_message(timeout=2)
    assert client.publish("lg:run-fanout:1", "hello") == 1
    assert client.publish("langgraph:run_queue", "wake") == 1
    assert listener.get_message(timeout=2)["data"] == "hello"
    assert client.delete("lg:lock") == 1


@pytest.fixture(scope="module")
def shared_postgres(_postgres: PostgresServer) -> PostgresServer:
    """Return a Postgres with two deployments and a database of somebody else."""
    _postgres.clean()
    databases = [{"name": name, "password": password} for name, password in PASSWORDS.items()]
    options = {**_postgres.login(), "databases": databases, "revoke_public_connect": ["postgres", "template1"]}
    assert not run_module("postgres_database", options).get("failed")
    with psycopg.connect(_postgres.uri("victim", PASSWORDS["victim"], "victim"), autocommit=True) as connection:
        connection.execute("CREATE TABLE secret (x int)")
    return _postgres


@pytest.mark.parametrize("database", ["victim", "postgres", "template1", "template0"])
def test_postgres_connect(shared_postgres: PostgresServer, database: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="permission denied|not currently accepting"):
        psycopg.connect(shared_postgres.uri("mallory", PASSWORDS["mallory"], database))


POSTGRES_TRESPASSES = [
    "CREATE ROLE another",
    "CREATE DATABASE another",
    "ALTER ROLE mallory SUPERUSER",
    "ALTER ROLE mallory CONNECTION LIMIT -1",
    "ALTER ROLE victim PASSWORD 'x'",
    "SET ROLE victim",
    "SET ROLE postgres",
    "SET SESSION AUTHORIZATION victim",
    "GRANT CONNECT ON DATABASE victim TO mallory",
    "GRANT victim TO mallory",
    "GRANT pg_read_all_data TO mallory",
    "DROP DATABASE victim",
    "DROP ROLE victim",
    "ALTER DATABASE victim OWNER TO mallory",
    "ALTER DATABASE mallory RENAME TO another",
    "COMMENT ON DATABASE victim IS 'x'",
    "COMMENT ON ROLE mallory IS 'x'",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "COPY pg_class TO '/tmp/another'",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT * FROM pg_authid",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'postgres'",
    "CREATE EXTENSION dblink",
    "CREATE FUNCTION f() RETURNS int LANGUAGE c AS 'x'",
    "ALTER SYSTEM SET fsync = off",
    # Traps for an administrator that cannot be planted at all.
    "CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION own_trigger()",
    "CREATE FUNCTION pg_catalog.pg_stat_get_live_tuples(text) RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE VIEW pg_catalog.another AS SELECT 1",
    "CREATE OR REPLACE VIEW pg_catalog.pg_stat_user_tables AS SELECT 1",
    "CREATE SCHEMA pg_another",
    "CREATE CAST (int4 AS text) WITH INOUT AS IMPLICIT",
    "CREATE OPERATOR CLASS o FOR TYPE int4 USING btree AS OPERATOR 1 <",
    "CREATE LANGUAGE another HANDLER plpgsql_call_handler",
    "CREATE FOREIGN DATA WRAPPER another",
    "CREATE PUBLICATION another FOR ALL TABLES",
    "ALTER DEFAULT PRIVILEGES FOR ROLE postgres GRANT ALL ON TABLES TO mallory",
    "ALTER ROLE postgres SET search_path = public",
    "ALTER ROLE ALL SET search_path = public",
    "ALTER ROLE postgres IN DATABASE mallory SET search_path = public",
    "ALTER ROLE victim SET role = 'mallory'",
    "ALTER DATABASE postgres SET search_path = public",
    "ALTER DATABASE victim SET search_path = public",
    "ALTER DATABASE mallory SET session_preload_libraries = 'x'",
    "ALTER DATABASE mallory SET session_replication_role = replica",
    "CREATE SUBSCRIPTION s CONNECTION 'dbname=victim' PUBLICATION p",
    'CREATE ROLE "mallory.b"',
    'CREATE ROLE "selfhost.langgraph:lock"',
    "SELECT pg_reload_conf()",
    "SELECT lo_import('/etc/passwd')",
    "SELECT pg_ls_dir('.')",
]


def test_the_victim_is_there(shared_postgres: PostgresServer) -> None:
    """Otherwise a refusal could be caused by a name that does not exist."""
    assert len(shared_postgres.query("SELECT 1 FROM pg_roles WHERE rolname IN ('mallory', 'victim')")) == 2
    assert len(shared_postgres.query("SELECT 1 FROM pg_database WHERE datname IN ('mallory', 'victim')")) == 2


@pytest.mark.parametrize("statement", POSTGRES_TRESPASSES)
def test_postgres_trespass(shared_postgres: PostgresServer, statement: str) -> None:
    with (
        shared_postgres.admin("postgres"),
        psycopg.connect(shared_postgres.uri("mallory", PASSWORDS["mallory"], "mallory"), autocommit=True) as connection,
    ):
        connection.execute(
            "CREATE OR REPLACE FUNCTION own_trigger() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'"
        )
        # The server reports the error code for missing rights, not one that a misspelt name would cause too.
        with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ReservedName)):
            connection.execute(statement)


def test_what_the_migrations_need_works(shared_postgres: PostgresServer) -> None:
    with psycopg.connect(
        shared_postgres.uri("mallory", PASSWORDS["mallory"], "mallory"), autocommit=True
    ) as connection:
        for statement in (
            "CREATE EXTENSION btree_gin",
            "CREATE EXTENSION ltree",
            "CREATE TABLE thread (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), data jsonb)",
            "CREATE INDEX CONCURRENTLY ON thread USING gin (data)",
            "CREATE SCHEMA own",
            "CREATE FUNCTION own.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "LISTEN wake",
            "SELECT pg_advisory_lock(1)",
        ):
            connection.execute(statement)


def test_the_connection_limit_holds(shared_postgres: PostgresServer) -> None:
    options: dict[str, t.Any] = {"name": "victim", "password": PASSWORDS["victim"], "connection_limit": 2}
    run_module("postgres_database", {**shared_postgres.login(), "databases": [options]})
    uri = shared_postgres.uri("victim", PASSWORDS["victim"], "victim")
    with psycopg.connect(uri), psycopg.connect(uri), pytest.raises(psycopg.OperationalError, match="too many"):
        psycopg.connect(uri)
