# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The owner of a claim."""

from __future__ import annotations

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.errors import ClaimError
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.owner import Owner

OURS, BEFORE, THEIRS = "o" * 22, "b" * 22, "t" * 22


@pytest.mark.parametrize(
    ("owner", "found", "ours"),
    [
        (Owner(OURS), OURS, True),
        (Owner(OURS), None, True),
        (Owner(OURS), THEIRS, False),
        (Owner(OURS, (BEFORE,)), BEFORE, True),
        (Owner(OURS, (BEFORE,)), THEIRS, False),
        (Owner(OURS, take_over=True), THEIRS, True),
        (Owner(), None, True),
        (Owner(), THEIRS, False),
        (Owner(take_over=True), THEIRS, True),
    ],
)
def test_whom_a_record_belongs_to(owner: Owner, found: str | None, ours: bool) -> None:
    assert owner.may_have(found) == ours
    problem = owner.problem("bot", "Redis number 3", found)
    assert (problem is None) == ours
    if problem:
        assert str(problem).startswith(
            f"deployment 'bot', option 'name': its Redis number 3 belongs to another inventory: its owner is {THEIRS}, ours is "
        )
        assert "\n" not in str(problem)


@pytest.mark.parametrize("wrong", ["team a", "", "a" * 65, "a\nb", "ä"])
def test_an_owner_is_one_plain_word(wrong: str) -> None:
    """In the record of Redis the owner follows the database number, separated by a space."""
    for build in (lambda: Owner(wrong), lambda: Owner(OURS, (wrong,))):
        with pytest.raises(ClaimError, match="letters, digits"):
            build()
