# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host tells of its deployments: to the check as data, to people as a table."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.model import Deployment, Revision
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.status import (
    describe,
    state_of,
    table,
    targets,
)

SECRET = "s3cr3t-of-the-environment"
AT = "2026-11-25T10:0{number}:00+00:00"
SETTINGS: dict[str, t.Any] = {
    "proxy": "haproxy",
    "bind_address": "0.0.0.0",
    "port": 8123,
    "hostname": "bot.example.com",
    "prefix": "/bot",
    "tls": True,
    "serving": 3,
    "since": AT.format(number=9),
}


def revision(number: int, outcome: dict[str, t.Any] | None = None, **more: t.Any) -> Revision:
    record = {
        "image": f"bot:{number}",
        "image_id": f"sha256:{number}",
        "created": AT.format(number=number),
        "created_by": "ann",
        "reasons": ["image_id", "variable MODEL"],
        "schema_before": "16",
        "drain_seconds": 60 * number,
        "arguments": [],
    }
    slot = {"address": "127.0.0.1", "port": 30000 + number}
    return Revision(number, record, f"API_KEY={SECRET}\n", outcome, slot, **more)


SERVED = {"result": "served", "at": AT.format(number=8), "schema": "17"}
FAILED = {
    "result": "failed",
    "at": AT.format(number=7),
    "cause": "Redis refused its user",
    "line": "WRONGPASS",
    "log": [],
}
DRAIN = {"begun": "then", "sessions_cut": 0, "runs": {"lost": []}}
REVISIONS = (
    revision(1, SERVED),
    revision(2, SERVED, active="active", draining=True),
    revision(3, SERVED, active="active", enabled=True),
    revision(4, FAILED),
    revision(5, active="activating"),
    revision(6, active="active"),
    revision(7),
)
STATES = ["stopped", "draining", "serving", "failed", "starting", "running", "new"]
SESSIONS = {30002: 4, 30003: 12, 30006: 0, 30005: 0}


def sessions(address: str, port: int) -> int:
    return SESSIONS[port] if address == "127.0.0.1" else 0


def described(drains: dict[int, t.Any] | None = None, revisions: tuple[Revision, ...] = REVISIONS) -> dict[str, t.Any]:
    return describe(Deployment("bot", SETTINGS, revisions), drains or {1: DRAIN}, sessions)


@pytest.mark.parametrize(("item", "expected"), list(zip(REVISIONS, STATES)), ids=STATES)
def test_one_word(item: Revision, expected: str) -> None:
    assert state_of(item, 3) == expected


def test_a_serving_revision_that_is_down_still_serves_nobody_else() -> None:
    assert state_of(revision(3, SERVED, active="failed"), 3) == "serving"


def test_a_deployment() -> None:
    found = described()
    revisions = found.pop("revisions")
    assert found == {
        "name": "bot",
        **{key: SETTINGS[key] for key in ("proxy", "bind_address", "port", "hostname", "prefix", "tls")},
        "serving": 3,
        "since": AT.format(number=9),
        "image": "bot:3",
        "image_id": "sha256:3",
        # Of the slowest that is kept: it may have to be stopped yet.
        "drain_seconds": 420,
        "active": "active",
        "enabled": True,
    }
    assert [(item["number"], item["state"]) for item in revisions] == list(zip(range(7, 0, -1), reversed(STATES)))


def test_a_revision() -> None:
    by_number = {item["number"]: item for item in described()["revisions"]}
    assert by_number[2] == {
        "number": 2,
        "state": "draining",
        "active": "active",
        "image": "bot:2",
        "image_id": "sha256:2",
        "image_digest": None,
        "created": AT.format(number=2),
        "created_by": "ann",
        "reasons": ["image_id", "variable MODEL"],
        "schema_before": "16",
        "result": "served",
        "at": AT.format(number=8),
        "schema": "17",
        "cause": None,
        "line": None,
        "address": "127.0.0.1",
        "port": 30002,
        "sessions": 4,
        "drain": None,
        "snapshot": None,
    }
    assert (by_number[4]["cause"], by_number[4]["line"]) == ("Redis refused its user", "WRONGPASS")
    # Its port may be another's by now.
    assert (by_number[1]["port"], by_number[1]["sessions"], by_number[1]["drain"]) == (None, 0, DRAIN)


def test_nothing_secret() -> None:
    assert SECRET not in json.dumps(described())


def test_what_never_served() -> None:
    found = describe(Deployment("bot", None, (Revision(1),)), {}, sessions)
    assert {key: found[key] for key in ("serving", "port", "image", "active", "enabled", "drain_seconds")} == {
        **dict.fromkeys(("serving", "port", "image")),
        "active": "inactive",
        "enabled": False,
        "drain_seconds": 0,
    }
    assert targets([found]) == []
    assert table([found], {})[1].split() == ["bot", "1", "new", "-", "-", "-", "-", "-"]


def test_targets() -> None:
    assert targets([described()]) == [{"name": "bot", "url": "https://127.0.0.1:8123/bot", "host": "bot.example.com"}]


def test_a_server_without_a_proxy_is_asked_at_its_root() -> None:
    """It answers /ok there alone, wherever its routes are mounted."""
    (target,) = targets([{**described(), "proxy": "none", "tls": False, "hostname": None}])
    assert target == {"name": "bot", "url": "http://127.0.0.1:8123", "host": None}


def test_table() -> None:
    at = [AT.format(number=number) for number in range(10)]
    assert table([described()], {"bot": {"ok": True, "status": 200}}) == [
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
def test_health_is_of_the_serving_one(health: dict[str, t.Any], word: str) -> None:
    assert [line.split()[5] for line in table([described()], health)[1:]] == ["-", "-", "-", "-", word, "-", "-"]


def test_lost_runs_stand_in_the_table() -> None:
    rows = table([described({1: {**DRAIN, "runs": {"lost": ["run-1", "run-2"]}}})], {})
    assert rows[-1].endswith("ann  2 runs lost")
    # A drain that has not ended, or could not ask.
    assert table([described({1: {"begun": "then"}})], {})[-1].endswith("variable MODEL")
    assert table([described({1: {"runs": {"known": False}}})], {})[-1].endswith("variable MODEL")


def test_a_long_reason_is_cut() -> None:
    long = revision(3, {**FAILED, "cause": "x" * 61})
    (row,) = table([describe(Deployment("bot", {**SETTINGS, "serving": 1}, (long,)), {}, sessions)], {})[1:]
    assert row.endswith(f"  {'x' * 57}...")
