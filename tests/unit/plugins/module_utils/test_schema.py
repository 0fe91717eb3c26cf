# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Versions of a schema and what stands between them; snapshots, with a program in pg_dump's place."""

from __future__ import annotations

import os
import socket
import stat
import typing as t
from pathlib import Path

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils import _schema

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


LINES = {
    "plain": (
        {"host": "db", "port": "6432", "dbname": "bot", "user": "bot", "password": "secret"},
        "db:6432:bot:bot:secret\n",
    ),
    "colons and backslashes": ({"host": "fd00::1", "password": "a:b\\c"}, "fd00\\:\\:1:5432:*:*:a\\:b\\\\c\n"),
    "nothing": ({}, "*:5432:*:*:\n"),
}


@pytest.mark.parametrize(("parts", "line"), LINES.values(), ids=LINES)
def test_password_line(parts: dict[str, str], line: str) -> None:
    assert _schema._password_line(parts) == line


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

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def execute(self, statement: str, parameters: tuple[str, ...] = ()) -> t.Any:
        if parameters:
            found = parameters[0] if parameters[0] in self.rows else None
            return type("Cursor", (), {"fetchone": lambda _self: (found,)})()
        return [(row,) for row in self.rows[statement.rpartition(" ")[2]]]


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


@pytest.fixture
def pg_dump(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Callable[[str], Path]:
    """Put a shell script in the place of pg_dump, and note what it is called with; gives the note."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def install(then: str) -> Path:
        note = tmp_path / "note"
        script = f'#!/bin/sh\necho "$*" >{note}\nstat -c %a "$PGPASSFILE" >>{note}\ncat "$PGPASSFILE" >>{note}\n'
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
    command, mode, line = note.read_text().splitlines()
    assert command.startswith("--no-password --format=custom ")
    assert "host=172.29.0.1" in command
    assert not [text for text in ("password=", "p@ss", "p%40ss") if text in command]
    assert (mode, line) == ("600", "172.29.0.1:5432:support_bot:support_bot:p@ss\\:w\\\\rd")
    assert list(path.parent.iterdir()) == [path]


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
    assert list((tmp_path / "dumps").iterdir()) == []


def test_a_host_without_psycopg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_schema, "PSYCOPG_IMPORT_ERROR", ImportError())
    assert _schema.read(URI) is None
    with pytest.raises(_schema.SnapshotError, match="^the Python library psycopg is missing on the host$"):
        _schema.take_snapshot(URI, str(tmp_path / "one.dump"))
