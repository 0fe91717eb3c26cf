# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Addresses and passwords of services, which are no part of a revision."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.selfhost.langgraph.plugins.module_utils._common import credentials as _credentials
from ansible_collections.selfhost.langgraph.tests.unit.plugins.module_utils._rollout.fake_host import (
    MOVED,
    OLD,
    ROTATED,
)


@given(st.dictionaries(st.sampled_from(["A", "B", "REDIS_URI", "DATABASE_URI"]), st.text()))
def test_split(environment: dict[str, str]) -> None:
    own, services = _credentials.split(environment)
    assert own == {name: value for name, value in environment.items() if name in ("A", "B")}
    assert services == {name: value for name, value in environment.items() if name not in own}
    assert _credentials.split(None) == ({}, {})


def test_the_digest_is_that_of_the_file() -> None:
    text = f"DATABASE_URI={OLD['DATABASE_URI']}\nREDIS_URI={OLD['REDIS_URI']}\n"
    assert _credentials.digest(OLD) == hashlib.sha256(text.encode()).hexdigest()


def test_a_note_opens_nothing() -> None:
    found = _credentials.note(OLD)
    assert (found["login"], found["user"]) == ("bot", "bot")
    assert found["credentials"] == _credentials.digest(OLD)
    assert "one" not in str(found)
    assert tuple(found) == _credentials.NOTED
    assert _credentials.note({}) == {}


def test_logins_as_they_were_given() -> None:
    uris = {"DATABASE_URI": "postgres://a%2Db:p%40ss%2Fword@db/a", "REDIS_URI": "redis://a%2Eb:x%3Ay@r/1"}
    assert (_credentials.login(uris), _credentials.user(uris)) == ("a-b", "a.b")
    assert (_credentials.login({}), _credentials.user({})) == (None, None)
    # A managed Redis without users.
    assert _credentials.user({"REDIS_URI": "redis://:p@r/1"}) is None
    assert _credentials.note({"REDIS_URI": "redis://:p@r/1"})["user"] == ""


def changed(credentials: dict[str, str], before: str, after: str) -> dict[str, str]:
    return {name: uri.replace(before, after) for name, uri in credentials.items()}


@pytest.mark.parametrize(
    ("old", "new", "reasons"),
    [
        (OLD, OLD, []),
        (OLD, ROTATED, ["credentials"]),
        (OLD, MOVED, ["address of Redis"]),
        (OLD, changed(OLD, "db:5432", "db:5433"), ["address of Postgres"]),
        (OLD, changed(changed(ROTATED, "db:5432", "pg:1"), "r:6379", "[::1]:1"), None),
        (OLD, changed(OLD, "sslmode=prefer", "sslmode=require"), ["address of Postgres"]),
        (OLD, {**OLD, "MORE": "1"}, ["credentials"]),
    ],
)
def test_what_a_change_is_called(old: dict[str, str], new: dict[str, str], reasons: list[str] | None) -> None:
    every = ["address of Redis", "address of Postgres", "credentials"]
    assert _credentials.differences(old, new) == (every if reasons is None else reasons)
