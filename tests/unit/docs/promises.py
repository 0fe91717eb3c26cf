# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the sentences and table rows of README.md and docs/security.md, and their tests from tests/promises.yml."""

from __future__ import annotations

import ast
import re
import typing as t
from dataclasses import dataclass
from pathlib import Path

import yaml

PROJECT = Path(__file__).parents[3]
FILE = PROJECT / "tests/promises.yml"
# The pages with promises, and their sections without: getting started, further reading, limitations.
PAGES: dict[str, frozenset[str]] = {
    "README.md": frozenset(
        {"Demo and tests", "On your own machines", "What is not supported", "Documentation", "Contributing"}
    ),
    "docs/security.md": frozenset(),
}
# A sentence ends where the next one starts: with a capital, a digit, a code span, a link or an emphasis.
ENDS = re.compile(r"(?<=[.?!])\s+(?=[A-Z`\[*0-9])")
# The title of a threat, before its description.
TITLE = re.compile(r"^\*\*[^*]+\*\*\s+")
# Sentences with this mark describe what is not done.
NOT_DONE = "*Not done:*"


@dataclass(frozen=True)
class Promise:
    """An entry of tests/promises.yml: a sentence of a page with its tests, or the reason why it needs none."""

    page: str
    says: str
    held_by: tuple[str, ...]
    because: str


def promises() -> list[Promise]:
    """Return all entries, in the order of the file."""
    found = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return [
        Promise(page, entry["says"], tuple(entry.get("held_by", ())), entry.get("no_promise", ""))
        for page, entries in found.items()
        for entry in entries
    ]


def sentences(text: str, without: t.Collection[str] = ()) -> list[str]:
    """Return the sentences and table rows of a Markdown page, without code blocks, headings, table headers and given sections."""
    text = re.sub(r"<!--.*?-->|^```.*?^```$", "\n", text, flags=re.DOTALL | re.MULTILINE)
    found: list[str] = []
    for section in re.split(r"^#+ ", text, flags=re.MULTILINE)[1:]:
        title, _line, body = section.partition("\n")
        if title.strip() not in without:
            for block in re.split(r"\n\s*\n", body):
                found += _rows(block) if block.lstrip().startswith("|") else _sentences(block)
    return found


def _rows(block: str) -> list[str]:
    return [line.strip() for line in block.strip().splitlines()[2:]]


def _sentences(block: str) -> list[str]:
    found = (" ".join(sentence.split()) for sentence in ENDS.split(TITLE.sub("", block.strip())))
    return [sentence for sentence in found if sentence and not sentence.startswith(NOT_DONE)]


def missing(identifier: str) -> str | None:
    """Return why there is no such test, or None if it exists.

    A test is FILE.py::FUNCTION, a step or a task of a scenario (FILE.yml::NAME), or a script that `make test` runs.
    """
    name, _colons, part = identifier.partition("::")
    path = PROJECT / name
    if not path.is_file():
        return f"there is no file {name}"
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".yml":
        known = set(_names(yaml.safe_load(text)))
    elif part:
        known = {node.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)}
    else:
        return None
    return None if part in known else f"{name} has no '{part}'"


def _names(node: t.Any) -> t.Iterator[str]:
    """Yield the names of tasks and plays in a playbook, or the steps of a scenario."""
    if isinstance(node, dict):
        if isinstance(node.get("name"), str):
            yield node["name"]
        yield from node.get("test_sequence", ())
        for value in node.values():
            yield from _names(value)
    elif isinstance(node, list):
        for value in node:
            yield from _names(value)


def may_be_left_out(identifier: str) -> bool:
    """Return whether it is a Molecule test: a late gate skips those that are not essential."""
    return identifier.startswith("molecule/") and ".py" in identifier
