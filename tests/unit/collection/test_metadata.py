# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Metadata of the collection that is in several places is the same in all of them."""

from __future__ import annotations

import ast
import re
import sys
import typing as t
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[3]
DISTRIBUTIONS = {"yaml": "PyYAML"}


def load(path: str) -> dict[str, t.Any]:
    return yaml.safe_load((ROOT / path).read_text())


GALAXY = load("galaxy.yml")
ENVIRONMENT = load("meta/execution-environment.yml")


def pins(path: str) -> dict[str, str]:
    """Return name -> version, or the minimum version."""
    lines = (line.partition(";")[0].strip() for line in (ROOT / path).read_text().splitlines())
    found = (re.fullmatch(r"([\w.-]+)(?:\[\w+\])?[=>]=([\w.]+)", line) for line in lines if line and line[0] != "#")
    return {match[1]: match[2] for match in found if match}


def test_the_execution_environment_uses_existing_files() -> None:
    assert ENVIRONMENT["version"] == 3
    assert set(ENVIRONMENT["dependencies"]) == {"galaxy", "python", "system"}
    for name in ENVIRONMENT["dependencies"].values():
        assert (ROOT / name).is_file()
        assert name not in GALAXY["build_ignore"]


def test_collections_have_the_same_version_everywhere() -> None:
    asked = {item["name"]: item["version"] for item in load("requirements.yml")["collections"]}
    assert asked == GALAXY["dependencies"]
    example = {item["name"] for item in load("examples/single-host/requirements.yml")["collections"]}
    assert example == {"selfhost.langgraph", *asked}
    installed = (ROOT / "tests/tools/dependencies.py").read_text()
    assert all(f'"{name}"' in installed for name in asked)


def test_roles_use_no_other_collection() -> None:
    text = "\n".join(
        path.read_text() for directory in ("roles", "playbooks") for path in sorted((ROOT / directory).rglob("*.yml"))
    )
    used = set(re.findall(r"\b(community\.\w+)\.\w+:", text))
    assert used == set(GALAXY["dependencies"])


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add((node.module or "").partition(".")[0])
    return found


def test_python_requirements_are_the_imports_of_modules() -> None:
    """A control node has PyYAML through ansible-core; a host does not."""
    by_directory = {
        directory: sorted((ROOT / "plugins" / directory).rglob("*.py")) for directory in ("modules", "module_utils")
    }
    used = {name for paths in by_directory.values() for path in paths for name in imports(path)}
    # Files that are next to it on a host, where unit helpers are not in a package.
    beside = set(re.findall(r"_helper_dir ~ '/(\w+)\.py'", (ROOT / "roles/langgraph/vars/main.yml").read_text()))
    third_party = used - sys.stdlib_module_names - {"ansible", "ansible_collections"} - beside
    assert {DISTRIBUTIONS.get(name, name) for name in third_party} == set(pins("requirements.txt"))


def test_unit_tests_use_the_pinned_versions() -> None:
    tools = pins("requirements/tools.txt")
    needed = pins("tests/unit/requirements.txt")
    assert needed == {name: tools[name] for name in needed}


def test_the_version_of_ansible_is_the_same_everywhere() -> None:
    (oldest,) = re.fullmatch(r">=(\d+\.\d+)\.0", load("meta/runtime.yml")["requires_ansible"]).groups()  # type: ignore[union-attr]
    assert f"ansible-core=={oldest}." in (ROOT / "requirements/tools.txt").read_text()
    assert f"ansible-core {oldest}" in (ROOT / "README.md").read_text()
