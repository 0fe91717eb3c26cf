# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every error in image_builds results in one line with the entry, the option and the remedy."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.selfhost.langgraph.plugins.modules import image_build
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._images.build_options import (
    OPTIONS,
    build_options,
    builds_of_deployments,
    check_builds,
    pushes,
)

BUILD = {"image": "bot:1", "directory": "apps/bot"}
SECRET = "s3cr3t-Value-91"
DIGEST = "sha256:" + "0f" * 32


def build(**changes: t.Any) -> dict[str, t.Any]:
    """Return BUILD with changed values; ``...`` removes an option."""
    return {key: value for key, value in {**BUILD, **changes}.items() if value is not ...}


def lines(*entries: t.Any) -> list[str]:
    return [str(problem) for problem in check_builds(entries)[1]]


def complete(*entries: t.Any) -> list[dict[str, t.Any]]:
    builds, problems = check_builds(entries)
    assert problems == []
    return builds


def line(option: str, message: str, number: int = 1) -> list[str]:
    return [f"image_builds entry {number}, option '{option}': {message}"]


HYPHEN = "begins with a hyphen or has a line break; write only the value"
NO_NAME = "is not a valid image name; write NAME:TAG or REGISTRY/NAME:TAG"
REFUSED: dict[str, tuple[tuple[t.Any, ...], list[str]]] = {
    "text": (("apps/bot",), line("-", "is not a mapping; write a mapping with at least image and directory")),
    "null": ((BUILD, None), line("-", "is not a mapping; write a mapping with at least image and directory", 2)),
    "no image": ((build(image=...),), line("image", "is missing; set it to a string")),
    "no directory": ((build(directory=""),), line("directory", "is missing; set it to a string")),
    "neither, twice": (
        ({}, {}),
        [
            problem
            for number in (1, 2)
            for option in ("image", "directory")
            for problem in line(option, "is missing; set it to a string", number)
        ],
    ),
    "image is a number": ((build(image=1.5),), line("image", "is a number; it must be a string")),
    "image is a list": ((build(image=["bot:1"]),), line("image", "is a list; it must be a string")),
    "image with a space": ((build(image="my bot:1"),), line("image", f"'my bot:1' {NO_NAME}")),
    "image in upper case": ((build(image="Bot:1"),), line("image", f"'Bot:1' {NO_NAME}")),
    "image by digest": ((build(image=f"bot@{DIGEST}"),), line("image", f"'bot@{DIGEST[:53]}...' {NO_NAME}")),
    "image by id": ((build(image=DIGEST),), line("image", f"'{DIGEST[:57]}...' {NO_NAME}")),
    "image of two lines": ((build(image="bot:1\nx"),), line("image", f"'bot:1 x' {NO_NAME}")),
    "image without a tag": (
        (build(image="bot"),),
        line("image", "'bot' has no tag; give each release its own tag"),
    ),
    "a port is no tag": (
        (build(image="r.example:5000/bot"),),
        line("image", "'r.example:5000/bot' has no tag; give each release its own tag"),
    ),
    "built twice": (
        (BUILD, build(image="other:1"), build(directory="apps/other")),
        line("image", "is built twice; give each directory its own image", 3),
    ),
    "built twice under another spelling": (
        (BUILD, build(image="docker.io/library/bot:1")),
        line("image", "is built twice; give each directory its own image", 2),
    ),
    "pushed nowhere": (
        (build(push=True),),
        line("push", "'bot:1' has no registry to push to; write REGISTRY/NAME:TAG as image, or remove push"),
    ),
    "typo": ((build(base_imege="x"),), line("base_imege", "is not an option of a build; did you mean 'base_image'?")),
    "no option": (
        (build(xyzzy=1),),
        line("xyzzy", f"is not an option of a build; the options are {', '.join(OPTIONS)}"),
    ),
    "a secret for a key": (
        (build(**{f"KEY={SECRET}": None}),),
        line("KEY", f"is not an option of a build; the options are {', '.join(OPTIONS)}"),
    ),
    "pull is text": ((build(pull="yes"),), line("pull", "is a string; it must be true or false")),
    "push is a number": ((build(push=1),), line("push", "is a number; it must be true or false")),
    "merge_env is a list": ((build(merge_env=[]),), line("merge_env", "is a list; it must be true or false")),
    "version is a number": ((build(api_version=0.7),), line("api_version", "is a number; it must be a string")),
    "args are a list": (
        (build(build_args=[f"A={SECRET}"]),),
        line("build_args", "is a list; it must be a mapping of strings"),
    ),
    "secrets are text": (
        (build(build_secrets=SECRET),),
        line("build_secrets", "is a string; it must be a mapping of strings"),
    ),
    "names are text": (
        (build(readable_build_args="A"),),
        line("readable_build_args", "is a string; it must be a list of strings"),
    ),
    "an option instead of a value: config": ((build(config="--help"),), line("config", HYPHEN)),
    "an option instead of a value: network": ((build(network="-x"),), line("network", HYPHEN)),
    "an option instead of a value: base_image": ((build(base_image="--pull"),), line("base_image", HYPHEN)),
    "an option instead of a value: api_version": ((build(api_version="-1"),), line("api_version", HYPHEN)),
    "an option instead of a value: directory": ((build(directory="-bot"),), line("directory", HYPHEN)),
    "tagged base": (
        (build(base_image="r.example:5000/base:1"),),
        line(
            "base_image",
            "'r.example:5000/base:1' has a tag or digest, and the CLI appends its own; "
            "write only the name, and set the version as api_version",
        ),
    ),
    "two lines": ((build(base_image="x\ny"),), line("base_image", HYPHEN)),
    "arg without a name": (
        (build(build_args={"": SECRET}),),
        line("build_args", "has an invalid name; write NAME: value"),
    ),
    "arg with a bad name": (
        (build(build_args={f"A {SECRET}": "x"}),),
        line("build_args", "has an invalid name; write NAME: value"),
    ),
    "arg with a number for a name": (
        (build(build_args={5: SECRET}),),
        line("build_args", "has an invalid name; write NAME: value"),
    ),
    "secret with a bad name": (
        (build(build_secrets={"../x": SECRET}),),
        line("build_secrets", "has an invalid name; write NAME: value"),
    ),
    "arg is a number": (
        (build(build_args={"A": 5}),),
        line("build_args", "A is a number; it must be a string: write it in quotes"),
    ),
    "secret is a mapping": (
        (build(build_secrets={"A": {SECRET: SECRET}}),),
        line("build_secrets", "A is a mapping; it must be a string: write it in quotes"),
    ),
    **{
        f"variable of the programs: {name}": (
            (build(build_args={name: SECRET}),),
            line("build_args", f"{name} is a variable of the build programs themselves; choose another name"),
        )
        for name in ("PATH", "HOME", "PYTHONPATH", "LD_PRELOAD", "DOCKER_HOST", "LANGGRAPH_CLI_X", "NO_COLOR")
    },
    "readable and unknown": (
        (build(build_args={"A": "x"}, readable_build_args=["A", "B"]),),
        line("readable_build_args", "'B' is not among build_args; remove it or set it in build_args"),
    ),
    "readable with its value": (
        (build(readable_build_args=[f"A={SECRET}"]),),
        line("readable_build_args", "'A' is not among build_args; remove it or set it in build_args"),
    ),
    "readable is a mapping": (
        (build(readable_build_args=[{"A": "x"}]),),
        line("readable_build_args", "'{'A'' is not among build_args; remove it or set it in build_args"),
    ),
    "one problem per option": (
        (build(image=5, push=True, api_version="-1", network=["-"]),),
        [
            *line("image", "is a number; it must be a string"),
            *line("network", "is a list; it must be a string"),
            *line("api_version", HYPHEN),
        ],
    ),
}


@pytest.mark.parametrize(("entries", "expected"), REFUSED.values(), ids=REFUSED)
def test_refused(entries: tuple[t.Any, ...], expected: list[str]) -> None:
    found = lines(*entries)
    assert found == expected
    assert SECRET not in "\n".join(found)


@pytest.mark.parametrize(
    ("raw", "what"), [({}, "a mapping"), ("apps", "a string"), (5, "a number"), (True, "true or false")]
)
def test_not_a_list(raw: t.Any, what: str) -> None:
    builds, problems = check_builds(raw)
    assert builds == []
    assert [str(problem) for problem in problems] == [
        f"deployment '-', option 'image_builds': is {what}; write a list, one entry per directory"
    ]


def test_defaults() -> None:
    (found,) = complete(BUILD)
    assert found == {
        "label": "image_builds entry 1",
        "image": "bot:1",
        "directory": "apps/bot",
        "config": "langgraph.json",
        "base_image": None,
        "api_version": None,
        "pull": True,
        "network": None,
        "build_args": {},
        "readable_build_args": [],
        "build_secrets": {},
        "merge_env": False,
        "push": False,
    }
    assert complete(build(**dict.fromkeys(set(OPTIONS) - {"image", "directory"}))) == [found]


def test_an_empty_list_is_allowed() -> None:
    assert check_builds([]) == check_builds(()) == ([], [])


PUSHED = {
    ("bot:1", None): False,
    ("team/bot:1", None): False,
    ("docker.io/team/bot:1", None): False,
    ("localhost/bot:1", None): True,
    ("registry:5000/bot:1", None): True,
    ("r.example/bot:1", None): True,
    ("r.example/bot:1", False): False,
    ("r.example/bot:1", True): True,
}


@pytest.mark.parametrize(("image", "push"), PUSHED)
def test_an_image_with_a_registry_is_pushed(image: str, push: bool | None) -> None:
    (found,) = complete(build(image=image, push=push))
    assert found["push"] is PUSHED[image, push]


EVERYTHING = build(
    config="sub/langgraph.json",
    base_image="r.example/base",
    api_version="0.7.1",
    pull=False,
    network="none",
    build_args={"A": "x"},
    readable_build_args=["A"],
    build_secrets={"B": "y"},
    merge_env=True,
    push=False,
)


def test_all_options_are_kept() -> None:
    (found,) = complete(EVERYTHING)
    assert found == {"label": "image_builds entry 1", **EVERYTHING}


@pytest.mark.parametrize("entry", [BUILD, EVERYTHING], ids=["least", "everything"])
def test_the_module_accepts_the_build_options(entry: dict[str, t.Any]) -> None:
    documented = image_build.DOCUMENTATION
    options = build_options(complete(entry)[0])
    assert None not in options.values()
    assert {**options, "push": None, "merge_env": None}.keys() >= entry.keys()
    for name in options:
        assert f"\n      {name}:\n" in documented, name


def test_pushes() -> None:
    builds = complete(
        build(image="r.example/one:1"),
        build(image="r.example/two:1"),
        build(image="r.example/not-wanted:1"),
        build(image="r.example/not-pushed:1", push=False),
        build(image="local:1"),
    )
    needs = [
        {"image": "r.example/two:1", "deployments": ["b", "c"]},
        {"image": "r.example/one:1", "deployments": ["a"]},
        {"image": "r.example/not-pushed:1", "deployments": ["d"]},
        {"image": "local:1", "deployments": ["e"]},
        {"image": "pulled:1", "deployments": ["f"]},
    ]
    assert pushes(builds, needs) == [
        {"image": "r.example/one:1", "deployments": ["a"], "optional": True},
        {"image": "r.example/two:1", "deployments": ["b", "c"], "optional": True},
    ]


ANYTHING: st.SearchStrategy[t.Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.integers(), inner, max_size=3),
    max_leaves=5,
)


@given(st.lists(st.dictionaries(st.sampled_from(sorted(OPTIONS)) | st.text(), ANYTHING) | ANYTHING, max_size=3))
def test_any_input_results_in_problems_of_one_line(entries: list[t.Any]) -> None:
    assert all(str(problem).isprintable() for problem in check_builds(entries)[1])


@given(st.sampled_from(["build_args", "build_secrets", "readable_build_args"]), ANYTHING)
def test_no_value_of_an_argument_or_a_secret_is_reported(option: str, value: t.Any) -> None:
    planted = {"A B": SECRET, "C": [SECRET], "D": {SECRET: value}, "E": SECRET}
    for entry in (build(**{option: planted}), build(**{option: [f"A={SECRET}", value]}), build(**{option: SECRET})):
        assert SECRET not in "\n".join(lines(entry))


def test_builds_of_deployments() -> None:
    """Each once. What the check of the deployments refuses is left to it."""
    bot = {"name": "bot", "image": "bot:1", "build": "./app"}
    listed = [
        bot,
        {**bot, "name": "twin"},
        {**bot, "name": "other", "build": "./other"},
        {"name": "pulled", "image": "pulled:1"},
        {**bot, "name": "gone", "image": "gone:1", "state": "stopped"},
        {**bot, "name": "wrong", "build": ["./app"]},
        {"name": "nothing", "build": "./app"},
        "text",
    ]
    assert builds_of_deployments(listed) == [
        ("bot", {"image": "bot:1", "directory": "./app"}),
        ("other", {"image": "bot:1", "directory": "./other"}),
    ]


def test_a_build_of_a_deployment_has_the_deployments_name_in_messages() -> None:
    builds, problems = check_builds([BUILD], [("bot", {"image": "other:1", "directory": "./app"})])
    assert problems == []
    assert [build["label"] for build in builds] == ["image_builds entry 1", "bot"]
    assert builds[1]["pull"] is True
    _builds, problems = check_builds([BUILD], [("bot", {**BUILD, "directory": "./app"})])
    assert [str(problem) for problem in problems] == [
        "deployment 'bot', option 'image': is built twice; give each directory its own image"
    ]
