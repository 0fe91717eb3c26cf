# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lock that runs hold while they change a Postgres."""

from __future__ import annotations

import contextlib
import datetime
import typing as t

import psycopg
import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.errors import ClaimError
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres import lock as _lock

SINCE = datetime.datetime(2026, 11, 25, 10, 0, 5)


class FakePostgres:
    """A session of which the lock is free or not, and that sees statements of killed runs for a while."""

    def __init__(self, free: bool = True, unfinished: int = 0, holder: tuple[t.Any, ...] | None = None) -> None:
        self.free, self.unfinished, self.holder = free, unfinished, holder
        self.done: list[str] = []
        self.settings: dict[str, str] = {}
        self._row: tuple[t.Any, ...] | None = None

    @contextlib.contextmanager
    def transaction(self, force_rollback: bool) -> t.Iterator[None]:
        assert force_rollback
        self.done.append("begin")
        try:
            yield
        finally:
            self.done.append("rollback")

    def execute(self, statement: t.Any, values: t.Any = None) -> FakePostgres:
        text = statement if isinstance(statement, str) else statement.as_string(None)
        if "set_config" in text:
            self.settings |= dict.fromkeys(values[1], values[0])
        elif text.startswith("CREATE ROLE"):
            self.done.append(text)
            if not self.free:
                raise psycopg.errors.LockNotAvailable
        elif "count(*)" in text:
            self.unfinished -= 1
            self._row = (max(0, self.unfinished + 1),)
        elif "clear_snapshot" in text:
            self.done.append("again")
        else:
            self._row = self.holder
        return self

    def fetchone(self) -> tuple[t.Any, ...] | None:
        return self._row


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Time that passes only when somebody sleeps."""
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(_lock.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(_lock.time, "sleep", sleep)
    return now


def take(connection: FakePostgres, patience: int = 300) -> None:
    with _lock.lock(t.cast("t.Any", connection), patience):
        connection.done.append("work")


def test_the_lock_is_a_role_that_is_never_committed() -> None:
    connection = FakePostgres()
    take(connection)
    assert connection.done == ["begin", 'CREATE ROLE "selfhost.langgraph:lock"', "work", "rollback"]


def test_the_session_may_wait_as_long_as_asked_and_lives_until_the_end() -> None:
    connection = FakePostgres()
    take(connection, 42)
    assert connection.settings == {
        "idle_in_transaction_session_timeout": "0",
        "transaction_timeout": "0",
        "statement_timeout": "0",
        "idle_session_timeout": "0",
        "lock_timeout": "42s",
        "tcp_keepalives_idle": "15",
        "tcp_keepalives_interval": "5",
        "tcp_keepalives_count": "3",
    }


def test_the_lock_is_released_if_the_work_fails() -> None:
    connection = FakePostgres()
    with pytest.raises(ValueError, match="broken"), _lock.lock(t.cast("t.Any", connection), 1):
        raise ValueError("broken")
    assert connection.done[-1] == "rollback"


def test_the_last_statement_of_a_killed_run_is_waited_for() -> None:
    connection = FakePostgres(unfinished=3)
    take(connection)
    assert connection.done.count("again") == 3
    assert connection.done[-2:] == ["work", "rollback"]


def test_patience_ends(clock: list[float]) -> None:
    connection = FakePostgres(unfinished=10_000)
    with pytest.raises(ClaimError, match="for more than the 5 s of lock_timeout: run this again after it has ended"):
        take(connection, 5)
    assert 5 < clock[0] < 5.2
    assert "work" not in connection.done


@pytest.mark.parametrize(
    ("holder", "shown"),
    [
        (None, ""),
        ((7, "admin", "10.0.0.1", SINCE), " (process 7 of 'admin' from 10.0.0.1, since 2026-11-25 10:00:05)"),
        ((7, "admin", None, SINCE), " (process 7 of 'admin', since 2026-11-25 10:00:05)"),
        ((7, "admin", None, None), ""),
    ],
)
def test_who_holds_it_is_named(holder: tuple[t.Any, ...] | None, shown: str) -> None:
    connection = FakePostgres(free=False, holder=holder)
    with pytest.raises(ClaimError) as caught:
        take(connection)
    assert str(caught.value) == (
        f"another run has been changing databases of this Postgres for more than the 300 s of lock_timeout{shown}: run this"
        " again after it has ended"
    )
    assert connection.done == ["begin", 'CREATE ROLE "selfhost.langgraph:lock"', "rollback"]
