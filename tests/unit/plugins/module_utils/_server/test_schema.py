# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Versions of a schema and what stands between them; snapshots, with a program in pg_dump's place."""

from __future__ import annotations

import multiprocessing
import os
import socket
import stat
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._server import schema as _schema

URI = "postgres://support_bot:p%40ss%3Aw%5Crd@172.29.0.1:5432/support_bot?sslmode=prefer"
BETWEEN = {
    "one": ("16", "17", "migration 17"),
    "some": ("16", "19", "migrations 17, 18, 19"),
    "as many as are named": ("1", "13", "migrations 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13"),
    "more": ("1", "14", "migrations 2 to 14"),
    "backwards": ("19", "16", "the migration from 19 to 16"),
    "dirty": ("16", "17 (dirty)", "the migration from 16 to 17 (dirty)"),
    "of the open runtime": ("4f2a", "9c1b", "the migration from 4f2a to 9c1b"),
}


@pytest.mark.parametrize(("old", "new", "expected"), BETWEEN.values(), ids=BETWEEN)
def test_between(old: str, new: str, expected: str) -> None:
    assert _schema.between(old, new) == expected


@pytest.mark.parametrize("uri", [None, "", "no URI at all"])
def test_a_database_that_cannot_be_asked(uri: str | None) -> None:
    assert _schema.read(uri) is None


def test_a_database_that_does_not_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert _schema.read(f"postgres://bot:secret@127.0.0.1:{port}/bot") is None


class Connection:
    """A connection to a database that has the tables of ``rows``."""

    def __init__(self, rows: dict[str, list[str]]) -> None:
        self.rows = rows
        self.line, self.other = socket.socketpair()

    def fileno(self) -> int:
        return self.line.fileno()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def execute(self, statement: str, parameters: tuple[str, ...] = ()) -> t.Any:
        if parameters:
            found = parameters[0] if parameters[0] in self.rows else None
            return type("Cursor", (), {"fetchone": lambda _self: (found,)})()
        return [(row,) for row in self.rows[statement.removesuffix(" LIMIT 12").rpartition(" ")[2]]]


LEDGERS: dict[str, tuple[dict[str, list[str]], str | None]] = {
    "the vendor's": ({"schema_migrations": ["16"]}, "16"),
    "the vendor's, dirty": ({"schema_migrations": ["17 (dirty)"]}, "17 (dirty)"),
    "that of the open runtime": ({"alembic_version": ["9c1b", "4f2a"]}, "4f2a, 9c1b"),
    "both": ({"alembic_version": ["4f2a"], "schema_migrations": ["16"]}, "16"),
    "empty": ({"schema_migrations": []}, None),
    "none": ({}, None),
}


@pytest.mark.parametrize(("rows", "version"), LEDGERS.values(), ids=LEDGERS)
def test_ledgers(rows: dict[str, list[str]], version: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_schema.psycopg, "connect", lambda *_arguments, **_more: Connection(rows))
    assert _schema.read(URI) == version


class Stuck(Connection):
    """What was planted has lifted the server's limits: it ends when the line does."""

    def execute(self, statement: str, parameters: tuple[str, ...] = ()) -> t.Any:
        if not self.line.recv(1):
            raise _schema.psycopg.OperationalError("the line was hung up")


def test_a_ledger_that_never_answers_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    options: list[str] = []

    def connect(_uri: str, **more: t.Any) -> Stuck:
        options.append(more["options"])
        return Stuck({})

    monkeypatch.setattr(_schema.psycopg, "connect", connect)
    monkeypatch.setattr(_schema, "READ_SECONDS", 0.2)
    begin = time.monotonic()
    assert _schema.read(f"{URI}&options=-c%20geqo%3Doff") is None
    assert time.monotonic() - begin < 2
    assert options == ["-c geqo=off -c statement_timeout=5000 -c lock_timeout=2000"]


@pytest.fixture
def pg_dump(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Callable[[str], Path]:
    """Put a shell script in the place of pg_dump, and note what it is called with; gives the note."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("PGPASSFILE", "/nowhere")

    def install(then: str) -> Path:
        note = tmp_path / "note"
        script = f'#!/bin/sh\necho "$*" >{note}\nprintenv PGPASSWORD >>{note}\n'
        script += "for word; do case $word in --file=*) file=${word#--file=};; esac; done\n"
        (folder / "pg_dump").write_text(script + then)
        (folder / "pg_dump").chmod(0o755)
        return note

    return install


def test_a_snapshot(pg_dump: t.Callable[[str], Path], tmp_path: Path) -> None:
    path = tmp_path / "dumps/bot/before-revision-2.dump"
    note = pg_dump('echo dump >"$file"\n')
    _schema.take_snapshot(URI, str(path))
    assert path.read_text() == "dump\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    command, password = note.read_text().splitlines()
    assert command.startswith("--no-password --format=custom --lock-wait-timeout=60000 ")
    assert "host=172.29.0.1" in command
    assert not [text for text in ("password=", "p@ss", "p%40ss") if text in command]
    assert password == "p@ss:w\\rd"
    assert list(path.parent.iterdir()) == [path]


def test_nothing_secret_is_there_while_a_dump_runs(pg_dump: t.Callable[[str], Path], tmp_path: Path) -> None:
    """So nothing is left where the module is killed then."""
    note = pg_dump(f"grep -rl -e p@ss {tmp_path}/dumps >{tmp_path}/found; ls {tmp_path}/dumps/bot >>{tmp_path}/found\n")
    _schema.take_snapshot(URI, str(tmp_path / "dumps/bot/before-revision-2.dump"))
    assert note.exists()
    assert (tmp_path / "found").read_text() == "before-revision-2.dump.new\n"


def test_what_a_killed_dump_left_goes(pg_dump: t.Callable[[str], Path], tmp_path: Path) -> None:
    folder = tmp_path / "dumps/bot"
    folder.mkdir(parents=True)
    pg_dump("")
    for name in (
        "before-revision-1-x.dump.new",
        "before-revision-1-x.dump.passwords",
        "of-somebody.dump.new",
        "a.dump",
    ):
        (folder / name).write_text("secret")
    _schema.take_snapshot(URI, str(folder / "before-revision-2-x.dump"))
    assert {path.name for path in folder.iterdir()} == {"before-revision-2-x.dump", "of-somebody.dump.new", "a.dump"}


def test_a_link_in_its_place_leads_nowhere(pg_dump: t.Callable[[str], Path], tmp_path: Path) -> None:
    (tmp_path / "target").write_text("mine")
    folder = tmp_path / "dumps/bot"
    folder.mkdir(parents=True)
    (folder / "before-revision-2.dump.new").symlink_to(tmp_path / "target")
    pg_dump('echo dump >"$file"\n')
    _schema.take_snapshot(URI, str(folder / "before-revision-2.dump"))
    assert (tmp_path / "target").read_text() == "mine"


def test_a_dump_that_takes_too_long_is_ended(
    pg_dump: t.Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pg_dump(f"echo $$ >{tmp_path}/pid; exec sleep 60\n")
    monkeypatch.setattr(_schema, "SNAPSHOT_SECONDS", 0.5)
    with pytest.raises(_schema.SnapshotError, match=r"^pg_dump took longer than 0.5 s and was ended$"):
        _schema.take_snapshot(URI, str(tmp_path / "dumps/before-revision-2.dump"))
    assert list((tmp_path / "dumps").iterdir()) == []
    assert not Path("/proc", (tmp_path / "pid").read_text().strip()).exists()


def test_a_dump_does_not_fill_the_disk(
    pg_dump: t.Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pg_dump('exec dd if=/dev/zero of="$file" bs=1M count=8 2>/dev/null\n')
    monkeypatch.setattr(_schema, "_free_bytes", lambda _folder: _schema.LEFT_FREE + 4 * 1024 * 1024)
    with pytest.raises(_schema.SnapshotError, match="^it would leave less than 512 MB free in "):
        _schema.take_snapshot(URI, str(tmp_path / "dumps/before-revision-2.dump"))
    monkeypatch.setattr(_schema, "_free_bytes", lambda _folder: _schema.LEFT_FREE)
    with pytest.raises(_schema.SnapshotError, match="^it would leave less than 512 MB free in "):
        _schema.take_snapshot(URI, str(tmp_path / "dumps/before-revision-2.dump"))
    assert list((tmp_path / "dumps").iterdir()) == []


def test_a_dump_ends_with_the_module(pg_dump: t.Callable[[str], Path], tmp_path: Path) -> None:
    pg_dump(f"echo $$ >{tmp_path}/pid.new; mv {tmp_path}/pid.new {tmp_path}/pid; exec sleep 60\n")
    path = str(tmp_path / "dumps/before-revision-2.dump")
    module = multiprocessing.get_context("fork").Process(target=_schema.take_snapshot, args=(URI, path))
    module.start()
    deadline = time.monotonic() + 10
    while not (tmp_path / "pid").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    dump = Path("/proc", (tmp_path / "pid").read_text().strip(), "cmdline")
    assert dump.read_bytes()
    module.kill()
    module.join()
    while dump.exists() and dump.read_bytes() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not dump.exists() or not dump.read_bytes()


def test_a_snapshot_that_fails_leaves_nothing(pg_dump: t.Callable[[str], Path], tmp_path: Path) -> None:
    path = tmp_path / "dumps/bot/before-revision-2.dump"
    pg_dump('echo half >"$file"; echo "pg_dump: error: no space" >&2; exit 1\n')
    with pytest.raises(_schema.SnapshotError, match="^pg_dump: error: no space$"):
        _schema.take_snapshot(URI, str(path))
    assert list(path.parent.iterdir()) == []


def test_a_host_without_pg_dump(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(_schema.SnapshotError) as failed:
        _schema.take_snapshot(URI, str(tmp_path / "dumps/one.dump"))
    assert str(failed.value) == "pg_dump is missing: install postgresql-client on the host"
    assert not (tmp_path / "dumps").exists()


def test_a_host_without_psycopg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_schema, "PSYCOPG_IMPORT_ERROR", ImportError())
    assert _schema.read(URI) is None
    with pytest.raises(_schema.SnapshotError, match="^the Python library psycopg is missing on the host$"):
        _schema.take_snapshot(URI, str(tmp_path / "one.dump"))
