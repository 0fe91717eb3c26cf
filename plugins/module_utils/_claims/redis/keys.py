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
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import Problem, printable
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.redis_globs import matcher

STEP = 1000  # keys per step and database
PARALLEL = 50  # databases per round trip


@dataclass
class Content:
    """The content of a database: the count of keys that match its deployment's patterns, of others, and one of these."""

    own: int = 0
    strange: int = 0
    example: str = ""

    def problem(self, name: str, option: str, db: int) -> Problem | None:
        """Return the problem if the database has keys of somebody else."""
        if not self.strange:
            return None
        return Problem(
            name,
            option,
            f"Redis database {db} has {self.strange} keys that do not match its patterns, such as"
            f" '{printable(self.example)}'",
            "find out whose they are; if they are its own, add their pattern to key_patterns, otherwise move them elsewhere",
        )


def classify(server: Server, patterns: t.Mapping[int, t.Sequence[str]]) -> dict[int, Content]:
    """Classify all keys of some databases by the patterns of their deployments."""
    found = {db: Content() for db in patterns}
    matchers = {db: matcher(each) for db, each in patterns.items()}
    for db, keys in scan(server, patterns):
        content = found[db]
        strange = [key for key in keys if not matchers[db](key)]
        content.own += len(keys) - len(strange)
        content.strange += len(strange)
        content.example = content.example or (strange[0] if strange else "")
    return found


def delete(server: Server, patterns: t.Mapping[int, t.Sequence[str]]) -> None:
    """Delete the keys that match, and no others."""
    matchers = {db: matcher(each) for db, each in patterns.items()}
    for db, keys in scan(server, patterns):
        own = [key for key in keys if matchers[db](key)]
        if own:
            unlink(server, db, own)


def unlink(server: Server, db: int, keys: t.Iterable[str]) -> None:
    """Delete keys of a database."""
    _checked(server.pipeline([("SELECT", db), ("UNLINK", *keys), ("SELECT", 0)]))


def scan(server: Server, dbs: t.Iterable[int]) -> t.Iterator[tuple[int, list[str]]]:
    """Yield the keys of databases step by step; some may be repeated, as with ``SCAN``."""
    waiting, cursors = sorted(dbs), t.cast("dict[int, str]", {})
    while waiting or cursors:
        while waiting and len(cursors) < PARALLEL:
            cursors[waiting.pop(0)] = "0"
        batch: list[tuple[str | int, ...]] = []
        for db, cursor in cursors.items():
            batch += [("SELECT", db), ("SCAN", cursor, "COUNT", STEP)]
        replies = _checked(server.pipeline([*batch, ("SELECT", 0)]))[1::2]
        for db, (cursor, keys) in zip(list(cursors), replies):
            yield db, list(keys)
            cursors[db] = str(cursor)
            if cursors[db] == "0":
                del cursors[db]


def _checked(replies: t.Sequence[t.Any]) -> t.Sequence[t.Any]:
    for reply in replies:
        if isinstance(reply, Exception):
            raise ClaimError(f"Redis does not permit reading the keys of a database ({reply})")
    return replies
