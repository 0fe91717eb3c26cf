# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Check the list ``image_builds`` of application directories before anything is built. Pure."""

from __future__ import annotations

import difflib
import re
import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.image_reference import (
    IMAGE,
    normal_reference,
    registry_of,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import (
    Problem,
    printable,
    printable_key,
    type_name,
)
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._images.langgraph_json import TAGGED_BASE

PLACE = "image_builds"
# Option -> type and default; None: not set. In the order of the documentation.
OPTIONS: dict[str, tuple[str, t.Any]] = {
    "image": ("str", None),
    "directory": ("str", None),
    "config": ("str", "langgraph.json"),
    "base_image": ("str", None),
    "api_version": ("str", None),
    "pull": ("bool", True),
    "network": ("str", None),
    "build_args": ("dict", {}),
    "readable_build_args": ("list", []),
    "build_secrets": ("dict", {}),
    "merge_env": ("bool", False),
    "push": ("bool", None),
}
_KINDS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "str": (str, "a string"),
    "bool": (bool, "true or false"),
    "dict": (t.Mapping, "a mapping of strings"),  # type: ignore[dict-item]
    "list": ((list, tuple), "a list of strings"),
}
_REQUIRED = ("image", "directory")
# Names that docker build accepts in --build-arg and as a --secret id.
_ARGUMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Build arguments are passed in the environment: these would change the build programs themselves.
_RESERVED = re.compile(r"PATH|HOME|PYTHON.*|LD_.*|DOCKER_.*|LANGGRAPH_CLI_.*|NO_COLOR")


def builds_of_deployments(raw: t.Sequence[t.Any]) -> list[tuple[str, dict[str, t.Any]]]:
    """Return the builds that deployments have as their option ``build``: name of the deployment and entry, each once."""
    found: list[tuple[str, dict[str, t.Any]]] = []
    for entry in raw:
        if not isinstance(entry, t.Mapping) or entry.get("state") == "stopped":
            continue
        image, directory = entry.get("image"), entry.get("build")
        if not (isinstance(image, str) and isinstance(directory, str) and image.strip() and directory.strip()):
            # The check of the deployment reports it.
            continue
        build = {"image": image, "directory": directory}
        if build not in [other for _name, other in found]:
            found.append((printable(entry.get("name")), build))
    return found


def check_builds(
    raw: t.Any, more: t.Sequence[tuple[str, t.Mapping[str, t.Any]]] = ()
) -> tuple[list[dict[str, t.Any]], list[Problem]]:
    """Check the list, and ``more`` of deployments; return the builds with a value for every option, and the problems."""
    if not isinstance(raw, (list, tuple)):
        return [], [Problem("-", PLACE, f"is {type_name(raw)}", "write a list, one entry per directory")]
    builds: list[dict[str, t.Any]] = []
    problems: list[Problem] = []
    for position, entry in enumerate(raw, start=1):
        label = f"{PLACE} entry {position}"
        if not isinstance(entry, t.Mapping):
            problems.append(
                Problem(label, "-", "is not a mapping", "write a mapping with at least image and directory")
            )
            continue
        build, found = _check_one(entry, label)
        builds.append(build)
        problems.extend(found)
    for label, entry in more:
        build, found = _check_one(entry, label)
        builds.append({**build, "option": "build"})
        problems.extend(found)
    seen: set[str] = set()
    for build in (build for build in builds if build["image"]):
        reference = normal_reference(build["image"])
        if reference in seen:
            problems.append(Problem(build["label"], "image", "is built twice", "give each directory its own image"))
        seen.add(reference)
    return builds, problems


def _check_one(entry: t.Mapping[str, t.Any], label: str) -> tuple[dict[str, t.Any], list[Problem]]:
    problems = [_unknown(label, str(key)) for key in entry if key not in OPTIONS]
    build: dict[str, t.Any] = {"label": label}
    for name, (wanted, default) in OPTIONS.items():
        given = entry.get(name)
        build[name] = default
        if given is None or given == "":
            if name in _REQUIRED:
                problems.append(Problem(label, name, "is missing", "set it to a string"))
            continue
        types, words = _KINDS[wanted]
        if not isinstance(given, types):
            problems.append(Problem(label, name, f"is {type_name(given)}", f"it must be {words}"))
            continue
        build[name] = given
    broken = {problem.option for problem in problems}
    problems.extend(problem for problem in _rules(build) if problem.option not in broken)
    if build["push"] is None:
        build["push"] = bool(build["image"]) and registry_of(build["image"]) is not None
    return build, problems


def _unknown(label: str, key: str) -> Problem:
    close = difflib.get_close_matches(key.lower(), OPTIONS, n=1)
    remedy = f"did you mean '{close[0]}'?" if close else f"the options are {', '.join(OPTIONS)}"
    return Problem(label, printable_key(key), "is not an option of a build", remedy)


def _rules(build: t.Mapping[str, t.Any]) -> t.Iterator[Problem]:
    label, image = build["label"], build["image"]
    if image and (not IMAGE.fullmatch(image) or "@" in image or image.startswith("sha256:")):
        yield Problem(
            label, "image", f"'{printable(image)}' is not a valid image name", "write NAME:TAG or REGISTRY/NAME:TAG"
        )
    elif image and ":" not in image.rpartition("/")[2]:
        yield Problem(label, "image", f"'{printable(image)}' has no tag", "give each release its own tag")
    elif image and build["push"] and registry_of(image) is None:
        finding = f"'{printable(image)}' has no registry to push to"
        yield Problem(label, "push", finding, "write REGISTRY/NAME:TAG as image, or remove push")
    yield from _base_rules(label, build["base_image"] or "")
    for name in ("config", "network", "base_image", "api_version", "directory"):
        if build[name] and (str(build[name]).startswith("-") or not str(build[name]).isprintable()):
            # The value becomes an argument of a command.
            yield Problem(label, name, "begins with a hyphen or has a line break", "write only the value")
    for option in ("build_args", "build_secrets"):
        for key, value in build[option].items():
            if not _ARGUMENT.fullmatch(str(key)):
                yield Problem(label, option, "has an invalid name", "write NAME: value")
            elif option == "build_args" and _RESERVED.fullmatch(key):
                yield Problem(
                    label, option, f"{key} is a variable of the build programs themselves", "choose another name"
                )
            elif not isinstance(value, str):
                yield Problem(label, option, f"{key} is {type_name(value)}", "it must be a string: write it in quotes")
    for name in build["readable_build_args"]:
        if not isinstance(name, str) or name not in build["build_args"]:
            finding = f"'{printable_key(name)}' is not among build_args"
            yield Problem(label, "readable_build_args", finding, "remove it or set it in build_args")


def _base_rules(label: str, base: str) -> t.Iterator[Problem]:
    """Refuse a tagged base image: the CLI appends the Python version to its name as a tag (0.4.40, config.docker_tag)."""
    tagged = ":" in base.rpartition("/")[2] or "@" in base
    if tagged and (TAGGED_BASE not in base or "@" in base):
        finding = f"'{printable(base)}' has a tag or digest, and the CLI appends its own"
        yield Problem(label, "base_image", finding, "write only the name, and set the version as api_version")


def build_options(build: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the options of a checked build that the module image_build accepts."""
    return {name: build[name] for name in OPTIONS if name not in ("merge_env", "push") and build[name] is not None}


def pushes(
    builds: t.Iterable[t.Mapping[str, t.Any]], needs: t.Iterable[t.Mapping[str, t.Any]]
) -> list[dict[str, t.Any]]:
    """Return the needed images that must be pushed, in the format of the module registry_image_info."""
    names = {normal_reference(need["image"]): need["deployments"] for need in needs}
    wanted = [normal_reference(build["image"]) for build in builds if build["push"]]
    return [{"image": name, "deployments": names[name], "optional": True} for name in wanted if name in names]
