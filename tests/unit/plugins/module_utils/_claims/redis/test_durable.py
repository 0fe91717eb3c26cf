# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.durable import (
    SYNC_FIELD,
    make_durable,
    sync_now,
    warnings_of,
)


class Killed(Exception):
    """The run is killed here."""


class FakeServer:
    """A Redis with a record, one setting, and other runs between any two steps."""

    patience = 1000

    def __init__(self, policy: str = "everysec", waitaof: t.Any = None, forbidden: Exception | None = None) -> None:
        self.policy, self.waitaof, self.forbidden = policy, waitaof, forbidden
        self.fields: dict[str, str] = {}
        self.moves: list[str] = []
        self.synced = True

    def pipeline(self, commands: t.Sequence[t.Sequence[t.Any]]) -> list[t.Any]:
        return [self.waitaof if command[0] == "WAITAOF" else 1 for command in commands]

    def change(
        self, _key: str, questions: t.Sequence[t.Sequence[str]], decide: t.Callable[[t.Any], t.Any]
    ) -> Exception | None:
        self._others()
        if self.forbidden:
            return self.forbidden
        answers = [
            self.fields.get(question[2]) if question[0] == "HGET" else {"appendfsync": self.policy}
            for question in questions
        ]
        batch = decide(answers)
        for command in batch:
            if command[0] == "HSET":
                self.fields[command[2]] = command[3]
            elif command[0] == "HDEL":
                self.fields.pop(command[2], None)
            else:
                self.policy = command[3]
        if len(questions) == 2:
            # The reply to a new run is delayed until the end of this step.
            self.synced = self.synced and self.policy == "always"
        return None

    def _others(self) -> None:
        if self.moves:
            move = self.moves.pop()
            if move == "kill":
                raise Killed
            if move == "come":
                run(self)


def run(server: FakeServer) -> None:
    """One run, which may be killed."""
    try:
        assert sync_now(t.cast("t.Any", server)) is None
    except Killed:
        pass


@given(st.lists(st.sampled_from(["go", "come", "kill"]), max_size=30), st.sampled_from(["everysec", "no", "always"]))
def test_the_policy_is_put_back_whatever_happens(moves: list[str], policy: str) -> None:
    server = FakeServer(policy)
    server.moves = list(moves)
    while server.moves:
        run(server)
    run(server)
    assert server.policy == policy
    assert SYNC_FIELD not in server.fields
    assert server.synced, "every run that came had its write synced"


@pytest.mark.parametrize(
    ("server", "append_only", "reason"),
    [
        (FakeServer(waitaof=[1, 0]), True, None),
        (FakeServer(waitaof=[1, 0]), None, None),
        (FakeServer(waitaof=[0, 0]), True, None),
        (FakeServer(waitaof=ValueError("unknown command")), True, None),
        (FakeServer(waitaof=[1, 0]), False, "appendonly is no"),
        (FakeServer(waitaof=[0, 0], forbidden=ValueError("NOPERM")), True, "WAITAOF: no fsync in time; NOPERM"),
        (FakeServer(waitaof=ValueError("no wait"), forbidden=ValueError("no config")), None, "no wait; no config"),
    ],
)
def test_ways_to_the_disk(server: FakeServer, append_only: bool | None, reason: str | None) -> None:
    assert make_durable(t.cast("t.Any", server), append_only) == reason
    assert (server.policy, server.fields) == ("everysec", {})


def test_the_warning_has_the_reason() -> None:
    assert warnings_of(None) == []
    assert "(appendonly is no)" in warnings_of("appendonly is no")[0]
