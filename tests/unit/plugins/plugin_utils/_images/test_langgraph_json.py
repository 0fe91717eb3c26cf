# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""langgraph.json: whether its base image is pinned, and the variables that an image does not have."""

from __future__ import annotations

import itertools
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.selfhost.langgraph.plugins.plugin_utils._images.langgraph_json import (
    ConfigError,
    baked_env,
    copied_env,
    floats,
    read_config,
)

SECRET = "s3cr3t-Value-91"
DIGEST = "sha256:" + "0f" * 32
# Base image -> whether it determines one version by itself.
BASES: dict[str | None, bool] = {
    None: False,
    "": False,
    "langchain/langgraph-api": False,
    "r.example/langgraph-api": False,
    "r.example:5000/langgraph-api": False,
    "r.example:5000/team/langgraph-api": False,
    # The CLI appends another tag to these, which the check refuses.
    "langchain/langgraph-api:0.7.1": False,
    f"langchain/langgraph-api@{DIGEST}": False,
    "langchain/langgraph-server:0.2.18": True,
    "r.example:5000/team/langgraph-server:0.2.18": True,
    "langchain/langgraph-server:0.2": False,
    "langchain/langgraph-server": False,
}
VERSIONS: dict[t.Any, bool] = {
    None: False,
    "": False,
    "0": False,
    "0.7": False,
    "0.7.1": True,
    "0.7.1rc1": True,
    "0.7.1-py3.12": True,
    ">=0.7.1": False,
    "~=0.7.1": False,
    ">~=0.11.0.dev5": False,
    0.7: False,
}


@pytest.mark.parametrize(("base", "version"), list(itertools.product(BASES, VERSIONS)))
def test_floats(base: str | None, version: t.Any) -> None:
    expected = not (BASES[base] or VERSIONS[version])
    # Set by the build's option, by the file, or by one of each.
    assert floats({}, base, version) is expected
    assert floats({"base_image": base, "api_version": version}, None, None) is expected
    assert floats({"base_image": base}, None, version) is expected
    assert floats({"api_version": version}, base, None) is expected


def test_the_option_overrides_the_file() -> None:
    assert floats({"base_image": "x/langgraph-server:0.2.18"}, "y", None)
    assert not floats({"base_image": "x"}, "y/langgraph-server:0.2.18", None)
    assert floats({"api_version": "0.7.1"}, None, "0.7")
    assert not floats({"api_version": "0.7"}, None, "0.7.1")


def test_the_clis_own_tag_is_a_version() -> None:
    assert not floats({"_INTERNAL_docker_tag": "1"}, None, None)


def files(**texts: str) -> t.Callable[[str], str | None]:
    return lambda path: texts.get(path.replace(".", "_"))


ENVS: dict[str, tuple[t.Any, dict[str, str]]] = {
    "not there": (..., {}),
    "null": (None, {}),
    "empty": ({}, {}),
    "empty text": ("", {}),
    "mapping": ({"A": "1", "_b": ""}, {"A": "1", "_b": ""}),
    "values are written as the server reads them": (
        {"A": 1, "B": True, "C": 0.5, "D": ["x", "y"], "E": {"b": 1}},
        {"A": "1", "B": "true", "C": "0.5", "D": "x,y", "E": '{"b":1}'},
    ),
    "a file": ("_env", {"A": "1", "B": "two words", "C": "3"}),
    "an empty file": ("empty", {}),
}


@pytest.mark.parametrize(("env", "expected"), ENVS.values(), ids=ENVS)
def test_baked_env(env: t.Any, expected: dict[str, str]) -> None:
    config = {} if env is ... else {"env": env}
    read = files(_env="# comment\nA=1\nexport B='two words'\nC=3 # three\n", empty="\n")
    assert baked_env(config, read) == expected


REFUSED: dict[str, tuple[t.Any, str]] = {
    "no such file": (".nothing", "has '.nothing' as env, but there is no such file"),
    "a bad line": ("bad", "has 'bad' as env: line 2 is not NAME=value"),
    "a name twice": ("twice", "has 'twice' as env: line 2 sets A a second time"),
    "a list": ([SECRET], "has a list as env; it must be a mapping or the path of a file"),
    "a number": (5, "has a number as env; it must be a mapping or the path of a file"),
    "true": (True, "has true or false as env; it must be a mapping or the path of a file"),
    "a bad name": ({"A": "1", f"{SECRET} x": "2"}, "has a name in env that is not a valid variable name"),
    "a name with a hyphen": ({"MY-KEY": SECRET}, "has a name in env that is not a valid variable name"),
    "an empty name": ({"": SECRET}, "has a name in env that is not a valid variable name"),
    "a name with a line break": ({"A\n": SECRET}, "has a name in env that is not a valid variable name"),
}


@pytest.mark.parametrize(("env", "message"), REFUSED.values(), ids=REFUSED)
def test_a_refused_env_is_not_repeated(env: t.Any, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        baked_env({"env": env}, files(bad=f"A=1\n{SECRET}\n", twice=f"A={SECRET}\nA=2\n"))
    assert str(error.value) == message
    assert SECRET not in message


def test_read_config() -> None:
    assert read_config('{"graphs": {"agent": "./agent.py:graph"}}') == {"graphs": {"agent": "./agent.py:graph"}}


CONFIGS = {
    "": "is not JSON (Expecting value: line 1 column 1 (char 0))",
    '{"graphs": {': "is not JSON (Expecting property name enclosed in double quotes: line 1...)",
    '{"env": {"A": s3cr3t-Value-91}}': "is not JSON (Expecting value: line 1 column 15 (char 14))",
    "[]": "is a list, not a mapping",
    '"s3cr3t-Value-91"': "is a string, not a mapping",
    "null": "is null, not a mapping",
    "5": "is a number, not a mapping",
}


@pytest.mark.parametrize(("text", "message"), CONFIGS.items())
def test_not_a_config(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        read_config(text)
    assert str(error.value) == message


@given(st.text())
def test_any_content_results_in_a_reason_of_one_line(text: str) -> None:
    reason = ""
    try:
        read_config(text)
    except ConfigError as error:
        reason = str(error)
    assert reason.isprintable()


COPIED: dict[str, tuple[dict[str, t.Any], str | None, str | None]] = {
    "all of the directory": ({"env": ".env", "dependencies": ["."]}, None, ".env"),
    "with other lines": ({"env": "./.env", "dependencies": ["langchain", "."]}, "# .env\n\n*.md\n", "./.env"),
    "in a directory that is copied": ({"env": "./app/.env", "dependencies": ["./app"]}, "", "./app/.env"),
    "excluded": ({"env": "./.env", "dependencies": ["."]}, "*.md\n.env\n", None),
    "excluded by a pattern": ({"env": "sub/.env", "dependencies": ["."]}, "**/*.env\n", None),
    "after a byte order mark": ({"env": ".env", "dependencies": ["."]}, "\ufeff.env\n", None),
    "included again": ({"env": ".env", "dependencies": ["."]}, ".*\n!.env\n", ".env"),
    "in a directory that is not copied": ({"env": ".env", "dependencies": ["./app", "langchain"]}, None, None),
    "above": ({"env": "../.env", "dependencies": ["."]}, None, None),
    "elsewhere": ({"env": "/etc/bot.env", "dependencies": ["."]}, None, None),
    "variables": ({"env": {"A": "1"}, "dependencies": ["."]}, None, None),
    "none": ({"dependencies": ["."]}, None, None),
    "no dependencies": ({"env": ".env"}, None, None),
}


@pytest.mark.parametrize(("config", "dockerignore", "path"), COPIED.values(), ids=COPIED)
def test_an_env_file_that_becomes_part_of_the_image(
    config: dict[str, t.Any], dockerignore: str | None, path: str | None
) -> None:
    assert copied_env(config, dockerignore) == path
