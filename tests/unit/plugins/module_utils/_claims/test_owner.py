# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The owner of a claim."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.errors import ClaimError
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.owner import NAMESPACE, Owner, owner_of

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


@pytest.mark.parametrize("name", ["a", "A-b_9", "a" * 64])
def test_owners_that_can_be_recorded(name: str) -> None:
    assert Owner(name, (name,)).may_have(name)


def test_the_message_names_both_owners_and_both_remedies() -> None:
    assert str(Owner(OURS).problem("bot", "Redis database 3", THEIRS)) == (
        f"deployment 'bot', option 'name': its Redis database 3 belongs to another inventory: its owner is {THEIRS}, ours is"
        f" {OURS}; use another name; if the claim is yours, set langgraph_previous_secret_key to the previous secret key, or, if"
        " that key is lost, take the claim over with -e langgraph_take_over=true"
    )
    assert "ours is not set; " in str(Owner().problem("bot", "Redis database 3", THEIRS))


@pytest.mark.parametrize(
    ("params", "owner"),
    [
        ({}, Owner()),
        ({"owner": None, "previous_owners": None, "take_over": None}, Owner()),
        ({"owner": OURS}, Owner(OURS)),
        ({"owner": OURS, "previous_owners": [BEFORE], "take_over": True}, Owner(OURS, (BEFORE,), True)),
        ({"previous_owners": [BEFORE], "take_over": False}, Owner(None, (BEFORE,))),
    ],
)
def test_the_owner_of_a_request(params: dict[str, t.Any], owner: Owner) -> None:
    assert owner_of(params) == owner
    with pytest.raises(ClaimError):
        owner_of({**params, "owner": "two words"})


def test_the_namespace_is_that_of_all_records() -> None:
    assert NAMESPACE == "selfhost.langgraph"
