# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every task of every example passes the validation that the module itself begins with."""

from __future__ import annotations

import re

import pytest

from ansible_collections.selfhost.langgraph.tests.unit.plugins.modules.helper import (
    COLLECTION,
    MODULES,
    NAMES,
    called,
    documented,
    load,
    problems,
    required,
    tasks,
    uses,
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_are_valid(name: str) -> None:
    asked = called(name)
    for given in uses(name):
        assert problems(given, asked["argument_spec"], asked) == []


@pytest.mark.parametrize("name", NAMES)
def test_examples_use_the_module_and_all_that_it_requires(name: str) -> None:
    assert uses(name)
    for option in required(documented(name)):
        assert re.search(rf"^[ -]*{option}:", load(name).EXAMPLES, re.MULTILINE), option


@pytest.mark.parametrize("name", NAMES)
def test_tasks_have_names_and_other_modules_their_full_ones(name: str) -> None:
    for task in tasks(name):
        assert re.match(r"[A-Z]", task["name"])
        assert [key for key in task if "." in key], task["name"]
        ours = [key for key in task if key.startswith(f"{COLLECTION}.")]
        assert all(key.removeprefix(f"{COLLECTION}.") in NAMES for key in ours), task["name"]


WRONG = {
    "an unknown option": {"deployments": [], "time_out": 5},
    "a required one is missing": {"timeout": 5},
    "a required one inside is missing": {"deployments": [{"name": "bot"}]},
    "another type": {"deployments": [], "timeout": "soon"},
    "another type, beside a template": {"deployments": "{{ all }}", "check_db": "maybe"},
}


@pytest.mark.parametrize("given", WRONG.values(), ids=WRONG)
def test_a_wrong_example_would_be_found(given: dict[str, object]) -> None:
    assert len(problems(given, called("health")["argument_spec"])) == 1


def test_rules_between_options_are_validated_too() -> None:
    asked = called("redis_database")
    given = {"databases": [], "login_uri": "redis://h", "login_unix_socket": "/s"}
    (problem,) = problems(given, asked["argument_spec"], asked)
    assert "mutually exclusive" in problem
