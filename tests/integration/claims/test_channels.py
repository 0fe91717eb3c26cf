# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Channels are not per database: overlapping patterns are refused in the list, on the server, and between concurrent plays."""

from __future__ import annotations

import typing as t

import pytest
from servers import ModuleRun, RedisServer, run_module

CHANNELS_THAT_MEET: dict[str, tuple[dict[str, t.Any], dict[str, t.Any]]] = {
    "the same": ({"channel_patterns": ["lg:*"]}, {"channel_patterns": ["lg:*"]}),
    "one in the other": ({"channel_patterns": ["lg:*"]}, {"channel_patterns": ["lg:run-fanout:*"]}),
    "across": ({"channel_patterns": ["a*:x"]}, {"channel_patterns": ["*b:x"]}),
    "one consents": ({"channel_patterns": ["lg:*"], "shared_channels": True}, {"channel_patterns": ["lg:*"]}),
    "the other's own": ({"channel_patterns": ["two:events"]}, {}),
    "a bracket at the end": ({"channel_patterns": ["room)"]}, {"channel_patterns": ["room)"]}),
    "a class": ({"channel_patterns": ["[nt]wo:*"]}, {}),
}


@pytest.mark.parametrize("where", ["in the list", "on the server"])
@pytest.mark.parametrize("what", CHANNELS_THAT_MEET)
def test_channels_that_meet_are_refused(redis_server: RedisServer, what: str, where: str) -> None:
    first, second = (
        {"name": name, "password": name, **options} for name, options in zip(("one", "two"), CHANNELS_THAT_MEET[what])
    )
    wanted = [first, second]
    if where == "on the server":
        assert not run_module("redis_database", {**redis_server.login(), "databases": [second]}).get("failed")
        wanted = [first]
    before = redis_server.snapshot()
    for check in (True, False):
        result = run_module("redis_database", {**redis_server.login(), "databases": wanted}, check)
        assert "Redis channels are not separated by database" in result["msg"]
        assert {item["option"] for item in result["problems"]} == {"channel_patterns"}
        assert redis_server.snapshot() == before


def test_shared_channels_need_the_consent_of_each(redis_server: RedisServer) -> None:
    def play(*names: str, **options: t.Any) -> dict[str, t.Any]:
        databases = [{"name": name, "password": name, "channel_patterns": ["lg:*"], **options} for name in names]
        return run_module("redis_database", {**redis_server.login(), "databases": databases})

    assert not play("one", "two", shared_channels=True).get("failed")
    assert any(
        "can read and forge the events" in line and "one, two" in line
        for line in play("one", "two", shared_channels=True)["warnings"]
    )
    # In a play of its own: the others are on the server and permit sharing.
    alone = play("three", shared_channels=True)
    assert alone["databases"]["three"]["redis_db"] == 3
    assert any("can read and forge the events" in line for line in alone["warnings"])
    assert "not separated by database" in play("four")["msg"]
    assert "not separated by database" in play("three")["msg"]
    assert not play("one", "two", "three", shared_channels=True)["changed"]


def test_two_plays_at_once_do_not_share_channels(redis_server: RedisServer) -> None:
    runs = [
        ModuleRun(
            "redis_database",
            {
                **redis_server.login(),
                "databases": [{"name": f"n{number}", "password": "p", "channel_patterns": ["lg:*"]}],
            },
        )
        for number in range(8)
    ]
    results = [run.result() for run in runs]
    assert sum(not result.get("failed") for result in results) <= 1
    assert sum("&lg:*" in line for line in redis_server.admin().execute_command("ACL", "LIST")) <= 1
