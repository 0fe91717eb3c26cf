# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Versions of a schema and what stands between them."""

from __future__ import annotations

import socket
import time
import typing as t

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


def test_a_host_without_psycopg(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_schema, "PSYCOPG_IMPORT_ERROR", ImportError())
    assert _schema.read(URI) is None
