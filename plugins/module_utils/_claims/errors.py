# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Errors that both claim modules share: the refusal, and what it is for both."""

from __future__ import annotations

import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._common import problems as _problems
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import Problem


class ClaimError(Exception):
    """The server cannot be used as asked; the text is for the person at the keyboard."""


class Refused(ClaimError, _problems.Refused):
    """The request must not be carried out, so nothing was changed."""


def confirm_problems(entries: t.Iterable[t.Mapping[str, t.Any]]) -> t.Iterator[Problem]:
    """Find confirmations that do not name what they confirm."""
    for entry in entries:
        if entry.get("confirm") not in (None, entry["name"]):
            yield Problem(
                entry["name"],
                "confirm",
                f"it says '{entry['confirm']}', which is not the deployment's name",
                "repeat the name to have its data deleted, or leave it out to keep them",
            )


def refuse(problems: t.Iterable[Problem]) -> None:
    """Raise when there is any problem."""
    found = list(problems)
    if found:
        raise Refused(found)
