# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that the role installs for its units are complete: a host has only Python's standard library."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

from ansible_collections.selfhost.langgraph.tests.unit.roles.helper import SHIPPED, VARIABLES

ROOT = Path(__file__).parents[3]
TEMPLATES = ROOT / "roles/langgraph/templates"


def imports(path: Path) -> set[str]:
    found = set()
    tree = ast.parse(path.read_text())
    for node in tree.body:
        # On the host it is not part of a package.
        if isinstance(node, ast.If) and ast.unparse(node.test) == "__package__":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
    return found


def test_all_of_the_roles_files_are_installed() -> None:
    files = {path.name for path in (ROOT / "roles/langgraph/files").iterdir() if path.is_file()}
    assert files <= set(SHIPPED)
    assert {"_bounded_http.py", "_ports.py", "_probe.py", "_runs.py"} < set(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_no_import_is_missing_on_the_host(name: str) -> None:
    beside = {file.removesuffix(".py") for file in SHIPPED}
    assert imports(SHIPPED[name]) <= {*sys.stdlib_module_names, *beside}


@pytest.mark.parametrize("unit", ["langgraph@.service", "langgraph-drain@.service"])
def test_units_run_installed_files(unit: str) -> None:
    text = (TEMPLATES / f"{unit}.j2").read_text()
    assert f"/etc/systemd/system/{unit}" in VARIABLES
    programs = re.findall(r"^Exec\w+=/usr/bin/python3 -I {{ _langgraph_helper_dir }}/(\S+)", text, re.MULTILINE)
    assert programs
    assert set(programs) <= set(SHIPPED)
