# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The status of a host."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.selfhost.langgraph.plugins.filter.status_table import status_table
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.model import Deployment, Revision
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.status import describe
from ansible_collections.selfhost.langgraph.tests.unit.plugins.module_utils._revisions.test_status import (
    AT,
    DRAIN,
    FAILED,
    SETTINGS,
    described,
    revision,
    sessions,
)


def test_status_table() -> None:
    at = [AT.format(number=number) for number in range(10)]
    assert status_table([described()], {"bot": {"ok": True, "status": 200}}) == [
        "DEPLOYMENT  REVISION  STATE     SESSIONS  SINCE                      HEALTH   IMAGE  BY   WHY",
        f"bot         7         new       -         {at[7]}  -        bot:7  ann  image_id, variable MODEL",
        f"bot         6         running   0         {at[6]}  -        bot:6  ann  image_id, variable MODEL",
        f"bot         5         starting  0         {at[5]}  -        bot:5  ann  image_id, variable MODEL",
        f"bot         4         failed    -         {at[7]}  -        bot:4  ann  Redis refused its user",
        f"bot         3         serving   12        {at[9]}  healthy  bot:3  ann  image_id, variable MODEL",
        f"bot         2         draining  4         {at[8]}  -        bot:2  ann  image_id, variable MODEL",
        f"bot         1         stopped   -         {at[8]}  -        bot:1  ann  image_id, variable MODEL",
    ]


@pytest.mark.parametrize(
    ("health", "word"),
    [({"bot": {"ok": False, "status": 500}}, "UNHEALTHY"), ({"bot": {"ok": True}}, "healthy"), ({}, "-")],
)
def test_health_is_that_of_the_serving_revision(health: dict[str, t.Any], word: str) -> None:
    assert [line.split()[5] for line in status_table([described()], health)[1:]] == ["-", "-", "-", "-", word, "-", "-"]


def test_lost_runs_are_in_the_table() -> None:
    rows = status_table([described({1: {**DRAIN, "runs": {"lost": ["run-1", "run-2"]}}})], {})
    assert rows[-1].endswith("ann  2 runs lost")
    # A drain that has not ended, or could not query the server.
    assert status_table([described({1: {"begun": "then"}})], {})[-1].endswith("variable MODEL")
    assert status_table([described({1: {"runs": {"known": False}}})], {})[-1].endswith("variable MODEL")


def test_a_rollback_is_in_the_table() -> None:
    record = {"from": 7, "by": "ann", "at": "then"}
    rows = status_table([{**described(), "rolled_back": record}], {})
    assert [row for row in rows if "rolled back" in row] == [row for row in rows if " serving " in row]
    assert rows[5].endswith("rolled back from 7 by ann")


def test_a_deployment_that_never_served_has_a_row() -> None:
    found = describe(Deployment("bot", None, (Revision(1),)), {}, sessions)
    assert status_table([found], {})[1].split() == ["bot", "1", "new", "-", "-", "-", "-", "-"]


def test_a_long_reason_is_shortened() -> None:
    long = revision(3, {**FAILED, "cause": "x" * 61})
    (row,) = status_table([describe(Deployment("bot", {**SETTINGS, "serving": 1}, (long,)), {}, sessions)], {})[1:]
    assert row.endswith(f"  {'x' * 57}...")
