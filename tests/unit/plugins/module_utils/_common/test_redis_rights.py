# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.redis_rights import (
    channel_patterns,
    deployment_of,
    key_patterns,
    numbers_of_users,
    user_of,
    users_of,
)

LINE = "user (a) on #abc ~x) %R~y ~+select|7 resetchannels &(c) -@all +select|3 (~z) resetchannels -@all +select|4) (%W~w &d +get)"


def test_brackets_of_patterns_stay_and_those_of_selectors_go() -> None:
    name, rights = user_of(LINE)
    assert name == "(a)"
    assert key_patterns(rights) == ["x)", "y", "+select|7", "z)", "w"]
    assert channel_patterns(rights) == {"(c)", "d"}
    assert [right for right in rights if right.startswith("+")] == ["+select|3", "+select|4", "+get"]


@pytest.mark.parametrize(
    ("line", "numbers"),
    [
        (LINE, {3: ["(a)"], 4: ["(a)"]}),
        ("user b off -@all -select +select|12 +select|12", {12: ["b"]}),
        ("user admin on ~* &* +@all", {}),
        ("user c on ~+select|5 +@all -select", {}),
    ],
)
def test_numbers_to_which_users_are_held(line: str, numbers: dict[int, list[str]]) -> None:
    assert numbers_of_users([line]) == numbers


def test_two_users_of_one_number() -> None:
    assert numbers_of_users(["user b on +select|1", "user a on +select|1"]) == {1: ["b", "a"]}


def test_whose_user_it_is() -> None:
    for name in ("a", "a-b", "b"):
        assert [deployment_of(user) for user in users_of(name)] == [name, name]
    assert deployment_of("default") == "default"
