# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Pub/sub channels, which are not separated by Redis database: only their patterns separate deployments. No I/O."""

from __future__ import annotations

import typing as t
from collections import defaultdict
from dataclasses import dataclass

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import Problem, printable
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.redis_globs import literal, overlap
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.redis_rights import (
    channel_patterns,
    deployment_of,
    user_of,
)

# A channel pattern that marks a Redis user as one that may share its channels. It is stored with the user itself, so that
# it also applies to deployments of another play, and is removed with the user.
SHARED_MARK = "selfhost.langgraph:shared-channels"


@dataclass(frozen=True)
class Listener:
    """A deployment, or another user of the server, with the patterns of its channels."""

    name: str
    patterns: tuple[str, ...]
    shared: bool
    listed: bool = True


def listeners_of(users: t.Iterable[str], leave_out: t.Collection[str]) -> t.Iterator[Listener]:
    """Parse the users of a server (``ACL LIST``) except ``leave_out``; both users of a deployment have its name.

    Users that are off count, as they may be on later.

    A user with all channels is an administrator and is skipped, unless it is the user of a deployment.
    """
    for line in users:
        name, rights = user_of(str(line))
        patterns = channel_patterns(rights)
        if name in leave_out or ("*" in patterns and "+select|" not in line):
            continue
        own = tuple(sorted(patterns - {SHARED_MARK}))
        yield Listener(deployment_of(name), own, SHARED_MARK in patterns, listed=False)


def overlapping_pairs(patterns: t.Iterable[str]) -> t.Iterator[tuple[str, str]]:
    """Yield the pairs of patterns that have a channel in common, including each pattern with itself.

    Only patterns whose literal beginnings match have to be compared, so thousands of different patterns cost little.
    """
    open_ones: list[str] = []
    for pattern in sorted(set(patterns), key=lambda text: (literal(text), text)):
        while open_ones and not literal(pattern).startswith(literal(open_ones[-1])):
            open_ones.pop()
        yield pattern, pattern
        yield from ((other, pattern) for other in open_ones if overlap(other, pattern))
        open_ones.append(pattern)


def channel_findings(listeners: t.Sequence[Listener], options: tuple[str, str]) -> tuple[list[Problem], list[str]]:
    """Find the listed deployments whose channels overlap with others': problems, and the names of those that consented.

    ``options`` are the names of the options for the patterns and for the consent.
    """
    holders: dict[str, list[Listener]] = defaultdict(list)
    for listener in listeners:
        for pattern in listener.patterns:
            holders[pattern].append(listener)
    problems: dict[str, Problem] = {}
    together: set[str] = set()
    for pair in overlapping_pairs(holders):
        for one, other in (pair, pair[::-1]):
            there = _Others(holders[other])
            for here in holders[one]:
                stranger = there.not_sharing_with(here)
                if stranger and here.listed and here.name not in problems:
                    problems[here.name] = _refusal(here, one, stranger, other, options)
                companion = there.sharing_with(here)
                if companion and here.listed:
                    together |= {here.name, companion.name}
    return [problems[name] for name in dict.fromkeys(each.name for each in listeners) if name in problems], sorted(
        together
    )


def _refusal(here: Listener, pattern: str, there: Listener, other: str, options: tuple[str, str]) -> Problem:
    channel_option, shared_option = options
    called = f"'{printable(there.name)}'" + ("" if there.listed else " (not listed)")
    return Problem(
        here.name,
        channel_option,
        f"'{printable(pattern)}' overlaps with '{printable(other)}' of {called}: Redis channels are not separated by database, so"
        " each of the two could read and forge the events of the other",
        "leave the patterns out if the server honours REDIS_KEY_PREFIX, or accept that with"
        f" {shared_option}: true for both",
    )


def _one_each(holders: t.Iterable[Listener]) -> list[Listener]:
    """Return one listener for each of the first two names; a deployment has its name more than once while it rotates."""
    first: dict[str, Listener] = {}
    for holder in holders:
        first.setdefault(holder.name, holder)
        if len(first) == 2:
            break
    return list(first.values())


class _Others:
    """The first owners of a pattern, by whether they share it."""

    def __init__(self, holders: t.Sequence[Listener]) -> None:
        self._all = _one_each(holders)
        self._sharing = _one_each(holder for holder in holders if holder.shared)
        self._strict = _one_each(holder for holder in holders if not holder.shared)

    def not_sharing_with(self, here: Listener) -> Listener | None:
        candidates = self._strict if here.shared else self._all
        return next((other for other in candidates if other.name != here.name), None)

    def sharing_with(self, here: Listener) -> Listener | None:
        candidates = self._sharing if here.shared else []
        return next((other for other in candidates if other.name != here.name), None)


def warnings_of(names: t.Sequence[str]) -> list[str]:
    """Return the warning about shared channels."""
    if not names:
        return []
    return [
        f"shared Redis channels: each of these deployments can read and forge the events of the others: {', '.join(names)}."
    ]
