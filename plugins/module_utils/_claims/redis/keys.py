# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Whose keys a number holds, and the deletion of a deployment's own; in steps, so that nobody else has to wait."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.errors import ClaimError
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.connection import Server
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import Problem, printable
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.redis_globs import matcher

STEP = 1000  # keys a step and number
ABREAST = 50  # numbers that are read in one round trip


@dataclass
class Content:
    """What a number holds: how many keys that match its deployment's patterns, how many others, and one of these."""

    own: int = 0
    strange: int = 0
    example: str = ""

    def problem(self, name: str, option: str, number: int) -> Problem | None:
        """Refuse keys that are somebody else's."""
        if not self.strange:
            return None
        return Problem(
            name,
            option,
            f"Redis number {number} holds {self.strange} keys that do not match its patterns, such as"
            f" '{printable(self.example)}'",
            "find out whose they are; if they are its own, name their pattern in key_patterns, else move them elsewhere",
        )


def look(server: Server, patterns: t.Mapping[int, t.Sequence[str]]) -> dict[int, Content]:
    """Read all keys of some numbers, each by the patterns of its deployment."""
    found = {number: Content() for number in patterns}
    matchers = {number: matcher(each) for number, each in patterns.items()}
    for number, keys in scan(server, patterns):
        content = found[number]
        strange = [key for key in keys if not matchers[number](key)]
        content.own += len(keys) - len(strange)
        content.strange += len(strange)
        content.example = content.example or (strange[0] if strange else "")
    return found


def delete(server: Server, patterns: t.Mapping[int, t.Sequence[str]]) -> None:
    """Delete the keys that match, and no other."""
    matchers = {number: matcher(each) for number, each in patterns.items()}
    for number, keys in scan(server, patterns):
        own = [key for key in keys if matchers[number](key)]
        if own:
            unlink(server, number, own)


def unlink(server: Server, number: int, keys: t.Iterable[str]) -> None:
    """Delete keys of a number."""
    _checked(server.pipeline([("SELECT", number), ("UNLINK", *keys), ("SELECT", 0)]))


def scan(server: Server, numbers: t.Iterable[int]) -> t.Iterator[tuple[int, list[str]]]:
    """Give the keys of numbers step by step; some may come twice, as with ``SCAN``."""
    waiting, cursors = sorted(numbers), t.cast("dict[int, str]", {})
    while waiting or cursors:
        while waiting and len(cursors) < ABREAST:
            cursors[waiting.pop(0)] = "0"
        batch: list[tuple[str | int, ...]] = []
        for number, cursor in cursors.items():
            batch += [("SELECT", number), ("SCAN", cursor, "COUNT", STEP)]
        replies = _checked(server.pipeline([*batch, ("SELECT", 0)]))[1::2]
        for number, (cursor, keys) in zip(list(cursors), replies):
            yield number, list(keys)
            cursors[number] = str(cursor)
            if cursors[number] == "0":
                del cursors[number]


def _checked(replies: t.Sequence[t.Any]) -> t.Sequence[t.Any]:
    for reply in replies:
        if isinstance(reply, Exception):
            raise ClaimError(f"Redis does not let us look whose keys a number holds ({reply})")
    return replies
