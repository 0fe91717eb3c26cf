# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The users of a server, as ``ACL LIST`` writes them. No I/O here."""

from __future__ import annotations

import re
import typing as t
from collections import defaultdict

_PATTERN_SIGNS = ("&", "~", "%")
_SELECT = re.compile(r"\+select\|([0-9]+)")


def user_of(line: str) -> tuple[str, list[str]]:
    """Give the name of a user and its rights, those of selectors too."""
    _user, name, *words = line.split()
    return name, list(_rights(words))


def _rights(words: t.Iterable[str]) -> t.Iterator[str]:
    """Leave out the brackets of selectors, and keep those that patterns have.

    A selector begins with "(", as no right does, and ends with a rule for commands.
    """
    inside = False
    for word in words:
        if word.startswith("(") and not inside:
            inside, word = True, word[1:]
        if inside and word.endswith(")") and not word.startswith(_PATTERN_SIGNS):
            inside, word = False, word[:-1]
        yield word


def key_patterns(rights: t.Iterable[str]) -> list[str]:
    """Give the patterns of keys, of those too that may only be read or written (``%R~``)."""
    return [word.partition("~")[2] for word in rights if word.startswith(("~", "%"))]


def channel_patterns(rights: t.Collection[str]) -> set[str]:
    """Give the patterns of channels."""
    return {word[1:] for word in rights if word.startswith("&")} | ({"*"} if "allchannels" in rights else set())


def numbers_of_users(lines: t.Iterable[str]) -> dict[int, list[str]]:
    """Give the numbers to which users are held, with the names of these; a user that may select any is held to none."""
    found: dict[int, list[str]] = defaultdict(list)
    for line in lines:
        name, rights = user_of(line)
        for match in filter(None, (_SELECT.fullmatch(word) for word in rights)):
            if name not in found[int(match[1])]:
                found[int(match[1])].append(name)
    return dict(found)
