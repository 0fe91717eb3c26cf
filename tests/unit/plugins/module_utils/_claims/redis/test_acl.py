# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import fnmatch
import hashlib
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.acl import (
    CommandSets,
    User,
    command_findings,
    differences,
    is_limited,
    is_open,
    is_ours,
    password_hash,
    pattern_findings,
    user_patterns,
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
    restore-asking sentinel|masters hotkeys hotkeys|get commandlog ft.config""".split(),
)
def test_others_may_not(command: str) -> None:
    assert list(command_findings([command]))


def test_rules_of_a_user_in_full() -> None:
    """In this order Redis forgets whatever the user had before, and the last rule about a command applies."""
    # Enough of each that a set is not in their order by chance.
    hashes, keys, channels = list("12345678"), [f"k{one}:*" for one in "abcdefgh"], [f"c{one}:*" for one in "abcdefgh"]
    extra = ("info", "client|no-touch")
    user = User("a", 5, frozenset(hashes), frozenset(keys), frozenset(channels), extra)
    commands = [
        *("+@all", "-@admin", "-@dangerous", "-select", "+select|5"),
        *("-move", "-copy", "-reset", "-pubsub", "-script", "-function", "-client|tracking", "-memory", "-acl"),
        *("+script|load", "+script|exists", "+memory|usage", "+acl|whoami", "+info", "+client|no-touch"),
    ]
    assert user.commands() == commands
    assert user.rules() == [
        *("reset", "on", *(f"#{one}" for one in hashes)),
        *("resetkeys", *(f"~{one}" for one in keys)),
        *("resetchannels", *(f"&{one}" for one in channels)),
        *commands,
    ]


def test_without_databases_no_user_may_select() -> None:
    commands = User("a", None, frozenset(), frozenset(), frozenset()).commands()
    assert "-select" in commands
    assert not [rule for rule in commands if rule.startswith("+select")]


@pytest.mark.parametrize(
    ("rules", "allowed"),
    [
        ("", set()),
        ("+get", {"get"}),
        ("+get -get", set()),
        ("+@slow -move", {"select", "copy", "acl|whoami", "script|load", "script|flush", "memory|usage", "get"}),
        ("+@unknown", set()),
        # A container stands for all of its subcommands, known or added before.
        ("+script", {"script", "script|load", "script|flush"}),
        ("+@slow -script -@admin", {"select", "move", "copy", "acl|whoami", "memory|usage", "get"}),
        ("+new|one -new", set()),
        ("+new|one -new|one", set()),
        ("+new|one -@all", set()),
        ("+script -script|load", {"script", "script|flush"}),
    ],
)
def test_sets_of_commands(rules: str, allowed: set[str]) -> None:
    assert SETS.allowed(rules) == allowed
    assert SETS.allowed(rules) is SETS.allowed(rules)


def test_all_commands_are_those_of_all_categories() -> None:
    assert SETS.allowed("+@all") == {
        *("config|get", "acl|setuser", "flushall", "keys", "select", "move", "copy", "acl|whoami", "script|load"),
        *("script|flush", "memory|usage", "get"),
    }
    assert CommandSets({}).allowed("+@all") == frozenset()


@pytest.mark.parametrize(
    ("flags", "opened"),
    [(["on", "nopass"], True), (["on"], False), (["off", "nopass"], False), ([], False), (None, False)],
)
def test_a_default_user_without_a_password(flags: list[str] | None, opened: bool) -> None:
    assert is_open({"flags": flags}) == opened


@pytest.mark.parametrize(
    ("commands", "keys", "limited"),
    [
        ("+@all", "~*", False),
        ("+@all", ["*"], False),
        ("+@all", ["~*"], False),
        ("-@all +@all", "~*", True),
        ("-@all", "~*", True),
        ("+@all", "", True),
        ("+@all", [], True),
        ("+@all", "~a:*", True),
        (None, "~*", True),
    ],
)
def test_a_default_user_that_cannot_load_the_append_only_file(commands: t.Any, keys: t.Any, limited: bool) -> None:
    assert is_limited({"commands": commands, "keys": keys}) == limited


@pytest.mark.parametrize(
    ("value", "patterns"),
    [
        ("~a:* ~b:*", {"a:*", "b:*"}),
        ("%R~a:*", {"%R~a:*"}),
        (["a:*"], {"a:*"}),
        (["~a:*"], {"a:*"}),
        ("", set()),
        (None, set()),
        ([], set()),
    ],
)
def test_patterns_of_a_user(value: t.Any, patterns: set[str]) -> None:
    assert user_patterns(value, "~") == patterns


@pytest.mark.parametrize(
    ("pattern", "finding"),
    [
        ("", "is empty or contains white space"),
        ("a b", "is empty or contains white space"),
        ("a\n", "is empty or contains white space"),
        ("a\x7f", "is empty or contains white space"),
        ("*", "matches the record of all claims (selfhost.langgraph:claims)"),
        ("selfhost.langgraph:claims", "matches the record of all claims"),
        ("selfhost.langgraph:acl-*", "matches the record of all claims"),
        ("selfhost.langgraph:shared-channels", "matches the record of all claims"),
        ("a:*", None),
        ("selfhost:*", None),
    ],
)
def test_patterns_that_are_refused(pattern: str, finding: str | None) -> None:
    found = list(pattern_findings(["fine:*", pattern]))
    assert len(found) == (finding is not None)
    assert finding is None or (finding in found[0] and repr(pattern) in found[0])


def test_what_is_no_command_is_named() -> None:
    assert list(command_findings(["+info", "info", "keys"])) == [
        "'+info' is not the name of a command, such as 'info' or 'client|no-touch'",
        "the command 'keys' reaches beyond the deployment's own database",
    ]


def test_ours_have_no_command_that_leads_elsewhere() -> None:
    moving = on_server(USER, commands=" ".join(USER.commands()) + " +move")
    assert not is_ours(moving, SETS)
    one_database = User("a", None, frozenset(), frozenset(), frozenset())
    assert is_ours(on_server(one_database), SETS)
    # Somebody has taken its database away since.
    assert not is_ours(on_server(USER, commands=" ".join(USER.commands()) + " -select"), SETS)
    # An extra command that the user allows is no reason to disown it.
    assert is_ours(on_server(USER, commands=" ".join(USER.commands()) + " +config|get"), SETS)


def test_several_differences_in_their_order() -> None:
    wrong = on_server(USER, flags=["off"], passwords=[], keys="", channels="", commands="+@all")
    assert differences(USER, wrong, SETS) == ["enabled", "password", "key_patterns", "channel_patterns", "commands"]
    assert differences(USER, on_server(USER, passwords=None, flags=None), SETS) == ["enabled", "password"]


def test_passwords_are_compared_as_redis_stores_them() -> None:
    assert password_hash("secret-ä") == hashlib.sha256("secret-ä".encode()).hexdigest()
    assert password_hash("p") != password_hash("q")
