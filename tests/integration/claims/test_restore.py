# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""docs/backup.md: a dump is restored as the deployment's own role, with the commands on that page."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import typing as t

import psycopg
import pytest
from servers import COLLECTION, PostgresServer, run_module

PASSWORD = "a-password-of-the-deployment"
BOT = {"name": "support-bot", "password": PASSWORD, "redis_db": 3, "extensions": ["ltree", "bloom"]}
PLANTED = """
CREATE FUNCTION strike() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  RAISE LOG 'PLANTED RAN AS %', session_user;
  BEGIN EXECUTE 'RESET ROLE; ALTER ROLE support_bot SUPERUSER'; EXCEPTION WHEN OTHERS THEN NULL; END;
  RETURN true;
END $$;
CREATE TABLE thread (id int PRIMARY KEY CHECK (strike()), path ltree);
INSERT INTO thread SELECT x, ('a.b' || x)::ltree FROM generate_series(1, 50) AS x;
CREATE INDEX ON thread USING bloom (id);
"""


def documented(program: str) -> list[str]:
    """Return the options of a command on the page, without the connection options."""
    page = (COLLECTION / "docs" / "backup.md").read_text(encoding="utf-8")
    found = re.search(rf"(?:# |-- ){program} (--(?:no|format)\S* .*)", page)
    assert found, f"docs/backup.md has no {program}"
    places = ("--host", "--username", "--dbname", "--file")
    return [word for word in shlex.split(found[1]) if word.startswith("--") and not word.startswith(places)]


def run(server: PostgresServer, program: str, words: t.Sequence[str], **environment: str) -> None:
    command, more = server.command([f"{server.binaries}/{program}", "-p", str(server.port), *words])
    subprocess.run(command, check=True, cwd="/", env={**os.environ, **environment}, **more)


def claim(server: PostgresServer, entry: t.Mapping[str, t.Any], **more: t.Any) -> dict[str, t.Any]:
    result = run_module("postgres_database", {**server.login(), "databases": [entry], **more})
    assert not result.get("failed"), result["msg"]
    return result


def planted_ran_as(server: PostgresServer) -> set[str]:
    log = (server.directory / "log").read_text()
    return {line.split()[-1] for line in log.splitlines() if "PLANTED RAN AS " in line and "%" not in line}


@pytest.fixture
def dump(postgres_server: PostgresServer) -> str:
    """Create a dump of a malicious deployment that knows where it may be restored."""
    claim(postgres_server, BOT, owner="o" * 22)
    with psycopg.connect(postgres_server.uri("support_bot", PASSWORD, "support_bot"), autocommit=True) as connection:
        connection.execute(PLANTED)
    file = f"{postgres_server.inside}/support_bot.dump"
    run(
        postgres_server,
        "pg_dump",
        [*documented("pg_dump"), "-h", postgres_server.inside, f"--file={file}", "support_bot"],
    )
    (postgres_server.directory / "log").write_text("")
    postgres_server.query("DROP DATABASE support_bot")
    return file


def rotate(server: PostgresServer) -> dict[str, t.Any]:
    """Rotate the password; return the entry that claims it: the role itself can no longer log in, its second login can."""
    entry = {**BOT, "password": "the-password-after-it", "logins_in_use": ["support_bot"]}
    claim(server, entry, owner="o" * 22)
    entry |= {"logins_in_use": ["support_bot.b"], "retire": True}
    claim(server, entry, owner="o" * 22)
    assert server.query("SELECT rolcanlogin FROM pg_roles WHERE rolname = 'support_bot'") == [(False,)]
    server.query("DROP DATABASE support_bot")
    return entry


@pytest.mark.parametrize("rotated", [False, True], ids=["first password", "after a rotation"])
def test_a_restore_as_the_role(postgres_server: PostgresServer, dump: str, rotated: bool) -> None:
    entry = rotate(postgres_server) if rotated else {**BOT, "logins_in_use": []}
    made = claim(postgres_server, {"name": "support-bot", "extensions": BOT["extensions"]}, take_over=True)
    assert made["databases"]["support-bot"]["redis_db"] == 3
    # As on the page, the second one for psql's \\password.
    postgres_server.query("ALTER ROLE support_bot LOGIN")
    postgres_server.query("ALTER ROLE support_bot PASSWORD 'for-the-restore'")
    way = ["--host=127.0.0.1", "--username=support_bot", "--dbname=support_bot"]
    run(postgres_server, "pg_restore", [*documented("pg_restore"), *way, dump], PGPASSWORD="for-the-restore")
    assert planted_ran_as(postgres_server) == {"support_bot"}
    assert postgres_server.query("SELECT rolsuper FROM pg_roles WHERE rolname = 'support_bot'") == [(False,)]
    again = claim(postgres_server, entry, owner="o" * 22)
    assert rotated or [action.get("what") for action in again["actions"]] == [["password"]]
    login = again["databases"]["support-bot"]["login"]
    assert login == ("support_bot.b" if rotated else "support_bot")
    with psycopg.connect(postgres_server.uri(login, entry["password"], "support_bot")) as connection:
        assert connection.execute("SELECT count(*) FROM thread WHERE path <@ 'a'").fetchone() == (50,)
        owner = "SELECT tableowner FROM pg_tables WHERE tablename = 'thread'"
        assert connection.execute(owner).fetchone() == ("support_bot",)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(postgres_server.uri("support_bot", "for-the-restore", "support_bot"))
    claims = run_module("postgres_database_info", postgres_server.login())["claims"]
    assert [(item["redis_db"], item["owner"]) for item in claims] == [(3, "o" * 22)]


def test_a_role_that_is_set_is_no_fence(postgres_server: PostgresServer, dump: str) -> None:
    """Why the page does not use --role: code planted in the dump becomes a superuser."""
    claim(postgres_server, {"name": "support-bot", "extensions": BOT["extensions"]}, take_over=True)
    way = ["--role=support_bot", "--no-owner", "--no-comments", "-h", postgres_server.inside, "--dbname=support_bot"]
    run(postgres_server, "pg_restore", [*way, dump])
    assert planted_ran_as(postgres_server) == {"postgres"}
    assert postgres_server.query("SELECT rolsuper FROM pg_roles WHERE rolname = 'support_bot'") == [(True,)]
