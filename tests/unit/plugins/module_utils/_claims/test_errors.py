# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Refusals that Redis and Postgres have in common."""

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

PROBLEMS = [Problem("a", "name", "one", "this"), Problem("b", "name", "two", "that")]


@pytest.mark.parametrize(
    ("entry", "refused"),
    [
        ({"name": "a"}, False),
        ({"name": "a", "confirm": None}, False),
        ({"name": "a", "confirm": "a"}, False),
        ({"name": "a", "confirm": "b"}, True),
        ({"name": "a", "confirm": ""}, True),
        ({"name": "a", "confirm": "A"}, True),
    ],
)
def test_a_confirmation_is_the_name_or_is_left_out(entry: dict[str, t.Any], refused: bool) -> None:
    found = list(confirm_problems([entry]))
    assert bool(found) == refused
    if refused:
        assert str(found[0]) == (
            f"deployment 'a', option 'confirm': '{entry['confirm']}' is not the deployment's name; set it to the name to delete"
            " the deployment's data, or leave it out to keep the data"
        )


def test_every_wrong_confirmation_is_found() -> None:
    entries = [{"name": name, "confirm": "x"} for name in ("a", "x", "b")]
    assert [problem.deployment for problem in confirm_problems(entries)] == ["a", "b"]


def test_all_problems_are_raised_at_once() -> None:
    with pytest.raises(Refused) as caught:
        raise_for_problems(iter(PROBLEMS))
    assert caught.value.problems == PROBLEMS
    assert str(caught.value) == "deployment 'a', option 'name': one; this\ndeployment 'b', option 'name': two; that"


def test_no_problem_raises_nothing() -> None:
    raise_for_problems([])
    raise_for_problems(iter(()))


def test_a_refusal_is_a_claim_error_and_the_refusal_of_all_modules() -> None:
    assert issubclass(Refused, ClaimError)
    assert issubclass(Refused, _problems.Refused)
