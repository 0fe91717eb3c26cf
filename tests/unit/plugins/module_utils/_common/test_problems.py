# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Problems as lines, and values in them."""

from __future__ import annotations

import datetime
import typing as t

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import (
    Problem,
    Refused,
    printable,
    printable_key,
    type_name,
)

PROBLEM = Problem("bot", "port", "is taken", "choose another one")


def test_a_problem_is_one_line() -> None:
    assert str(PROBLEM) == "deployment 'bot', option 'port': is taken; choose another one"
    assert str(Problem("image_builds 1", "image", "is missing", "set it")) == (
        "image_builds 1, option 'image': is missing; set it"
    )
    # A deployment may have a similar name.
    assert str(Problem("image-builds", "port", "x", "y")).startswith("deployment 'image-builds', ")


def test_a_problem_as_data() -> None:
    assert PROBLEM.place == ("bot", "port")
    assert PROBLEM.as_dict() == {
        "deployment": "bot",
        "option": "port",
        "finding": "is taken",
        "remedy": "choose another one",
    }


def test_a_refusal_has_a_line_for_each() -> None:
    refused = Refused((PROBLEM, Problem("other", "image", "is missing", "set it")))
    assert str(refused).splitlines() == [
        "deployment 'bot', option 'port': is taken; choose another one",
        "deployment 'other', option 'image': is missing; set it",
    ]
    assert refused.problems[0] is PROBLEM
    assert isinstance(refused.problems, list)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        (5, "5"),
        ("two\nlines\t and  spaces ", "two lines and spaces"),
        ("\x1b[31mred\x00", "[31mred"),
        ("a" * 60, "a" * 60),
        ("a" * 61, "a" * 57 + "..."),
        ("", ""),
    ],
)
def test_printable_values(value: t.Any, text: str) -> None:
    assert printable(value) == text


def test_printable_values_of_another_length() -> None:
    assert printable("abcdef", 5) == "ab..."
    assert printable("abcde", 5) == "abcde"


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("NAME", "NAME"),
        ("NAME=secret", "NAME"),
        ("NAME: secret", "NAME"),
        ("NAME secret", "NAME"),
        ("NAME=a:b c", "NAME"),
        ("A:B=C", "A"),
        (5, "5"),
    ],
)
def test_a_key_that_contains_its_value_by_mistake(key: t.Any, text: str) -> None:
    assert printable_key(key) == text


class Own(str):
    """A subclass, as Ansible's own strings are."""


@pytest.mark.parametrize(
    ("value", "word"),
    [
        (True, "true or false"),
        (0, "a number"),
        (0.5, "a number"),
        ("x", "a string"),
        (Own("x"), "a string"),
        ({}, "a mapping"),
        ([], "a list"),
        ((), "a list"),
        (datetime.date(2026, 1, 1), "a date"),
        (datetime.datetime(2026, 1, 1), "a date"),
        (None, "null"),
        (b"x", "a bytes"),
        ({1}, "a set"),
    ],
)
def test_types_in_words(value: t.Any, word: str) -> None:
    assert type_name(value) == word
