# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Patterns of keys and channels as Redis matches them (``stringmatchlen``): what they match, and whether two overlap.

Redis compares bytes. A token is the set of bytes that match at one position, or STAR for any number of any bytes.
"""

from __future__ import annotations

import re
import typing as t
from functools import lru_cache

Token = t.Optional[t.FrozenSet[int]]  # noqa: UP006, UP045 - Python 3.8
STAR: Token = None
ANY = frozenset(range(256))
ASCII = 128


def _bytes(text: str) -> bytes:
    # Names that are not UTF-8 come from the server with surrogate escapes.
    return text.encode("utf-8", "surrogateescape")


def readable(raw: bytes) -> str:
    """Decode the bytes of a name from the server."""
    return raw.decode("utf-8", "surrogateescape")


def tokens(pattern: str, wide: bool = False) -> list[Token]:
    """Parse a pattern.

    The meaning of a range that ends beyond ASCII depends on the processor. It matches nothing, and with ``wide`` everything,
    so that the caller errs on the safe side.
    """
    raw, position = _bytes(pattern), 0
    found: list[Token] = []
    while position < len(raw):
        char = raw[position : position + 1]
        if char == b"[":
            members, position = _class(raw, position + 1, wide)
            found.append(members)
            continue
        if char == b"\\" and position + 1 < len(raw):
            position += 1
            found.append(frozenset({raw[position]}))
        elif char != b"*":
            found.append(ANY if char == b"?" else frozenset({raw[position]}))
        elif not found or found[-1] is not STAR:
            found.append(STAR)
        position += 1
    return found


def _class(raw: bytes, position: int, wide: bool) -> tuple[frozenset[int], int]:
    """Parse the characters after ``[``; without ``]`` the class ends with the pattern, as in Redis."""
    negated = raw[position : position + 1] == b"^"
    position += negated
    members: set[int] = set()
    doubtful = False
    while position < len(raw) and raw[position : position + 1] != b"]":
        if raw[position : position + 1] == b"\\" and position + 1 < len(raw):
            position += 1
            members.add(raw[position])
        elif position + 2 < len(raw) and raw[position + 1 : position + 2] == b"-":
            first, last = sorted((raw[position], raw[position + 2]))
            doubtful = doubtful or last >= ASCII
            members.update(range(first, last + 1))
            position += 2
        else:
            members.add(raw[position])
        position += 1
    if doubtful:
        return (ANY if wide else frozenset()), position + 1
    return (ANY - members if negated else frozenset(members)), position + 1


def matcher(patterns: t.Iterable[str]) -> t.Callable[[str], bool]:
    """Return a function that reports whether a name matches one of the patterns, exactly as in Redis."""
    texts = [b"".join(_regex(token) for token in tokens(pattern)) for pattern in patterns]
    if not texts:
        return lambda name: False
    compiled = re.compile(b"|".join(b"(?:" + text + b")" for text in texts), re.DOTALL)
    return lambda name: compiled.fullmatch(_bytes(name)) is not None


def _regex(token: Token) -> bytes:
    if token is None:
        return b".*"
    if token == ANY:
        return b"."
    # An empty set matches nothing.
    return b"[" + b"".join(b"\\x%02x" % byte for byte in sorted(token)) + b"]" if token else b"(?!)"


def literal(pattern: str) -> bytes:
    """Return the bytes of a pattern before its first special character."""
    return re.split(rb"[*?\[\\]", _bytes(pattern), maxsplit=1)[0]


@lru_cache(maxsize=4096)
def overlap(one: str, other: str) -> bool:
    """Return whether any name matches both patterns; True in case of doubt."""
    first, second = literal(one), literal(other)
    if not (first.startswith(second) or second.startswith(first)):
        return False
    left, right = tokens(one, wide=True), tokens(other, wide=True)
    # The positions in ``right`` that can be reached together with the current position in ``left``.
    reached = _past_stars({0}, right)
    for token in left:
        reached = _past_stars(_step(token, reached, right), right)
    return len(right) in reached


def _past_stars(places: t.Iterable[int], pattern: t.Sequence[Token]) -> set[int]:
    found = set()
    for place in places:
        found.add(place)
        while place < len(pattern) and pattern[place] is STAR:
            place += 1
            found.add(place)
    return found


def _step(token: Token, places: set[int], pattern: t.Sequence[Token]) -> set[int]:
    """Return the positions after ``token``, which takes one byte, or with STAR any part of the other pattern."""
    found: set[int] = set()
    for place in places:
        if token is None:
            while place < len(pattern) and pattern[place] != frozenset():
                found.add(place)
                place += 1
            found.add(place)
        elif place < len(pattern):
            there = pattern[place]
            if there is None and token:
                found.add(place)
            elif there is not None and token & there:
                found.add(place + 1)
    return found
