# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each promise in README.md and docs/security.md has a test, and one that runs in every gate."""

from __future__ import annotations

import importlib.util
import sys
import types
import typing as t
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[3]


def load(path: str) -> types.ModuleType:
    """Load a test module that is not in a package."""
    spec = importlib.util.spec_from_file_location(f"_tested_{Path(path).stem}", PROJECT / path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses resolve their annotations there
    spec.loader.exec_module(module)
    return module


book: t.Any = load("tests/unit/docs/promises.py")
marks: t.Any = load("tests/tools/essential.py")
PROMISES = book.promises()


@pytest.mark.parametrize("page", book.PAGES)
def test_every_sentence_has_an_entry(page: str) -> None:
    """Also, each entry is a sentence of its page."""
    text = (PROJECT / page).read_text(encoding="utf-8")
    there = book.sentences(text, book.PAGES[page])
    entries = [promise.says for promise in PROMISES if promise.page == page]
    assert [sentence for sentence in there if sentence not in entries] == [], "not in tests/promises.yml"
    assert [sentence for sentence in entries if sentence not in there] == [], f"not in {page}"
    assert len(set(entries)) == len(entries)


def test_pages_are_those_that_promise() -> None:
    assert {promise.page for promise in PROMISES} == set(book.PAGES)


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.says[:60])
def test_it_is_held_by_tests_that_exist_and_always_run(promise: t.Any) -> None:
    """Alternatively, there is a reason why it needs none."""
    assert bool(promise.held_by) != bool(promise.because), "either held_by or no_promise"
    assert [why for why in map(book.missing, promise.held_by) if why] == []
    essential = set(marks.essential(PROJECT))
    always = [test for test in promise.held_by if not book.may_be_left_out(test) or test in essential]
    assert promise.because or always, "each of these tests may be left out for lack of time: mark one `essential`"


def test_how_pages_are_read() -> None:
    page = """\
# Title
<!-- A comment. -->
**A threat. With two.** It does `this`. And
that. *Not done:* more. `Code` begins one

## Left out
Not read.

## A table
| head | of it |
|---|---|
| a | b. C |

```text
No sentence.
```
"""
    assert book.sentences(page, {"Left out"}) == ["It does `this`.", "And that.", "`Code` begins one", "| a | b. C |"]


@pytest.mark.parametrize(
    ("identifier", "why"),
    [
        ("tests/unit/docs/test_promises.py::test_how_pages_are_read", None),
        ("tests/unit/docs/test_promises.py::test_nothing", "tests/unit/docs/test_promises.py has no 'test_nothing'"),
        ("tests/nothing.py::test_nothing", "there is no file tests/nothing.py"),
        ("molecule/default/molecule.yml::idempotence", None),
        ("molecule/default/molecule.yml::nothing", "molecule/default/molecule.yml has no 'nothing'"),
        ("molecule/default/side_effect.yml::Reboot the test hosts", None),
        ("tests/torture/run.py", None),
    ],
)
def test_what_exists(identifier: str, why: str | None) -> None:
    assert book.missing(identifier) == why


def test_what_may_be_left_out() -> None:
    assert book.may_be_left_out("molecule/default/tests/test_host.py::test_x")
    assert not book.may_be_left_out("molecule/default/molecule.yml::idempotence")
    assert not book.may_be_left_out("tests/integration/claims/test_trespass.py::test_x")


def test_marks() -> None:
    source = """
import pytest
@pytest.mark.essential
def test_a(): ...
@pytest.mark.parametrize("x", [1, pytest.param(2, marks=pytest.mark.essential)])
def test_b(x): ...
@pytest.mark.release("trixie")
def test_c(): ...
def helper(): ...
"""
    assert list(marks.essential_of(source)) == ["test_a", "test_b"]
    marked = "pytestmark = [pytest.mark.release('trixie'), pytest.mark.essential]\n"
    assert list(marks.essential_of(marked + source)) == ["test_a", "test_b", "test_c"]
