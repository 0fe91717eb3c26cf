# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Temporary Redis and Postgres servers on loopback, and modules that run against them as processes.

CLAIMS_ROOTFS names a directory with another Debian, whose servers are started with chroot (as root), so that one machine
can test the versions of several releases. CLAIMS_REDIS names another server program, such as valkey-server.
"""

from __future__ import annotations

import glob
import importlib
import json
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
import typing as t

import psycopg
import redis
from ansible.module_utils.testing import patch_module_args

ROOTFS = os.environ.get("CLAIMS_ROOTFS", "/")
REDIS_PROGRAM = os.environ.get("CLAIMS_REDIS", "redis-server")
ADMIN = "langgraph-admin"
ADMIN_PASSWORD = "admin-password-that-no-output-may-show"
HERE = pathlib.Path(__file__).resolve().parent
COLLECTION = HERE.parents[2]


class MissingProgram(Exception):
    """A server is not installed; the message names what to install."""


def free_port() -> int:
    """Return a free port of the loopback interface."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def collection_path() -> str:
    """Return a directory from which the collection can be imported, created by `make` or here."""
    for known in (COLLECTION / "build" / "collections", *COLLECTION.parents[2:3]):
        if (known / "ansible_collections" / "selfhost" / "langgraph" / "plugins").is_dir():
            return str(known)
    root = pathlib.Path(tempfile.gettempdir()) / f"selfhost-langgraph-claims-{os.getuid()}"
    target = root / "ansible_collections" / "selfhost" / "langgraph"
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        target.symlink_to(COLLECTION)
    return str(root)


class Program:
    """A server process with a directory of its own; `stop` removes both."""

    user = "nobody"

    def __init__(self) -> None:
        self.port = free_port()
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="claims-", dir=os.path.join(ROOTFS, "tmp")))
        self.inside = "/" + os.path.relpath(self.directory, ROOTFS)
        self.process: subprocess.Popen[bytes] | None = None
        if os.getuid() == 0:
            shutil.chown(self.directory, *self._ids())

    def _ids(self) -> tuple[int, int]:
        for line in pathlib.Path(ROOTFS, "etc/passwd").read_text().splitlines():
            fields = line.split(":")
            if fields[0] == self.user:
                return int(fields[2]), int(fields[3])
        raise MissingProgram(f"there is no user '{self.user}' below {ROOTFS}: install its server")

    def command(self, words: t.Sequence[str]) -> tuple[list[str], dict[str, t.Any]]:
        """Return the command and the subprocess arguments that run it as the server's user, in its Debian."""
        if os.getuid() != 0:
            return list(words), {}
        uid, gid = self._ids()
        if ROOTFS != "/":
            return ["chroot", f"--userspec={uid}:{gid}", ROOTFS, *words], {}
        return list(words), {"user": uid, "group": gid, "extra_groups": []}

    def spawn(self, words: t.Sequence[str]) -> None:
        """Start the server; its output is written to a file in its directory."""
        words, more = self.command(words)
        with open(self.directory / "log", "ab") as log:
            self.process = subprocess.Popen(words, stdout=log, stderr=log, cwd="/", **more)

    def wait(self, ready: t.Callable[[], object], errors: tuple[type[Exception], ...], seconds: float = 20) -> None:
        """Wait until the server responds."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                ready()
                return
            except errors as exc:
                if time.monotonic() > deadline or (self.process and self.process.poll() is not None):
                    raise RuntimeError((self.directory / "log").read_text()[-2000:]) from exc
                time.sleep(0.02)

    def halt(self, how: int = signal.SIGTERM) -> None:
        """Stop the process and keep its directory."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(30)

    def stop(self) -> None:
        """Stop the process and remove its directory."""
        self.halt(signal.SIGQUIT if isinstance(self, PostgresServer) else signal.SIGKILL)
        shutil.rmtree(self.directory, ignore_errors=True)


class RedisServer(Program):
    """A Redis or Valkey with an ACL file, as the role redis sets it up."""

    user = "redis" if REDIS_PROGRAM.startswith("redis") else "valkey"

    def __init__(self, databases: int = 64, options: t.Sequence[str] = (), acl_file: bool = True) -> None:
        super().__init__()
        if not shutil.which(REDIS_PROGRAM, path=os.path.join(ROOTFS, "usr/bin")):
            raise MissingProgram(f"{REDIS_PROGRAM} is missing: apt-get install {REDIS_PROGRAM}")
        self.databases, self.options, self.acl_file = databases, options, acl_file
        self.users = self.directory / "users.acl"
        self.write_users()
        self.start()

    def write_users(self) -> None:
        """Write the users of a new server: only the administrator."""
        self.users.write_text(
            f"user default off resetpass ~* &* +@all\nuser {ADMIN} on >{ADMIN_PASSWORD} ~* &* +@all\n"
        )
        if os.getuid() == 0:
            os.chown(self.users, *self._ids())

    def start(self) -> None:
        """Start the server with the data in its directory."""
        inside = ["--aclfile", f"{self.inside}/users.acl"] if self.acl_file else []
        if not self.acl_file:
            rules = ["on", f">{ADMIN_PASSWORD}", "~*", "&*", "+@all"]
            inside = ["--user", ADMIN, *rules, "--user", "default", "off", "~*", "&*", "+@all"]
        words = [REDIS_PROGRAM, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.inside, "--save", ""]
        words += ["--appendonly", "yes", "--databases", str(self.databases), *inside, *self.options]
        self.spawn(words)
        self.wait(lambda: self.admin().ping(), (redis.RedisError,))

    def restart(self, keep_data: bool = True, keep_users: bool = True) -> None:
        """Restart the server, as after a crash; without data it is like a new machine."""
        self.halt(signal.SIGKILL)
        if not keep_data:
            for path in self.directory.glob("appendonly*"):
                shutil.rmtree(path)
        if not keep_users:
            self.write_users()
        self.start()

    def client(self, user: str, password: str, number: int = 0) -> redis.Redis[str]:
        """Connect as a user."""
        return redis.Redis(
            host="127.0.0.1", port=self.port, username=user, password=password, db=number, decode_responses=True
        )

    def admin(self, number: int = 0) -> redis.Redis[str]:
        """Connect as the administrator."""
        return self.client(ADMIN, ADMIN_PASSWORD, number)

    def login(self) -> dict[str, t.Any]:
        """Return the module options that connect to this server."""
        return {"login_port": self.port, "login_user": ADMIN, "login_password": ADMIN_PASSWORD}

    def record(self) -> dict[str, str]:
        """Return the claims, without the fields of the record about the server itself."""
        fields = self.admin().hgetall("selfhost.langgraph:claims")
        return {name: value for name, value in fields.items() if not name.startswith(":")}

    def snapshot(self) -> t.Any:
        """Return everything that a claim could change, for comparison."""
        admin = self.admin()
        return sorted(admin.execute_command("ACL", "LIST")), {key: admin.dump(key) for key in _quiet_keys(admin)}

    def clean(self) -> None:
        """Reset the server to its initial state."""
        admin = self.admin()
        # A client object that waits for Python's garbage collector is still connected to a database that must be released.
        admin.client_kill_filter(skipme=True, _type="normal")
        admin.flushall()
        for user in admin.acl_users():
            if user not in ("default", ADMIN):
                admin.acl_deluser(user)
        if self.acl_file:
            admin.acl_save()


def _quiet_keys(client: redis.Redis[str]) -> list[str]:
    client.connection_pool.connection_kwargs["decode_responses"] = False
    client.connection_pool.disconnect()
    return sorted(t.cast("list[str]", client.keys("*")))


class PostgresServer(Program):
    """A Postgres that requires SCRAM over TCP and peer authentication over its socket."""

    user = "postgres"

    def __init__(self, settings: t.Mapping[str, str] | None = None) -> None:
        super().__init__()
        found = sorted(glob.glob(os.path.join(ROOTFS, "usr/lib/postgresql/*/bin/initdb")))
        if not found:
            raise MissingProgram("the Postgres server is missing: apt-get install postgresql")
        self.binaries = "/" + os.path.relpath(os.path.dirname(found[-1]), ROOTFS)
        (self.directory / "pw").write_text(ADMIN_PASSWORD)
        words = [f"{self.binaries}/initdb", "-D", f"{self.inside}/data", "-U", "postgres", "--pwfile"]
        words += [f"{self.inside}/pw", "--auth-local=peer", "--auth-host=scram-sha-256", "--no-sync", "-E", "UTF8"]
        words, more = self.command([*words, "--locale=C"])
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, cwd="/", **more)
        self.settings = {"fsync": "off", "log_statement": "all", "max_connections": "120", **(settings or {})}
        self.start()

    def start(self) -> None:
        """Start the server with the data in its directory."""
        words = [f"{self.binaries}/postgres", "-D", f"{self.inside}/data", "-p", str(self.port), "-k", self.inside]
        for name, value in self.settings.items():
            words += ["-c", f"{name}={value}"]
        self.spawn(words)
        self.wait(lambda: self.admin().close(), (psycopg.Error,))

    def uri(self, user: str, password: str, database: str) -> str:
        """Return the connection string."""
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def admin(self, database: str = "postgres") -> psycopg.Connection[t.Any]:
        """Connect as the administrator."""
        return psycopg.connect(self.uri("postgres", ADMIN_PASSWORD, database), autocommit=True)

    def login(self) -> dict[str, t.Any]:
        """Return the module options that connect to this server."""
        return {"login_host": "127.0.0.1", "login_port": self.port, "login_password": ADMIN_PASSWORD}

    def query(self, text: str, *values: t.Any, database: str = "postgres") -> list[t.Any]:
        """Run a query as the administrator."""
        with self.admin(database) as connection:
            cursor = connection.execute(text, values or None)
            return cursor.fetchall() if cursor.description else []

    def snapshot(self) -> t.Any:
        """Return everything that a claim could change, for comparison."""
        roles = "SELECT to_json(a), shobj_description(oid, 'pg_authid') FROM pg_authid a ORDER BY oid"
        databases = (
            "SELECT datname, datdba, datallowconn, datacl::text, shobj_description(oid, 'pg_database')"
            " FROM pg_database ORDER BY datname"
        )
        return self.query(roles), self.query(databases)

    def clean(self) -> None:
        """Reset the server to its initial state."""
        with self.admin() as connection:
            for (name,) in connection.execute(
                "SELECT datname FROM pg_database WHERE datname NOT IN ('postgres', 'template0', 'template1')"
            ).fetchall():
                connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
            for (name,) in connection.execute(
                "SELECT rolname FROM pg_roles WHERE rolname NOT LIKE 'pg\\_%' AND rolname <> 'postgres'"
            ).fetchall():
                connection.execute(f'DROP OWNED BY "{name}"')
                connection.execute(f'DROP ROLE "{name}"')
            connection.execute("GRANT CONNECT, TEMPORARY ON DATABASE postgres TO PUBLIC")
            connection.execute("GRANT CONNECT ON DATABASE template1 TO PUBLIC")


def _warning_text(item: t.Any) -> str:
    return item if isinstance(item, str) else json.dumps(item)


class ModuleRun:
    """A module in a process of its own, forked from this one, so that nothing has to be imported again."""

    def __init__(self, module: str, options: t.Mapping[str, t.Any], check: bool = False) -> None:
        path = collection_path()
        if path not in sys.path:
            sys.path.insert(0, path)
        loaded = importlib.import_module(f"ansible_collections.selfhost.langgraph.plugins.modules.{module}")
        arguments = {**options, "_ansible_check_mode": check, "_ansible_diff": True}
        self._output = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
        self.pid = os.fork()
        if not self.pid:
            self._play(loaded, arguments)

    def _play(self, module: t.Any, arguments: dict[str, t.Any]) -> t.NoReturn:
        for stream in (1, 2):
            os.dup2(self._output.fileno(), stream)
        sys.stdout = os.fdopen(1, "w", encoding="utf-8")
        sys.stderr = os.fdopen(2, "w", encoding="utf-8")
        try:
            # As sent by the controller: all options are serialized as JSON.
            with patch_module_args(json.loads(json.dumps(arguments))):
                module.main()
        except SystemExit:
            pass
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0)

    def result(self) -> dict[str, t.Any]:
        """Wait for the end and return the module's result."""
        os.waitpid(self.pid, 0)
        self._output.seek(0)
        text = self._output.read()
        self._output.close()
        try:
            result = json.loads(text)
        except ValueError as exc:
            raise AssertionError(f"no JSON: {text}") from exc
        # Newer ansible-core returns warnings as objects.
        lines = [_warning_text(item) for item in result.get("warnings", [])]
        return {**result, "warnings": lines, "_text": text}


def run_module(module: str, options: t.Mapping[str, t.Any], check: bool = False) -> dict[str, t.Any]:
    """Run a module and return its result."""
    return ModuleRun(module, options, check).result()


def peer_user_can_be_tried() -> bool:
    """Return whether this process can become the server's user."""
    return os.getuid() == 0 and ROOTFS == "/" and pwd.getpwnam("postgres") is not None
