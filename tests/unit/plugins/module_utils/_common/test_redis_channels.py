# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.redis_channels import (
    SHARED_MARK,
    Listener,
    channel_findings,
    listeners_of,
    overlapping_pairs,
    warnings_of,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.redis_globs import overlap


def found(*listeners: Listener) -> tuple[list[str], list[str]]:
    problems, together = channel_findings(listeners, ("channel_patterns", "shared_channels"))
    return [problem.deployment for problem in problems], together


def lg(name: str, shared: bool = False, listed: bool = True, *patterns: str) -> Listener:
    return Listener(name, patterns or ("lg:*", "lg:run-fanout:*"), shared, listed)


@pytest.mark.parametrize(
    ("listeners", "refused", "together"),
    [
        ([Listener("a", ("a:*",), False), Listener("b", ("b:*",), False)], [], []),
        ([Listener("a", ("a:*",), False), Listener("a-b", ("a-b:*",), False)], [], []),
        ([lg("b"), lg("a")], ["b", "a"], []),
        ([lg("a", True), lg("b")], ["a", "b"], []),
        ([lg("a", True), lg("b", True)], [], ["a", "b"]),
        ([lg("a", True), lg("b", True), lg("c")], ["a", "b", "c"], ["a", "b"]),
        ([lg("a"), lg("b", False, False)], ["a"], []),
        ([lg("a", True), lg("b", False, False)], ["a"], []),
        ([lg("a", True), lg("b", True, False)], [], ["a", "b"]),
        ([lg("a", False, False), lg("b", False, False)], [], []),
        # The other user of a, which has its name, is not the only other one.
        ([lg("a"), lg("a", False, False), lg("b", False, False)], ["a"], []),
        ([lg("a", True), lg("a", True, False), lg("b", True, False)], [], ["a", "b"]),
        ([Listener("a", ("x:*",), False), Listener("b", ("*:events",), False)], ["a", "b"], []),
        ([Listener("a", ("x:*", "x:y"), False)], [], []),
    ],
)
def test_who_hears_whom(listeners: list[Listener], refused: list[str], together: list[str]) -> None:
    assert found(*listeners) == (refused, together)


def test_the_finding_names_both() -> None:
    listeners = [lg("a", False, True, "lg:*"), lg("b", False, False, "lg:x")]
    problem = channel_findings(listeners, ("channels", "shared"))[0][0]
    assert (problem.deployment, problem.option) == ("a", "channels")
    assert "'lg:*' overlaps with 'lg:x' of 'b' (not listed)" in problem.finding
    assert "shared: true" in problem.remedy


PATTERNS = st.lists(st.text("ab*?[]:", max_size=6), max_size=8)


@given(PATTERNS)
def test_every_pair_that_meets_is_found(patterns: list[str]) -> None:
    """The order in which patterns are compared leaves no pair out."""
    expected = {
        frozenset(pair)
        for pair in itertools.combinations_with_replacement(set(patterns), 2)
        if overlap(*pair) or pair[0] == pair[1]
    }
    assert {frozenset(pair) for pair in overlapping_pairs(patterns)} == expected


USERS = [
    "user default off resetchannels &* -@all",
    "user admin on sanitize-payload #abc ~* &* +@all",
    "user a on #abc ~a:* resetchannels &a:* -@all +select|1",
    f"user b on #abc ~b:* resetchannels &lg:* &{SHARED_MARK} -@all +select|2",
    "user c off #abc ~c:* &* -@all +select|3",
    "user app on #abc resetchannels &news -@all (~x resetchannels &more -@all)",
    "user old on allchannels +select|4",
]


def test_users_of_the_server() -> None:
    assert list(listeners_of(USERS, {"a"})) == [
        Listener("b", ("lg:*",), True, False),
        Listener("c", ("*",), False, False),
        Listener("app", ("more", "news"), False, False),
        Listener("old", ("*",), False, False),
    ]


@pytest.mark.parametrize("pattern", ["room)", "(room", "room:*)", "((x))"])
def test_a_bracket_is_part_of_a_pattern(pattern: str) -> None:
    users = [
        f"user a on &{pattern} -@all +select|1",
        f"user b on resetchannels -@all (~x resetchannels &{pattern} -@all) (&second -@all +get)",
    ]
    assert [listener.patterns for listener in listeners_of(users, {"(a)"})] == [
        (pattern,),
        tuple(sorted([pattern, "second"])),
    ]


def test_a_letter_is_cut_by_a_pattern_of_bytes() -> None:
    """Redis compares bytes: the first one of a letter may be a pattern's end."""
    listeners = [Listener("a", ("\udcc3*",), False), Listener("b", ("é:*",), False), Listener("c", ("z",), False)]
    assert found(*listeners) == (["a", "b"], [])


def test_thousands_that_differ_cost_little() -> None:
    listeners = [Listener(f"n{number}", (f"n{number}:*",), False) for number in range(3000)]
    same = [lg(f"n{number}", True) for number in range(3000)]
    began = time.monotonic()
    assert found(*listeners) == ([], [])
    assert len(found(*same)[1]) == len(same)
    assert time.monotonic() - began < 5


def test_the_warning_names_them() -> None:
    assert warnings_of([]) == []
    assert warnings_of(["a", "b"])[0].endswith("events of the others: a, b.")
