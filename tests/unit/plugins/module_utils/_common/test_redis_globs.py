# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import fnmatch
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.redis_globs import literal, matcher, overlap

PATTERNS = st.text(alphabet="ab*?[]^-\\", max_size=7)


def redis_match(pattern: bytes, text: bytes) -> bool:
    """What Redis does, written after ``stringmatchlen`` line by line, to compare with."""
    while pattern and text:
        if pattern[:1] == b"*":
            while pattern[1:2] == b"*":
                pattern = pattern[1:]
            if len(pattern) == 1:
                return True
            return any(redis_match(pattern[1:], text[start:]) for start in range(len(text)))
        if pattern[:1] == b"[":
            pattern = pattern[1:]
            negated = pattern[:1] == b"^"
            pattern = pattern[1:] if negated else pattern
            found = False
            while True:
                if len(pattern) >= 2 and pattern[:1] == b"\\":
                    pattern = pattern[1:]
                    found = found or pattern[:1] == text[:1]
                elif pattern[:1] == b"]" or not pattern:
                    break
                elif len(pattern) >= 3 and pattern[1:2] == b"-":
                    first, last = sorted((pattern[0], pattern[2]))
                    found = found or first <= text[0] <= last
                    pattern = pattern[2:]
                else:
                    found = found or pattern[:1] == text[:1]
                pattern = pattern[1:]
            if found == negated:
                return False
        elif pattern[:1] != b"?":
            if pattern[:1] == b"\\" and len(pattern) >= 2:
                pattern = pattern[1:]
            if pattern[:1] != text[:1]:
                return False
        text, pattern = text[1:], pattern[1:]
    if not text:
        pattern = pattern.lstrip(b"*")
    return not pattern and not text


NAMES = ["".join(name) for length in range(5) for name in itertools.product("ab]^-", repeat=length)]


@settings(max_examples=200)
@given(PATTERNS)
def test_matches_as_redis_does(pattern: str) -> None:
    matches = matcher([pattern])
    assert [name for name in NAMES if matches(name)] == [
        name for name in NAMES if redis_match(pattern.encode(), name.encode())
    ]


@settings(max_examples=300)
@given(PATTERNS, PATTERNS)
def test_patterns_that_share_a_name_meet(one: str, other: str) -> None:
    left, right = matcher([one]), matcher([other])
    if any(left(name) and right(name) for name in NAMES):
        assert overlap(one, other)
    assert len({overlap(*pair) for pair in ((one, other), (other, one))}) == 1


PLAIN = st.text(alphabet="ab*?", max_size=5)


@settings(max_examples=300)
@given(PLAIN, PLAIN)
def test_patterns_that_meet_share_a_name(one: str, other: str) -> None:
    """Without classes, a name that both match is at most as long as both together."""
    names = ("".join(name) for length in range(9) for name in itertools.product("ab", repeat=length))
    left, right = matcher([one]), matcher([other])
    assert overlap(one, other) == any(left(name) and right(name) for name in names)


@pytest.mark.parametrize(
    ("one", "other", "met"),
    [
        ("lg:*", "lg:run-fanout:*", True),
        ("a:*", "b:*", False),
        ("a:*", "a-b:*", False),
        ("*:events", "a:*", True),
        ("a*z", "a*b", False),
        ("a?c", "ab[cd]", True),
        ("a[^b]c", "abc", False),
        ("[]", "*", False),
        ("*", "", True),
        ("\\*", "a", False),
        ("\\*", "*", True),
        ("a[à-é]", "ax", True),
        ("é*", "é", True),
    ],
)
def test_meetings(one: str, other: str, met: bool) -> None:
    assert [overlap(*pair) for pair in ((one, other), (other, one))] == [met, met]


def test_a_range_beyond_ascii_deletes_nothing() -> None:
    assert not matcher(["[a-é]"])("b")
    assert matcher(["[ab]*"])("b\udcff")
    assert not matcher([])("a")


def test_literal() -> None:
    assert [literal(text) for text in ("a:*", "a?b", "a\\*", "abc", "[a]")] == [b"a:", b"a", b"a", b"abc", b""]


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("*", "a", True),
        ("a*c", "abbc", True),
        ("a?c", "abc", True),
        ("a?c", "ac", False),
        (r"a\*", "a*", True),
        (r"a\*", "ab", False),
        ("s[a-z]lf", "self", True),
        ("s[^a]lf", "self", True),
        ("self.x", "selfyx", False),
        ("a", "ab", False),
        ("*\n", "a\n", True),
    ],
)
def test_patterns_match_like_redis(pattern: str, text: str, expected: bool) -> None:
    assert matcher([pattern])(text) is expected


@given(st.text("ab*?."), st.text("ab."))
def test_patterns_match_like_fnmatch_where_both_agree(pattern: str, text: str) -> None:
    assert matcher([pattern])(text) == fnmatch.fnmatchcase(text, pattern)


def test_bytes_are_compared() -> None:
    assert overlap("\udcc3*", "é:*")
    assert not overlap("\udcc4*", "é:*")
