# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The last lines of the gate: how many tests passed, and which did not, from reports as pytest writes them."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

RESULTS = Path(__file__).parents[2] / "tools/results.py"
TESTS = """
import pytest

def test_good(): assert True
def test_bad():
    number = 3
    assert number == 4, "three is not four"
def test_skipped(): pytest.skip("not today")
def test_left_out(): pytest.skip("left out, the gate is late; its scenario alone runs it")
def test_elsewhere(): pytest.skip("trixie runs it")
@pytest.mark.parametrize("number", [1, 2])
def test_some(number):
    if number == 2: pytest.skip("left out, the gate is late, after 3 of 24")
def test_error(broken): assert True

@pytest.fixture
def broken(): raise RuntimeError("no fixture today")
"""


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with a complete report and a truncated one."""
    directory = tmp_path_factory.mktemp("reports")
    (directory / "test_some.py").write_text(TESTS)
    # Without the settings of this project and ansible-test's plugins, which collect nothing outside of it.
    options = [
        "-c",
        "/dev/null",
        "--rootdir",
        directory,
        "-p",
        "no:cacheprovider",
        "--junitxml",
        directory / "some.xml",
    ]
    plain = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    subprocess.run([sys.executable, "-m", "pytest", *options, directory], env=plain, capture_output=True, check=False)
    (directory / "torn.xml").write_text((directory / "some.xml").read_text()[:200])
    return directory


def output(what: str, pattern: str) -> str:
    """Return the output of the script."""
    return subprocess.run([sys.executable, RESULTS, what, pattern], capture_output=True, text=True, check=True).stdout


def test_counts(directory):
    assert output("counts", f"{directory}/*.xml") == "2 passed, 2 failed, 2 skipped\n"


def test_skipped(directory):
    assert output("skipped", f"{directory}/*.xml") == (
        "tests left out for lack of time: 2, run by another release alone: 1, skipped for other reasons: 1\n"
    )


@pytest.fixture
def results(monkeypatch):
    """Return the script as a module."""
    monkeypatch.syspath_prepend(str(RESULTS.parent))
    spec = importlib.util.spec_from_file_location("_tested_results", RESULTS)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_missing(directory, results):
    """A failure counts as failed and as run; a test that was skipped, or is in no report, as not run."""
    names = ("good", "bad", "error", "some", "left_out", "elsewhere", "nowhere")
    wanted = [f"test_some.py::test_{name}" for name in names]
    assert results.missing(f"{directory}/*.xml", wanted) == [f"test_some.py::test_{name}" for name in names[4:]]


def test_essential_tests_without_a_report(directory):
    """By the marks in the sources of this project: none of the tests is in the reports."""
    lines = output("missing", f"{directory}/*.xml").splitlines()
    assert "molecule/rollout/tests/test_upgrade.py::test_upgrade_and_rollback_under_load" in lines
    assert len(lines) >= 40


def test_reasons_match_those_of_molecule():
    text = (RESULTS.parents[2] / "molecule/conftest.py").read_text(encoding="utf-8")
    assert 'pytest.skip("left out, the gate is late' in text
    assert 'pytest.skip(f"{marker.args[0]} runs it")' in text


def test_failures(directory):
    text = output("failures", f"{directory}/*.xml")
    assert "some: test_some::test_bad\n    E       AssertionError: three is not four\n" in text
    assert "some: test_some::test_error\n" in text
    assert "RuntimeError: no fixture today" in text
    assert "test_good" not in text
    assert "test_left_out" not in text


def test_no_reports(directory):
    assert output("counts", f"{directory}/*.none") == "0 passed, 0 failed, 0 skipped\n"
    assert output("failures", f"{directory}/*.none") == ""


def test_promised_integration_tests_that_were_skipped(directory, results, tmp_path):
    """A promise whose test was skipped is not kept."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/promises.yml").write_text(
        "page:\n- says: one\n  held_by: [tests/integration/test_a.py::test_b, tests/unit/test_c.py::test_d]\n- says: two\n"
    )
    assert results.promised(tmp_path) == ["tests/integration/test_a.py::test_b"]
    lines = output("promised", f"{directory}/*.xml").splitlines()
    assert lines == results.promised()
