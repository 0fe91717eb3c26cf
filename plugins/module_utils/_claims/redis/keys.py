# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Classify the keys of a database, and delete those of its deployment; in steps, so that nobody else has to wait."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.errors import ClaimError
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.connection import Server
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import Problem, shown
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.redis_globs import matcher

STEP = 1000  # keys per step and database
PARALLEL = 50  # databases per round trip


@dataclass
class Content:
    """The content of a database: the count of keys that match its deployment's patterns, of others, and one of these."""

    own: int = 0
    strange: int = 0
    example: str = ""

    def problem(self, name: str, option: str, number: int) -> Problem | None:
        """Return the problem if the database has keys of somebody else."""
        if not self.strange:
            return None
        return Problem(
            name,
            option,
            f"Redis database {number} has {self.strange} keys that do not match its patterns, such as"
            f" '{shown(self.example)}'",
            "find out whose they are; if they are its own, add their pattern to key_patterns, otherwise move them elsewhere",
        )


def classify(server: Server, patterns: t.Mapping[int, t.Sequence[str]]) -> dict[int, Content]:
    """Classify all keys of some databases by the patterns of their deployments."""
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
    """Delete the keys that match, and no others."""
    matchers = {number: matcher(each) for number, each in patterns.items()}
    for number, keys in scan(server, patterns):
        own = [key for key in keys if matchers[number](key)]
        if own:
            unlink(server, number, own)


def unlink(server: Server, number: int, keys: t.Iterable[str]) -> None:
    """Delete keys of a database."""
    _checked(server.pipeline([("SELECT", number), ("UNLINK", *keys), ("SELECT", 0)]))


def scan(server: Server, numbers: t.Iterable[int]) -> t.Iterator[tuple[int, list[str]]]:
    """Yield the keys of databases step by step; some may be repeated, as with ``SCAN``."""
    waiting, cursors = sorted(numbers), t.cast("dict[int, str]", {})
    while waiting or cursors:
        while waiting and len(cursors) < PARALLEL:
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
            raise ClaimError(f"Redis does not permit reading the keys of a database ({reply})")
    return replies
