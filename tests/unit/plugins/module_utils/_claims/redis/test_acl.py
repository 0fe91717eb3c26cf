# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import fnmatch
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.acl import (
    CommandSets,
    User,
    command_findings,
    differences,
    is_ours,
    password_hash,
    pattern_findings,
)

SETS = CommandSets(
    {
        "admin": frozenset({"config|get", "acl|setuser"}),
        "dangerous": frozenset({"flushall", "keys"}),
        "slow": frozenset(
            {"select", "move", "copy", "acl|whoami", "script|load", "script|flush", "memory|usage", "get"}
        ),
    }
)
USER = User("a", 5, frozenset({password_hash("p")}), frozenset({"a:*"}), frozenset({"a:*"}))


def on_server(user: User, **changes: t.Any) -> dict[str, t.Any]:
    return {
        "flags": ["on", "sanitize-payload"],
        "passwords": sorted(user.hashes),
        "commands": " ".join(user.commands()),
        "keys": " ".join(f"~{pattern}" for pattern in user.keys),
        "channels": " ".join(f"&{pattern}" for pattern in user.channels),
        "selectors": [],
        **changes,
    }


def test_the_same_in_other_words_is_no_difference() -> None:
    seven = "+@all -@dangerous -@admin -acl +acl|whoami -copy -memory +memory|usage -pubsub -reset -move -function"
    seven += " -client|tracking -script +script|load +script|exists -select +select|5"
    assert differences(USER, on_server(USER, commands=seven), SETS) == []
    assert differences(USER, on_server(USER, keys=["~a:*"], channels=["&a:*"]), SETS) == []


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"flags": ["off"]}, "enabled"),
        ({"flags": ["on", "nopass"]}, "password"),
        ({"passwords": []}, "password"),
        ({"passwords": [password_hash("p"), password_hash("q")]}, "password"),
        ({"keys": "~a:* ~b:*"}, "key_patterns"),
        ({"keys": ""}, "key_patterns"),
        ({"channels": "&*"}, "channel_patterns"),
        ({"commands": "+@all"}, "commands"),
        ({"commands": " ".join(USER.commands()).replace("|5", "|6")}, "commands"),
        ({"commands": " ".join(USER.commands()).replace("|5", "|55")}, "commands"),
        ({"commands": " ".join(USER.commands()) + " +select|6"}, "commands"),
        ({"commands": " ".join(USER.commands()) + " +config|get"}, "commands"),
        ({"selectors": [["commands", "+@all"]]}, "commands"),
    ],
)
def test_each_difference_is_found(changes: dict[str, t.Any], found: str) -> None:
    assert differences(USER, on_server(USER, **changes), SETS) == [found]


def test_a_missing_user_is_the_only_difference() -> None:
    assert differences(USER, None, SETS) == ["user"]


def test_ours_are_recognised() -> None:
    assert is_ours(on_server(USER), SETS)
    assert is_ours(on_server(USER, flags=["off"], keys=""), SETS)
    assert not is_ours({"commands": "+@all"}, SETS)
    assert not is_ours({"commands": "-@all +select|5 +get"}, SETS)


# Without the backslash, which fnmatch does not support.
@given(st.text("selfhost.langgraph:claims*?[]^-", max_size=30))
def test_no_accepted_pattern_covers_the_claims(pattern: str) -> None:
    if not list(pattern_findings([pattern])):
        assert not fnmatch.fnmatchcase("selfhost.langgraph:claims", pattern)


@pytest.mark.parametrize(
    "command",
    ["info", "client|no-touch", "object|freq", "ft.search", "script|exists", "acl|whoami", "memory|usage", "restore"],
)
def test_harmless_commands_may_be_added(command: str) -> None:
    assert list(command_findings([command])) == []


@pytest.mark.parametrize(
    "command",
    """select flushall flushdb @all +info SELECT move config|get acl acl|setuser acl|list acl|deluser client client|kill
    client|list client|pause client|unpause client|unblock client|no-evict client|tracking script script|flush
    script|kill memory memory|purge function function|load pubsub pubsub|channels latency latency|reset slowlog
    slowlog|get commandlog|get cluster cluster|reset module|load ft.config ft.config|set bgsave role replconf keys
    restore-asking sentinel|masters""".split(),
)
def test_others_may_not(command: str) -> None:
    assert list(command_findings([command]))
