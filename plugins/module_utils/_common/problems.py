# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What is wrong with the input, as one line each: deployment, option, finding, remedy."""

from __future__ import annotations

import datetime
import typing as t
from dataclasses import dataclass

LONGEST_SHOWN = 60
_KINDS: tuple[tuple[t.Any, str], ...] = (
    (bool, "true or false"),
    ((int, float), "a number"),
    (str, "text"),
    (t.Mapping, "a mapping"),
    ((list, tuple), "a list"),
    (datetime.date, "a date"),
    (type(None), "null"),
)


@dataclass(frozen=True)
class Problem:
    """One thing to put right before anything may change. No field may hold a secret's value."""

    deployment: str
    option: str
    finding: str
    remedy: str

    def __str__(self) -> str:
        # An entry of image_builds calls itself so, and is no deployment.
        entry = self.deployment.startswith("image_builds ")
        place = self.deployment if entry else f"deployment '{self.deployment}'"
        return f"{place}, option '{self.option}': {self.finding}; {self.remedy}"

    @property
    def place(self) -> tuple[str, str]:
        """Where it is: one problem a place is enough to be told."""
        return self.deployment, self.option

    def as_dict(self) -> dict[str, str]:
        """For a module's result, so that tests and tools need not parse the line."""
        return {
            "deployment": self.deployment,
            "option": self.option,
            "finding": self.finding,
            "remedy": self.remedy,
        }


def shown(value: t.Any, longest: int = LONGEST_SHOWN) -> str:
    """A value that is no secret, on one line and not longer than a line should be."""
    text = " ".join("".join(character if character.isprintable() else " " for character in str(value)).split())
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def shown_key(key: t.Any) -> str:
    """The key of a mapping; of ``NAME=value`` or ``NAME: value``, written as a key by mistake, the name alone."""
    return shown(str(key).partition("=")[0].partition(":")[0].partition(" ")[0])


def kind(value: t.Any) -> str:
    """What a value is, in words; Ansible's own subclasses are what they stand for."""
    return next((word for type_, word in _KINDS if isinstance(value, type_)), f"a {type(value).__name__.lower()}")


class Refused(RuntimeError):
    """What is asked for cannot or must not be done; the text names the deployment, the option and the remedy."""
