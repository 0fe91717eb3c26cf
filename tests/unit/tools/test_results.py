# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The gate's last lines: how many tests passed, and which did not, from reports as pytest writes them."""

from __future__ import annotations

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
def test_left_out(): pytest.skip("not today")
def test_error(broken): assert True

@pytest.fixture
def broken(): raise RuntimeError("no fixture today")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one whole report and one that ends in the middle."""
    folder = tmp_path_factory.mktemp("reports")
    (folder / "test_some.py").write_text(TESTS)
    # Apart from the settings of this project, and from ansible-test's plugins, which collect nothing outside of it.
    options = ["-c", "/dev/null", "--rootdir", folder, "-p", "no:cacheprovider", "--junitxml", folder / "some.xml"]
    plain = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    subprocess.run([sys.executable, "-m", "pytest", *options, folder], env=plain, capture_output=True, check=False)
    (folder / "torn.xml").write_text((folder / "some.xml").read_text()[:200])
    return folder


def told(what: str, pattern: str) -> str:
    """What the script prints."""
    return subprocess.run([sys.executable, RESULTS, what, pattern], capture_output=True, text=True, check=True).stdout


def test_counts(folder):
    assert told("counts", f"{folder}/*.xml") == "1 passed, 2 failed\n"


def test_failures(folder):
    text = told("failures", f"{folder}/*.xml")
    assert "some: test_some::test_bad\n    E       AssertionError: three is not four\n" in text
    assert "some: test_some::test_error\n" in text
    assert "RuntimeError: no fixture today" in text
    assert "test_good" not in text
    assert "test_left_out" not in text


def test_no_reports(folder):
    assert told("counts", f"{folder}/*.none") == "0 passed, 0 failed\n"
    assert told("failures", f"{folder}/*.none") == ""
