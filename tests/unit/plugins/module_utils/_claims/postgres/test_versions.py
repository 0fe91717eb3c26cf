# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Postgres versions that are refused or warned about: the reply is simulated, as no such server is available."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.errors import ClaimError
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.plan import make_plan
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.report import warnings_of
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.state import ServerState, read_state

ME = {"name": "postgres", "superuser": True, "createdb": True, "createrole": True}


class Answer:
    """A server that returns one row."""

    def __init__(self, version: int) -> None:
        self.version = version
        self.info = self
        self.backend_pid = 1

    def parameter_status(self, _name: str) -> str:
        return "on"

    def execute(self, *_query: t.Any) -> Answer:
        return self

    def fetchone(self) -> tuple[dict[str, t.Any]]:
        content = {"version": self.version, "max_connections": 100, "me": ME, "roles": [], "databases": []}
        return ({**content, "extensions": {}, "recovery": False, "read_only": False},)


def test_13_is_refused() -> None:
    with pytest.raises(ClaimError, match="Postgres 13 is too old: use 14 or newer, preferably 15 or newer"):
        read_state(t.cast("t.Any", Answer(130014)), ["a"])


@pytest.mark.parametrize(("version", "warned"), [(140012, True), (150008, False), (170002, False)])
def test_14_is_warned_of(version: int, warned: bool) -> None:
    state: ServerState = read_state(t.cast("t.Any", Answer(version)), [])
    lines = warnings_of([], state, make_plan([], state))
    assert any("Postgres 14 works, but only 15 and newer are tested" in line for line in lines) == warned
