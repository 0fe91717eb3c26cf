# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Managed servers: TLS, few rights, a pooler, Redis in cluster mode."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import typing as t

import psycopg
import pytest
import redis
import servers
from servers import ADMIN, ADMIN_PASSWORD, PostgresServer, RedisServer, run_module

PASSWORD = "a-password-of-the-deployment"
MANAGER = {"login_user": "manager", "login_password": "manager-password"}


def entries(*names: str, **more: t.Any) -> list[dict[str, t.Any]]:
    return [{"name": name, "password": f"{PASSWORD}-{name}", **more} for name in names]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Create a CA and a certificate for localhost."""
    directory = tmp_path_factory.mktemp("tls")
    if not shutil.which("openssl"):
        pytest.fail("openssl is missing: apt-get install openssl", pytrace=False)
    for words in (
        "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=authority",
        "req -newkey rsa:2048 -nodes -keyout key.pem -out request.pem -subj /CN=localhost",
        "x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -out cert.pem -days 2 -extfile names",
    ):
        (directory / "names").write_text("subjectAltName=DNS:localhost\n")
        subprocess.run(["openssl", *words.split()], cwd=directory, check=True, capture_output=True)
    return directory


def give(server: servers.Program, directory: pathlib.Path) -> str:
    """Copy the certificate to a directory that the server can read."""
    for name in ("cert.pem", "key.pem", "ca.pem"):
        target = server.directory / name
        shutil.copy(directory / name, target)
        os.chmod(target, 0o600)
        if os.getuid() == 0:
            os.chown(target, *server._ids())
    return server.inside


def test_redis_over_tls(new_redis: t.Callable[..., RedisServer], certificates: pathlib.Path) -> None:
    server = new_redis()
    inside, port = give(server, certificates), servers.free_port()
    for name, value in {
        "tls-cert-file": f"{inside}/cert.pem",
        "tls-key-file": f"{inside}/key.pem",
        "tls-ca-cert-file": f"{inside}/ca.pem",
        "tls-auth-clients": "no",
        "tls-port": str(port),
    }.items():
        server.admin().config_set(name, value)
    uri = {"login_uri": f"rediss://{ADMIN}:{ADMIN_PASSWORD}@localhost:{port}/7", "databases": entries("a")}
    result = run_module("redis_database", {**uri, "login_ca_file": str(certificates / "ca.pem")})
    assert result["databases"]["a"]["redis_db"] == 1
    assert server.admin().exists("selfhost.langgraph:claims"), "the number in the URI is not used"
    result = run_module("redis_database", uri)
    assert "certificate" in result["msg"].lower()
    assert ADMIN_PASSWORD not in result["_text"]
    options = {"login_host": "localhost", "login_port": port, "login_tls": True, "login_user": ADMIN}
    options |= {"login_password": ADMIN_PASSWORD, "login_ca_file": str(certificates / "ca.pem")}
    assert not run_module("redis_database", {**options, "databases": entries("a")})["changed"]


@pytest.fixture(scope="module")
def postgres_with_tls(certificates: pathlib.Path) -> t.Iterator[PostgresServer]:
    server = PostgresServer()
    inside = give(server, certificates)
    for name, value in {"ssl_cert_file": "cert.pem", "ssl_key_file": "key.pem", "ssl": "on"}.items():
        server.query(f"ALTER SYSTEM SET {name} = '{value if value == 'on' else f'{inside}/{value}'}'")
    server.query("SELECT pg_reload_conf()")
    yield server
    server.stop()


def test_postgres_over_tls(postgres_with_tls: PostgresServer, certificates: pathlib.Path) -> None:
    way = f"postgresql://postgres:{ADMIN_PASSWORD}@localhost:{postgres_with_tls.port}/postgres?sslmode=verify-full"
    good = f"{way}&sslrootcert={certificates / 'ca.pem'}"
    options = {"login_uri": good, "databases": entries("a", extensions=["ltree"])}
    assert "create_extension" in [action["action"] for action in run_module("postgres_database", options)["actions"]]
    assert not run_module("postgres_database", options)["changed"]
    bad = run_module("postgres_database", {**options, "login_uri": good.replace("@localhost", "@127.0.0.1")})
    assert 'does not match host name "127.0.0.1"' in bad["msg"]
    assert ADMIN_PASSWORD not in bad["_text"]
    # With a URI the options have the same effect as its parameters, as used by the role langgraph.
    apart = {"login_uri": way, "login_ca_file": str(certificates / "ca.pem"), "databases": options["databases"]}
    again = run_module("postgres_database", apart)
    assert (again.get("msg"), again.get("changed")) == (None, False)
    stranger = {**apart, "login_ca_file": "/etc/ssl/certs/ca-certificates.crt"}
    assert "certificate" in run_module("postgres_database", stranger)["msg"]
    plain = way.partition("?")[0].replace("@localhost", "@127.0.0.1")
    insisted = run_module("postgres_database", {**apart, "login_uri": plain, "login_ssl_mode": "verify-full"})
    assert 'does not match host name "127.0.0.1"' in insisted["msg"]
    options = {**postgres_with_tls.login(), "login_host": "localhost", "login_ssl_mode": "verify-full"}
    options |= {"login_ca_file": str(certificates / "ca.pem"), "databases": entries("a")}
    assert not run_module("postgres_database", options).get("failed")


def managed(server: PostgresServer, wanted: list[dict[str, t.Any]], **more: t.Any) -> dict[str, t.Any]:
    return run_module("postgres_database", {**server.login(), **MANAGER, "databases": wanted, **more})


def make_manager(server: PostgresServer, rights: str) -> None:
    server.query(f"CREATE ROLE manager LOGIN PASSWORD 'manager-password' {rights}")


def test_a_login_that_is_no_superuser(postgres_server: PostgresServer) -> None:
    make_manager(postgres_server, "CREATEROLE CREATEDB")
    result = managed(postgres_server, entries("a", "b", redis_db=None), revoke_public_connect=["postgres"])
    assert not result.get("failed"), result["msg"]
    assert any("REVOKE CONNECT ON DATABASE" in line for line in result["warnings"])
    again = managed(postgres_server, entries("a", "b", redis_db=None), revoke_public_connect=["postgres"])
    assert again["actions"] == []
    with psycopg.connect(postgres_server.uri("a", f"{PASSWORD}-a", "a"), autocommit=True) as connection:
        connection.execute("CREATE TABLE mine (x int)")
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(postgres_server.uri("a", f"{PASSWORD}-a", "b"))
    postgres_server.query("ALTER ROLE a PASSWORD NULL")
    changed = managed(postgres_server, [*entries("a", logins_in_use=[]), *entries("b")])
    assert [action.get("what") for action in changed["actions"]] == [["password"]]
    released = managed(postgres_server, [{"name": "a", "state": "absent", "confirm": "a"}])
    assert [action["action"] for action in released["actions"]] == ["drop_database", "drop_role"]


def test_two_logins_of_an_administrator_who_is_no_superuser(postgres_server: PostgresServer) -> None:
    make_manager(postgres_server, "CREATEROLE CREATEDB")
    managed(postgres_server, entries("a"))
    new = {"name": "a", "password": "new"}
    changed = managed(postgres_server, [new])
    assert [(action["action"], action["role"]) for action in changed["actions"]] == [("create_login", "a.b")]
    assert (changed["databases"]["a"]["login"], changed["databases"]["a"]["retiring"]) == ("a.b", ["a"])
    assert managed(postgres_server, [new])["actions"] == []
    old = psycopg.connect(postgres_server.uri("a", f"{PASSWORD}-a", "a"), autocommit=True)
    with psycopg.connect(postgres_server.uri("a.b", "new", "a"), autocommit=True) as connection:
        connection.execute("CREATE TABLE mine (x int)")
        assert connection.execute("SELECT tableowner FROM pg_tables WHERE tablename = 'mine'").fetchone() == ("a",)
    # The password is not wrong if the role has reached its connection limit, or its comment is in the way.
    postgres_server.query('ALTER ROLE "a.b" CONNECTION LIMIT 0')
    full = managed(postgres_server, [{**new, "connection_limit": 0}])
    assert "password" not in [word for action in full["actions"] for word in action.get("what", [])]
    retired = managed(postgres_server, [{**new, "retire": True, "logins_in_use": ["a.b"]}])
    assert retired["databases"]["a"]["retired"] == ["a"]
    with pytest.raises(psycopg.OperationalError):
        old.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        psycopg.connect(postgres_server.uri("a", f"{PASSWORD}-a", "a"))
    assert managed(postgres_server, [{**new, "retire": True, "logins_in_use": ["a.b"]}])["actions"] == []
    released = managed(postgres_server, [{"name": "a", "state": "absent", "confirm": "a"}])
    assert [action["action"] for action in released["actions"]] == ["drop_database", "drop_login", "drop_role"]


def test_a_refusal_that_is_not_the_passwords_resets_none(postgres_server: PostgresServer) -> None:
    """Refuse the deployment from here, like a pg_hba.conf that accepts it from another host only."""
    make_manager(postgres_server, "CREATEROLE CREATEDB")
    managed(postgres_server, entries("a"))
    before = postgres_server.snapshot()
    rules = postgres_server.directory / "data" / "pg_hba.conf"
    text = rules.read_text()
    try:
        rules.write_text(f"host all a 127.0.0.1/32 reject\n{text}")
        postgres_server.query("SELECT pg_reload_conf()")
        result = managed(postgres_server, entries("a"))
        assert result["actions"] == []
        untried = "could not test the password of the role 'a'"
        assert any(untried in line for line in result["warnings"])
    finally:
        rules.write_text(text)
        postgres_server.query("SELECT pg_reload_conf()")
    assert postgres_server.snapshot() == before


def test_a_full_role_keeps_its_password(postgres_server: PostgresServer) -> None:
    make_manager(postgres_server, "CREATEROLE CREATEDB")
    managed(postgres_server, entries("a", connection_limit=1))
    with psycopg.connect(postgres_server.uri("a", f"{PASSWORD}-a", "a")):
        assert managed(postgres_server, entries("a", connection_limit=1))["actions"] == []


def test_a_replica_is_refused(postgres_server: PostgresServer) -> None:
    data = postgres_server.directory / "data"
    postgres_server.halt()
    (data / "standby.signal").touch()
    os.chown(data / "standby.signal", *postgres_server._ids())
    try:
        postgres_server.start()
        result = run_module("postgres_database", {**postgres_server.login(), "databases": entries("a")})
        assert "this Postgres is a replica" in result["msg"]
        assert "\n" not in result["msg"]
        assert run_module("postgres_database_info", postgres_server.login())["claims"] == []
    finally:
        postgres_server.halt()
        (data / "standby.signal").unlink()
        postgres_server.start()


def test_a_read_only_server_is_refused(postgres_server: PostgresServer) -> None:
    postgres_server.query("ALTER ROLE postgres SET default_transaction_read_only = on")
    try:
        result = run_module("postgres_database", {**postgres_server.login(), "databases": entries("a")})
        assert "this Postgres is read-only for us" in result["msg"]
    finally:
        postgres_server.query("SET TRANSACTION READ WRITE; ALTER ROLE postgres RESET ALL")


def test_databases_of_a_service_are_no_orphans(postgres_server: PostgresServer) -> None:
    make_manager(postgres_server, "CREATEROLE CREATEDB")
    for name in ("rdsadmin", "theirs"):
        postgres_server.query(f"CREATE DATABASE {name}")
    postgres_server.query("CREATE DATABASE wiki OWNER manager")
    options = {**postgres_server.login(), **MANAGER, "sizes": True}
    assert [item["database"] for item in run_module("postgres_database_info", options)["orphans"]] == ["wiki"]
    result = run_module("postgres_database", {**postgres_server.login(), **MANAGER, "databases": entries("a")})
    assert not any("rdsadmin" in line for line in result["warnings"])


def test_rights_that_lack_are_named(postgres_server: PostgresServer) -> None:
    make_manager(postgres_server, "CREATEROLE")
    result = managed(postgres_server, entries("a"))
    assert "lacks CREATEDB" in result["msg"]
    assert 'ALTER ROLE "manager" CREATEDB' in result["msg"]


def test_an_extension_that_only_a_superuser_may_create(postgres_server: PostgresServer) -> None:
    make_manager(postgres_server, "CREATEROLE CREATEDB")
    wanted = entries("a", extensions=["pg_stat_statements"])
    result = managed(postgres_server, wanted)
    assert "ask an administrator to run in the database 'a': CREATE EXTENSION \"pg_stat_statements\"" in result["msg"]
    postgres_server.query('CREATE EXTENSION "pg_stat_statements"', database="a")
    result = managed(postgres_server, wanted)
    assert "pg_stat_statements" in result["databases"]["a"]["extensions"]
    assert managed(postgres_server, wanted)["actions"] == []


class PgBouncer(servers.Program):
    """Start a pooler in front of a Postgres."""

    user = "postgres"

    def __init__(self, behind: PostgresServer, more: str = "") -> None:
        super().__init__()
        if not shutil.which("pgbouncer", path=os.path.join(servers.ROOTFS, "usr/sbin")):
            self.stop()
            raise servers.MissingProgram("pgbouncer is missing: apt-get install pgbouncer")
        (self.directory / "users").write_text(f'"postgres" "{ADMIN_PASSWORD}"\n')
        (self.directory / "ini").write_text(
            f"[databases]\n* = host=127.0.0.1 port={behind.port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
            f"listen_port = {self.port}\nauth_type = scram-sha-256\nauth_file = {self.inside}/users\nunix_socket_dir =\n{more}"
        )
        self.spawn(["/usr/sbin/pgbouncer", f"{self.inside}/ini"])
        way = f"postgresql://postgres:{ADMIN_PASSWORD}@127.0.0.1:{self.port}/postgres"
        self.wait(lambda: psycopg.connect(way).close(), (psycopg.Error,))


@pytest.mark.parametrize("more", ["", "ignore_startup_parameters = options\n"], ids=["refuses", "ignores"])
def test_pgbouncer_in_between_is_refused(postgres_server: PostgresServer, more: str) -> None:
    try:
        pooler = PgBouncer(postgres_server, more)
    except servers.MissingProgram as exc:
        pytest.fail(str(exc), pytrace=False)
    try:
        options = {**postgres_server.login(), "login_port": pooler.port}
        result = run_module("postgres_database", {**options, "databases": entries("a")})
        assert "PgBouncer" in result["msg"]
        assert "address of Postgres itself" in result["msg"]
        assert "PgBouncer" in run_module("postgres_database_info", options)["msg"]
    finally:
        pooler.stop()


@pytest.fixture
def cluster(new_redis: t.Callable[..., RedisServer]) -> list[RedisServer]:
    """Start three masters of a cluster, each with its ACL file."""
    buses = [servers.free_port() for _port in range(3)]
    nodes = [new_redis(options=["--cluster-enabled", "yes", "--cluster-port", str(bus)]) for bus in buses]
    for number, node in enumerate(nodes):
        slots = [number * 5461, 16383 if number == 2 else number * 5461 + 5460]
        node.admin().execute_command("CLUSTER", "ADDSLOTSRANGE", *slots)
        node.admin().execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
    for node, bus in list(zip(nodes, buses))[1:]:
        nodes[0].admin().execute_command("CLUSTER", "MEET", "127.0.0.1", node.port, bus)

    def agree() -> None:
        for node in nodes:
            info = str(node.admin().execute_command("CLUSTER", "INFO"))
            if "cluster_state:ok" not in info or "cluster_known_nodes:3" not in info:
                raise LookupError(info)

    nodes[0].wait(agree, (LookupError,))
    return nodes


def test_redis_in_cluster_mode(cluster: list[RedisServer]) -> None:
    options = {**cluster[0].login(), "databases": entries("a", "b")}
    result = run_module("redis_database", options)
    assert "cluster mode" in result["msg"]
    assert "allow_shared_number" in result["msg"]
    options["allow_shared_number"] = True
    planned = run_module("redis_database", options, check=True)
    result = run_module("redis_database", options)
    assert planned["actions"] == result["actions"]
    assert {item["redis_db"] for item in result["databases"].values()} == {0}
    assert any("REDIS_KEY_PREFIX" in line for line in result["warnings"])
    assert run_module("redis_database", options)["actions"] == []
    for node in cluster:
        assert node.client("a", f"{PASSWORD}-a").acl_whoami() == "a"
        assert "user a on" in node.users.read_text()
    cluster[2].admin().acl_deluser("b")
    assert [item["action"] for item in run_module("redis_database", options)["actions"]] == [
        "create_user",
        "save_users",
    ]
    meeting = run_module("redis_database", {**options, "databases": entries("c", key_patterns=["a:c:*"])})
    assert "overlaps with that of 'a'" in meeting["msg"]
    meeting = run_module("redis_database", {**options, "databases": entries("c", "d", key_patterns=["lg:*"])})
    assert "overlaps with that of" in meeting["msg"]


def test_release_in_cluster_mode(cluster: list[RedisServer]) -> None:
    options = {**cluster[0].login(), "allow_shared_number": True}
    run_module("redis_database", {**options, "databases": entries("a", "b")})
    uri = {"host": "127.0.0.1", "port": cluster[0].port, "username": ADMIN, "password": ADMIN_PASSWORD}
    with redis.RedisCluster(**uri) as client:
        for number in range(20):
            client.set(f"a:{number}", "x")
            client.set(f"b:{number}", "x")
        kept = run_module("redis_database", {**options, "databases": [{"name": "a", "state": "absent"}]})
        assert kept["databases"]["a"]["would_lose"] == {"keys": 20}
        gone = {"name": "a", "state": "absent", "confirm": "a"}
        result = run_module("redis_database", {**options, "databases": [gone]})
        assert [item["action"] for item in result["actions"]] == ["delete_user", "release"]
        assert client.dbsize(target_nodes=redis.RedisCluster.PRIMARIES) == 21  # those of b, and the claims
    for node in cluster:
        assert "a" not in node.admin().acl_users()


def test_one_number_only_is_refused(new_redis: t.Callable[..., RedisServer]) -> None:
    server = new_redis(databases=1)
    result = run_module("redis_database", {**server.login(), "databases": entries("a")})
    assert "one database" in result["msg"]
