# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of deployments and what they become in Postgres."""

from __future__ import annotations

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.names import (
    NAME_LENGTH,
    identifier,
    name_problems,
)


@pytest.mark.parametrize("name", ["a", "a1", "a-b", "a--b", "support-bot-2", "a" * NAME_LENGTH])
def test_good_names(name: str) -> None:
    assert list(name_problems([name])) == []


@pytest.mark.parametrize("name", ["", "A", "1a", "-a", "a-", "a_b", "a.b", "a b", "ä", "a\n", "a" * (NAME_LENGTH + 1)])
def test_bad_names(name: str) -> None:
    (problem,) = name_problems([name])
    assert (problem.deployment, problem.option) == (name, "name")
    assert problem.finding == "it is not a letter followed by up to 62 lower-case letters, digits and inner hyphens"
    assert problem.remedy == "choose another name"


def test_names_that_are_listed_twice() -> None:
    found = list(name_problems(iter(["a", "b", "a", "a"])))
    assert [str(problem) for problem in found] == [
        "deployment 'a', option 'name': it is listed twice; remove one of the two entries"
    ] * 2
    assert len(list(name_problems(["A", "A"]))) == 3


def test_identifiers() -> None:
    assert identifier("support-bot-2") == "support_bot_2"
    assert identifier("a") == "a"
