# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test a password by logging in, whatever the language of the server's messages."""

from __future__ import annotations

import types
import typing as t

import psycopg
import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.managed import has_password

WRONG = "FATAL:  Passwort-Authentifizierung für Benutzer »a« fehlgeschlagen"
FULL = "FATAL:  zu viele Verbindungen von Rolle »a«"
HBA = "FATAL:  pg_hba.conf lehnt Verbindung ab für Host »10.0.0.1«, Benutzer »a«, Datenbank »a«, keine Verschlüsselung"
NETWORK = 'connection to server at "10.0.0.1", port 5432 failed: Connection refused\n\tIs the server running?'


class Refusal(psycopg.OperationalError):
    """The error that psycopg raises for a refused connection."""

    def __init__(self, text: str, asked: bool) -> None:
        super().__init__(text)
        self.asked = asked

    @property
    def pgconn(self) -> t.Any:
        return types.SimpleNamespace(used_password=self.asked)


def server(stored: str, after: str | None = None, before: str | None = None) -> t.Callable[[str], t.Any]:
    """A server that checks the password first, and may refuse before or after that."""

    def login(password: str) -> t.Any:
        if before is not None:
            raise Refusal(before, asked=False)
        if password != stored:
            raise Refusal(WRONG, asked=True)
        if after is not None:
            raise Refusal(after, asked=True)
        return types.SimpleNamespace(close=lambda: None)

    return login


def test_it_has_it() -> None:
    assert has_password(server("right"), "right") == (True, "")


def test_it_has_another() -> None:
    assert has_password(server("right"), "wrong") == (False, "")


def test_who_is_refused_after_the_password_has_it() -> None:
    assert has_password(server("right", after=FULL), "right") == (True, "")
    assert has_password(server("right", after=FULL), "wrong") == (False, "")


@pytest.mark.parametrize("reason", [HBA, NETWORK])
def test_who_is_never_asked_may_have_any(reason: str) -> None:
    fits, why = has_password(server("right", before=reason), "wrong")
    assert fits is None
    assert why == reason.splitlines()[0]
