# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sentences and table rows of README.md and docs/security.md, and the tests that hold them, from tests/promises.yml."""

from __future__ import annotations

import ast
import re
import typing as t
from dataclasses import dataclass
from pathlib import Path

import yaml

PROJECT = Path(__file__).parents[3]
FILE = PROJECT / "tests/promises.yml"
# The pages that promise, with the sections that say how to begin, where to read on, and what there is not.
PAGES: dict[str, frozenset[str]] = {
    "README.md": frozenset(
        {"Two commands", "On your own machines", "What is not supported", "Documentation", "Contributing"}
    ),
    "docs/security.md": frozenset(),
}
# A sentence ends where the next one begins: with a capital, a digit, a code span, a link or an emphasis.
ENDS = re.compile(r"(?<=[.?!])\s+(?=[A-Z`\[*0-9])")
# The name of a threat, before what is said of it.
TITLE = re.compile(r"^\*\*[^*]+\*\*\s+")
# What a page says is not done is the opposite of a promise.
NOT_DONE = "*Not done:*"


@dataclass(frozen=True)
class Promise:
    """One entry of tests/promises.yml: a sentence of a page with the tests that hold it, or why it needs none."""

    page: str
    says: str
    held_by: tuple[str, ...]
    because: str


def promises() -> list[Promise]:
    """All entries, in the order of the file."""
    found = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return [
        Promise(page, entry["says"], tuple(entry.get("held_by", ())), entry.get("no_promise", ""))
        for page, entries in found.items()
        for entry in entries
    ]


def sentences(text: str, without: t.Collection[str] = ()) -> list[str]:
    """The sentences and table rows of a page in Markdown; without code blocks, headings, heads of tables, named sections."""
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
    """Why there is no such test, or None where there is one.

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
    """The names of tasks and plays in a playbook, or the steps of a scenario."""
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
    """Whether it is a Molecule test: a late gate leaves out those that are not essential."""
    return identifier.startswith("molecule/") and ".py" in identifier
