# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Types of a deployment's options: what is converted, and what is refused although ansible-core would convert it."""

from __future__ import annotations

import typing as t

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.deployment_options import OPTIONS
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.option_types import check_types

LEAST = {"name": "bot", "image": "bot:1", "port": 8123}


def problems(**options: t.Any) -> list[str]:
    return [str(problem) for problem in check_types({**LEAST, **options}, "bot")[1]]


CONVERTED = {
    ("port", "8124"): 8124,
    ("port", " +8124 "): 8124,
    ("cpus", 2): 2.0,
    ("cpus", "0.5"): 0.5,
    ("tls", "Yes"): True,
    ("tls", "0"): False,
    ("extensions", ("vector",)): ["vector"],
}


@pytest.mark.parametrize(("option", "given"), CONVERTED, ids=str)
def test_converted(option: str, given: t.Any) -> None:
    values, found = check_types({**LEAST, option: given}, "bot")
    assert found == []
    assert values[option] == CONVERTED[option, given]
    assert type(values[option]) is type(CONVERTED[option, given])


def test_defaults() -> None:
    values, found = check_types({**LEAST, "tls": None}, "bot")
    assert found == []
    assert values == {name: LEAST.get(name, option.default) for name, option in OPTIONS.items()}


ERRORS_HERE = {
    "a number as a name": ("image", 5, "is a number (5); it must be a string"),
    "a truth value as a name": ("image", True, "is true or false (True); it must be a string"),
    "a list as text": ("extensions", "a,b", "is a string (a,b); it must be a list of strings"),
    "a mapping as text": ("env", "A=1", "is a string; it must be a mapping"),
    "a fraction as a port": ("port", 8123.0, "is a number (8123.0); it must be a whole number"),
    "a truth value as a port": ("port", True, "is true or false (True); it must be a whole number"),
    "a number as a truth value": ("tls", 1, "is a number (1); it must be true or false"),
    "infinity": ("cpus", "inf", "is a string (inf); it must be a number"),
    "a truth value as a number": ("cpus", True, "is true or false (True); it must be a number"),
    "a list of numbers": ("extensions", [5], "is a list with items that are not strings; it must be a list of strings"),
}


@pytest.mark.parametrize(("option", "given", "message"), ERRORS_HERE.values(), ids=ERRORS_HERE)
def test_ansible_core_would_convert_it(option: str, given: t.Any, message: str) -> None:
    """The reason for code of our own: each of these is a typing error that would only be noticed later."""
    assert problems(**{option: given}) == [f"deployment 'bot', option '{option}': {message}"]
    kind = OPTIONS[option].kind
    specification = {option: {"type": kind, **({"elements": "str"} if kind == "list" else {})}}
    assert ArgumentSpecValidator(specification).validate({option: given}).error_messages == []
