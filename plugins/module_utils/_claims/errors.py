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


def logins_in_use_problem(
    name: str, logins: tuple[str, str], *, kinds: str, kind: str, reported: bool, alone: str
) -> Problem:
    """Return the problem of a new password for which neither of a deployment's two logins is free.

    ``kinds`` and ``kind`` are what the service calls them, ``reported`` is whether all hosts have reported which they use, and
    ``alone`` is what to do if the module is called directly.
    """
    first, second = logins
    if not reported:
        return Problem(
            name,
            "password",
            f"neither of its {kinds} '{first}' and '{second}' has the wanted password, and not all hosts have reported which {kind} they use",
            "run this again when all hosts respond, and remove hosts that no longer exist from the inventory; with the module"
            f" alone, {alone}",
        )
    return Problem(
        name,
        "password",
        f"neither of its {kinds} '{first}' and '{second}' has the wanted password, and both are in use",
        "run this with the previous password once more, wait until the older of its revisions has ended, then change it",
    )


def raise_for_problems(problems: t.Iterable[Problem]) -> None:
    """Raise Refused if there is any problem."""
    found = list(problems)
    if found:
        raise Refused(found)
