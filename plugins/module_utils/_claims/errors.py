# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Errors and refusals that the Redis and the Postgres claim modules share."""

from __future__ import annotations

import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._common import problems as _problems
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import Problem


class ClaimError(Exception):
    """The server cannot be used as requested; the message is shown to the user."""


class Unavailable(ClaimError):
    """The server cannot be reached, or it does not accept the login."""


class Refused(ClaimError, _problems.Refused):
    """The request was refused, and nothing was changed."""


def confirm_problems(entries: t.Iterable[t.Mapping[str, t.Any]]) -> t.Iterator[Problem]:
    """Find entries whose confirmation is not the name of the deployment."""
    for entry in entries:
        if entry.get("confirm") not in (None, entry["name"]):
            yield Problem(
                entry["name"],
                "confirm",
                f"'{entry['confirm']}' is not the deployment's name",
                "set it to the name to delete the deployment's data, or leave it out to keep the data",
            )


def raise_for_problems(problems: t.Iterable[Problem]) -> None:
    """Raise Refused if there is any problem."""
    found = list(problems)
    if found:
        raise Refused(found)
