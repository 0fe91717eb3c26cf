# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The users of a server, in the format of ``ACL LIST``. No I/O."""

from __future__ import annotations

import re
import typing as t
from collections import defaultdict

_PATTERN_SIGNS = ("&", "~", "%")
_SELECT = re.compile(r"\+select\|([0-9]+)")
# A deployment's name has no dot, so its second user has no other deployment's name.
_SECOND = ".b"


def users_of(name: str) -> tuple[str, str]:
    """Return the names of a deployment's two users, which alternate when the password changes."""
    return name, name + _SECOND


def deployment_of(user: str) -> str:
    """Return the deployment to which one of its two users belongs; other names are returned without the suffix too."""
    return user[: -len(_SECOND)] if user.endswith(_SECOND) else user


def user_of(line: str) -> tuple[str, list[str]]:
    """Return the name of a user and its rights, including those of selectors."""
    _user, name, *words = line.split()
    return name, list(_rights(words))


def _rights(words: t.Iterable[str]) -> t.Iterator[str]:
    """Remove the parentheses of selectors, and keep those of patterns.

    A selector begins with "(", which no right does, and ends with a rule for commands.
    """
    inside = False
    for word in words:
        if word.startswith("(") and not inside:
            inside, word = True, word[1:]
        if inside and word.endswith(")") and not word.startswith(_PATTERN_SIGNS):
            inside, word = False, word[:-1]
        yield word


def key_patterns(rights: t.Iterable[str]) -> list[str]:
    """Return the patterns of keys, including read-only and write-only ones (``%R~``)."""
    return [word.partition("~")[2] for word in rights if word.startswith(("~", "%"))]


def channel_patterns(rights: t.Collection[str]) -> set[str]:
    """Return the patterns of channels."""
    return {word[1:] for word in rights if word.startswith("&")} | ({"*"} if "allchannels" in rights else set())


def numbers_of_users(lines: t.Iterable[str]) -> dict[int, list[str]]:
    """Map database numbers to the names of the users that are restricted to them; unrestricted users are left out."""
    found: dict[int, list[str]] = defaultdict(list)
    for line in lines:
        name, rights = user_of(line)
        for match in filter(None, (_SELECT.fullmatch(word) for word in rights)):
            if name not in found[int(match[1])]:
                found[int(match[1])].append(name)
    return dict(found)
