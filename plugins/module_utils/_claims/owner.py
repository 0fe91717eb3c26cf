# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The owner of a claim: the inventory that made it."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.errors import ClaimError
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import Problem

OWNER = re.compile(r"[A-Za-z0-9_-]{1,64}")
NAMESPACE = "selfhost.langgraph"  # the key of our JSON in comments, and the prefix of our keys in Redis


@dataclass(frozen=True)
class Owner:
    """The inventory that makes the request: its fingerprint, its previous fingerprints, and whether it takes over others' claims."""

    name: str | None = None
    previous: tuple[str, ...] = ()
    take_over: bool = False

    def __post_init__(self) -> None:
        """Raise ClaimError for an owner that could not be read back from a record, where it follows a space."""
        for owner in [*([] if self.name is None else [self.name]), *self.previous]:
            if not OWNER.fullmatch(owner):
                raise ClaimError(
                    f"the owner {owner!r} is not made of 1 to 64 letters, digits, '-' and '_'; set owner and"
                    " previous_owners to fingerprints of inventories"
                )

    def may_have(self, found: str | None) -> bool:
        """Return whether a record with that owner is ours. A record without an owner is from an earlier version and is adopted."""
        return self.take_over or found is None or found == self.name or found in self.previous

    def problem(self, name: str, what: str, found: str | None) -> Problem | None:
        """Return the problem if another inventory owns the record; ``what`` is what is owned, such as 'Redis database 3'."""
        if self.may_have(found):
            return None
        return Problem(
            name,
            "name",
            f"its {what} belongs to another inventory: its owner is {found}, ours is {self.name or 'not set'}",
            "use another name; if the claim is yours, set langgraph_previous_secret_key to the previous secret key, or, if that"
            " key is lost, take the claim over with -e langgraph_take_over=true",
        )


def owner_of(params: t.Mapping[str, t.Any]) -> Owner:
    """Read the owner from the options of a module; raise ClaimError if it is invalid."""
    return Owner(params.get("owner"), tuple(params.get("previous_owners") or ()), bool(params.get("take_over")))
