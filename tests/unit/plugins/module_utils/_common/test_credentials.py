# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Addresses and passwords of services, which are no part of a revision."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.selfhost.langgraph.plugins.module_utils._common import credentials as _credentials
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.passwords import credential_fingerprint
from ansible_collections.selfhost.langgraph.tests.unit.plugins.module_utils._rollout.fake_host import (
    MOVED,
    OLD,
    ROTATED,
)


@given(st.lists(st.sampled_from(["A=1\n", "B=x\x0cREDIS_URI=y\u2028z\n", "REDIS_URI=r\n", "DATABASE_URI=d\n"])))
def test_split(lines: list[str]) -> None:
    own, services = _credentials.split("".join(lines))
    assert own == "".join(line for line in lines if line[0] in "AB")
    assert services == "".join(line for line in lines if line[0] in "RD")
    assert _credentials.split(None) == ("", "")


def test_a_note_opens_nothing() -> None:
    found = _credentials.note(OLD)
    assert (found["login"], found["credential"]) == ("bot", credential_fingerprint("one", "one"))
    assert found["credentials"] == _credentials.digest(OLD)
    assert "one" not in str(found)
    assert tuple(found) == _credentials.NOTED
    assert _credentials.note("") == {}


def test_the_fingerprint_is_of_the_passwords_as_they_were_given() -> None:
    text = "DATABASE_URI=postgres://a:p%40ss%2Fword@db/a\nREDIS_URI=redis://a:x%3Ay@r/1\n"
    assert _credentials.fingerprint(text) == credential_fingerprint("x:y", "p@ss/word")
    assert _credentials.fingerprint(MOVED) == _credentials.fingerprint(OLD)
    assert _credentials.fingerprint("REDIS_URI=redis://r/1\n") == credential_fingerprint("", "")


@pytest.mark.parametrize(
    ("old", "new", "reasons"),
    [
        (OLD, OLD, []),
        (OLD, ROTATED, ["credentials"]),
        (OLD, MOVED, ["address of Redis"]),
        (OLD, OLD.replace("db:5432", "db:5433"), ["address of Postgres"]),
        (OLD, ROTATED.replace("db:5432", "pg:1").replace("r:6379", "[::1]:1"), None),
        (OLD, OLD.replace("sslmode=prefer", "sslmode=require"), ["address of Postgres"]),
        (OLD, OLD + "\n", ["credentials"]),
    ],
)
def test_what_a_change_is_called(old: str, new: str, reasons: list[str] | None) -> None:
    every = ["address of Redis", "address of Postgres", "credentials"]
    assert _credentials.differences(old, new) == (every if reasons is None else reasons)
