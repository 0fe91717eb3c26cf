# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What is wrong with the input, as one line each: deployment, option, finding, remedy."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing to put right before anything may change. No field may hold a secret's value."""

    deployment: str
    option: str
    finding: str
    remedy: str

    def __str__(self) -> str:
        return f"deployment '{self.deployment}', option '{self.option}': {self.finding}; {self.remedy}"

    def as_dict(self) -> dict[str, str]:
        """For a module's result, so that tests and tools need not parse the line."""
        return {
            "deployment": self.deployment,
            "option": self.option,
            "finding": self.finding,
            "remedy": self.remedy,
        }
