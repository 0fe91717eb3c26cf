# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sessions that block the administrator's statements: whose are ended, and what is said of others."""

from __future__ import annotations

import contextlib
import threading
import types
import typing as t

import psycopg
import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.errors import ClaimError
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres import timeouts
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.timeouts import (
    Blocker,
    PatientSession,
)


class Concurrent(psycopg.errors.InternalError):
    """The error of a server on which another session has just changed the same object."""

    @property
    def diag(self) -> t.Any:
        return types.SimpleNamespace(message_primary="tuple concurrently updated")


class Locked:
    """A server on which sessions hold a lock until they are ended."""

    def __init__(self, *blockers: tuple[int, str, str], error: Exception | None = None, may_end: bool = True) -> None:
        self.blockers, self.ended = list(blockers), t.cast("list[int]", [])
        self.error, self.may_end = error or psycopg.errors.LockNotAvailable("locked"), may_end
        self.tries, self.info = 0, types.SimpleNamespace(backend_pid=99)
        self._noticed = threading.Event()
        self._rows: list[t.Any] = []

    def execute(self, statement: str, values: t.Any = None) -> t.Any:
        self.tries += 1
        # A statement that waits gives the other session time to find out why.
        if self.blockers and self.tries > 1:
            self._noticed.wait(1)
            self._noticed.clear()
        if self.blockers:
            raise self.error
        return f"{statement} {values}"

    def watch(self) -> t.Any:
        return contextlib.nullcontext(types.SimpleNamespace(execute=self._watch))

    def _watch(self, statement: str, values: list[t.Any]) -> t.Any:
        if "pg_terminate_backend" in statement:
            self.ended.append(values[0])
            if not self.may_end:
                raise psycopg.errors.InsufficientPrivilege
            self.blockers = [blocker for blocker in self.blockers if blocker[0] != values[0]]
            return None
        assert values == [99]
        rows = list(self.blockers)
        self._noticed.set()
        return types.SimpleNamespace(fetchall=lambda: rows)


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeouts, "_PAUSE", 0.01)


def session(server: Locked) -> PatientSession:
    return PatientSession(t.cast("t.Any", server), server.watch, {"a", "a.b"})


def test_a_statement_that_nobody_blocks_runs_once() -> None:
    server = Locked()
    assert session(server).execute("ALTER", [1]) == "ALTER [1]"
    assert server.tries == 1


def test_other_errors_are_raised_as_they_are() -> None:
    server = Locked((1, "a", "active"), error=psycopg.errors.UndefinedObject("missing"))
    with pytest.raises(psycopg.errors.UndefinedObject):
        session(server).execute("ALTER")
    assert server.tries == 1


@pytest.mark.parametrize("error", [psycopg.errors.LockNotAvailable("locked"), Concurrent("x")])
@pytest.mark.parametrize("state", ["idle in transaction", "idle in transaction (aborted)", "active"])
def test_sessions_of_deployments_are_ended(error: Exception, state: str) -> None:
    server = Locked((7, "a.b", state), error=error)
    assert session(server).execute("ALTER") == "ALTER None"
    assert 7 in server.ended


def test_an_active_session_has_a_moment_to_finish() -> None:
    """Only from the second round on: a well-behaved program leaves only idle ones."""
    server = Locked((7, "a", "active"))
    session(server).execute("ALTER")
    assert server.tries >= 3


@pytest.mark.parametrize(
    ("blocker", "shown"),
    [
        ((7, "admin", "active"), "process 7 of 'admin' (active)"),
        ((7, "", ""), "process 7"),
        ((0, "", ""), "a prepared transaction (pg_prepared_xacts)"),
    ],
)
def test_sessions_of_others_are_reported(blocker: tuple[int, str, str], shown: str) -> None:
    server = Locked(blocker)
    with pytest.raises(ClaimError) as caught:
        session(server).execute("ALTER")
    assert f"are locked by {shown}: wait until the lock is released, or end the session" in str(caught.value)
    assert server.ended == []


def test_a_session_that_we_may_not_end_is_reported() -> None:
    server = Locked((7, "a", "active"), may_end=False)
    with pytest.raises(ClaimError, match="process 7 of 'a' .active."):
        session(server).execute("ALTER")
    assert server.ended


def test_blockers_in_words() -> None:
    assert Blocker(7, "a", "idle").describe() == "process 7 of 'a' (idle)"
    assert Blocker(7, "a", "").describe() == "process 7 of 'a'"
    assert Blocker(7, "", "idle").describe() == "process 7 (idle)"
