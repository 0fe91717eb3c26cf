# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""List the essential Molecule tests from their sources: the gate always runs these, and fails if it did not.

`essential.py` prints them. A test is marked by a decorator, by one of its parameters or by the `pytestmark` of its file.
"""

from __future__ import annotations

import ast
import typing as t
from pathlib import Path

PROJECT = Path(__file__).parents[2]


def essential(project: Path = PROJECT) -> list[str]:
    """Yield FILE::FUNCTION of each essential test, with the file's path relative to the project."""
    found = []
    for path in sorted(project.glob("molecule/*/tests/test_*.py")):
        name = path.relative_to(project).as_posix()
        found += [f"{name}::{function}" for function in essential_of(path.read_text(encoding="utf-8"))]
    return found


def essential_of(source: str) -> t.Iterator[str]:
    """Yield the essential test functions of one file's source."""
    body = ast.parse(source).body
    whole = any(
        isinstance(node, ast.Assign)
        and any(isinstance(target, ast.Name) and target.id == "pytestmark" for target in node.targets)
        and _marks(node.value)
        for node in body
    )
    tests = (node for node in body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"))
    yield from (test.name for test in tests if whole or any(map(_marks, test.decorator_list)))


def _marks(node: ast.expr) -> bool:
    """Return whether an expression contains `pytest.mark.essential`."""
    return any(isinstance(part, ast.Attribute) and part.attr == "essential" for part in ast.walk(node))


if __name__ == "__main__":
    print("\n".join(essential()))
