# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Refusals of claims."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.errors import (
    ClaimError,
    Refused,
    confirm_problems,
    raise_for_problems,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._common import problems as _problems
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import Problem

ONE, TWO = Problem("a", "name", "is wrong", "correct it"), Problem("b", "name", "is wrong too", "correct that")


def test_all_problems_are_raised_at_once() -> None:
    with pytest.raises(Refused) as refused:
        raise_for_problems(iter([ONE, TWO]))
    assert refused.value.problems == [ONE, TWO]
    assert str(refused.value) == f"{ONE}\n{TWO}"


def test_without_a_problem_nothing_is_raised() -> None:
    raise_for_problems(iter(()))


def test_a_refusal_is_caught_as_both() -> None:
    """The claim modules catch one, what they share with others catches the other."""
    assert issubclass(Refused, ClaimError)
    assert issubclass(Refused, _problems.Refused)


CONFIRMED: dict[str, tuple[dict[str, t.Any], bool]] = {
    "not confirmed": ({"name": "bot"}, True),
    "left out": ({"name": "bot", "confirm": None}, True),
    "its name": ({"name": "bot", "confirm": "bot"}, True),
    "another name": ({"name": "bot", "confirm": "other"}, False),
    "another case": ({"name": "bot", "confirm": "Bot"}, False),
    "nothing": ({"name": "bot", "confirm": ""}, False),
}


@pytest.mark.parametrize(("entry", "accepted"), CONFIRMED.values(), ids=CONFIRMED)
def test_only_the_name_itself_confirms(entry: dict[str, t.Any], accepted: bool) -> None:
    found = list(confirm_problems([entry]))
    assert (found == []) is accepted
    assert all((problem.deployment, problem.option) == ("bot", "confirm") for problem in found)


def test_each_entry_is_compared_with_its_own_name() -> None:
    entries = [{"name": "a", "confirm": "a"}, {"name": "b", "confirm": "a"}, {"name": "c", "confirm": "b"}]
    assert [problem.deployment for problem in confirm_problems(entries)] == ["b", "c"]
