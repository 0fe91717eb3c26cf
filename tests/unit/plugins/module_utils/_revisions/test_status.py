# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The status of a host's deployments, as data for the check."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.model import Deployment, Revision
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.status import describe, state_of

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
    "last": 3,
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
    endpoint = {"address": "127.0.0.1", "port": 30000 + number}
    return Revision(number, record, {"API_KEY": SECRET}, outcome, endpoint, **more)


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
        "last": 3,
        "since": AT.format(number=9),
        "rolled_back": None,
        "stopped": None,
        "image": "bot:3",
        "image_id": "sha256:3",
        # Of the slowest that is kept: it may have to be stopped yet.
        "drain_seconds": 420,
        "active": "active",
        "enabled": True,
        "health": {"name": "bot", "url": "https://127.0.0.1:8123/bot", "host": "bot.example.com"},
    }
    assert [(item["number"], item["state"]) for item in revisions] == list(zip(range(7, 0, -1), reversed(STATES)))


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({"proxy": "none", "tls": False}, "http://127.0.0.1:8123"),
        ({"bind_address": "10.1.2.3"}, "https://10.1.2.3:8123/bot"),
        ({"serving": None}, None),
        (None, None),
    ],
)
def test_where_its_health_is(settings: dict[str, t.Any] | None, url: str | None) -> None:
    deployment = Deployment("bot", None if settings is None else {**SETTINGS, **settings}, REVISIONS)
    found = describe(deployment, {}, sessions)["health"]
    assert (found["url"] if found else None) == url


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
    # Another revision may have its port now.
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
