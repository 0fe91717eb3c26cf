# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Problems of the input, one line each: deployment, option, finding, remedy."""

from __future__ import annotations

import datetime
import typing as t
from dataclasses import dataclass

LONGEST_SHOWN = 60
_KINDS: tuple[tuple[t.Any, str], ...] = (
    (bool, "true or false"),
    ((int, float), "a number"),
    (str, "a string"),
    (t.Mapping, "a mapping"),
    ((list, tuple), "a list"),
    (datetime.date, "a date"),
    (type(None), "null"),
)


@dataclass(frozen=True)
class Problem:
    """One problem to correct before anything may change. No field may contain a secret."""

    deployment: str
    option: str
    finding: str
    remedy: str

    def __str__(self) -> str:
        # An entry of image_builds is not a deployment.
        entry = self.deployment.startswith("image_builds ")
        place = self.deployment if entry else f"deployment '{self.deployment}'"
        return f"{place}, option '{self.option}': {self.finding}; {self.remedy}"

    @property
    def place(self) -> tuple[str, str]:
        """Return the key for deduplication: one problem is reported per option."""
        return self.deployment, self.option

    def as_dict(self) -> dict[str, str]:
        """Return the entry of a module's result, so that tests and tools need not parse the line."""
        return {
            "deployment": self.deployment,
            "option": self.option,
            "finding": self.finding,
            "remedy": self.remedy,
        }


def printable(value: t.Any, longest: int = LONGEST_SHOWN) -> str:
    """Return a value that is not secret on one line, truncated to ``longest`` characters."""
    text = " ".join("".join(character if character.isprintable() else " " for character in str(value)).split())
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def printable_key(key: t.Any) -> str:
    """Return the key of a mapping; only the name of a key that is ``NAME=value`` or ``NAME: value`` by mistake."""
    return printable(str(key).partition("=")[0].partition(":")[0].partition(" ")[0])


def type_name(value: t.Any) -> str:
    """Return the type of a value in words; Ansible's own subclasses count as their base types."""
    return next((word for type_, word in _KINDS if isinstance(value, type_)), f"a {type(value).__name__.lower()}")


class Refused(Exception):
    """The request cannot or must not be carried out, so nothing was changed; the message has one line per problem."""

    def __init__(self, problems: t.Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = list(problems)
