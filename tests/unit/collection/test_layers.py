# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The allowed imports: control node above hosts, rollout above revisions above the host; sibling packages do not import each other."""

from __future__ import annotations

import ast
import typing as t
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PLUGINS = ROOT / "plugins"
PREFIX = "ansible_collections.selfhost.langgraph.plugins."
HOST = "module_utils"
CONTROL = "plugin_utils"


def hosts(*packages: str) -> set[str]:
    return {f"{HOST}/{package}" for package in packages}


CONTROL_NODE = {CONTROL, f"{CONTROL}/_deployments", f"{CONTROL}/_images"}
# Package -> packages that it may import in addition to itself. A package that is missing here fails the test.
ALLOWED: dict[str, set[str]] = {
    f"{HOST}/_common": set(),
    f"{HOST}/_server": set(),
    f"{HOST}/_host": hosts("_common"),
    f"{HOST}/_haproxy": hosts("_common", "_host"),
    f"{HOST}/_claims": hosts("_common"),
    f"{HOST}/_claims/redis": hosts("_common", "_claims"),
    f"{HOST}/_claims/postgres": hosts("_common", "_claims"),
    f"{HOST}/_images": hosts("_common", "_host"),
    f"{HOST}/_revisions": hosts("_common", "_host"),
    f"{HOST}/_rollout": hosts("_common", "_host", "_haproxy", "_server", "_revisions"),
    CONTROL: hosts("_common"),
    f"{CONTROL}/_deployments": {CONTROL, *hosts("_common")},
    f"{CONTROL}/_images": {CONTROL, *hosts("_common")},
    "filter": {*CONTROL_NODE, *hosts("_common")},
    "action": {*CONTROL_NODE, *hosts("_common", "_host", "_images")},
    "modules": hosts(
        *("_common", "_host", "_server", "_claims", "_claims/redis", "_claims/postgres"),
        *("_images", "_revisions", "_rollout"),
    ),
    "doc_fragments": set(),
}
FILES = sorted(PLUGINS.rglob("*.py"))


def package(path: Path) -> str:
    return path.parent.relative_to(PLUGINS).as_posix()


def imported(path: Path) -> t.Iterator[Path]:
    """Return the files of the collection that a file imports, or imports from."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert not any(alias.name.startswith(PREFIX) for alias in node.names), f"{path}: write from ... import"
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: a relative import hides the package"
            if (node.module or "").startswith(PREFIX):
                place = PLUGINS.joinpath(*(node.module or "").removeprefix(PREFIX).split("."))
                file = place.with_suffix(".py")
                yield from [file] if file.exists() else [place / f"{alias.name}.py" for alias in node.names]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PLUGINS).as_posix())
def test_a_file_imports_only_allowed_packages(path: Path) -> None:
    assert {package(file) for file in imported(path)} - {package(path)} <= ALLOWED[package(path)]


def test_every_package_exists() -> None:
    assert {package(path) for path in FILES} == set(ALLOWED)


def test_hosts_receive_only_code_that_modules_need() -> None:
    """Code that only the control node uses is in plugin_utils."""
    reached: set[Path] = set()
    waiting = [path for path in FILES if package(path) == "modules"]
    while waiting:
        found = set(imported(waiting.pop())) - reached
        reached |= found
        waiting += found
    assert [path for path in FILES if path.is_relative_to(PLUGINS / HOST) and path not in reached] == []
