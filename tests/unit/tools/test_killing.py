# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module that Ansible ships from the copy of the collection dies at the one stage; the collection itself cannot."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
MODULE = """
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.langgraph.plugins.module_utils._stages import STAGES, reach

module = AnsibleModule(argument_spec={})
for stage in STAGES:
    reach(stage)
module.exit_json(msg="reached them all")
"""


@pytest.fixture
def ship(tmp_path: Path) -> list[str]:
    """The command that has Ansible run a module which reaches every stage."""
    pytest.importorskip("ansible.cli")
    (tmp_path / "library").mkdir()
    (tmp_path / "library/reach_stages.py").write_text(MODULE)
    ad_hoc = [sys.executable, "-m", "ansible.cli.adhoc", "localhost", "-m", "reach_stages"]
    return [*ad_hoc, "-M", str(tmp_path / "library"), "-e", f"ansible_python_interpreter={sys.executable}"]


def run(command: list[str], collections: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": collections, "SELFHOST_LANGGRAPH_KILL_AT": "switched"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


@pytest.mark.skipif(not (ROOT / "molecule/killing.py").exists(), reason="ansible-test copies no molecule/")
def test_the_module_of_the_copy_dies(ship: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "molecule"))
    from killing import copy_that_dies

    real = str(ROOT / "build/collections")
    copy_that_dies(tmp_path / "copy", "switched")
    done = run(ship, f"{tmp_path / 'copy'}:{real}")
    assert (done.returncode, "reached them all" in done.stdout) == (2, False), done.stdout + done.stderr
    copy_that_dies(tmp_path / "other", "no such stage")
    done = run(ship, f"{tmp_path / 'other'}:{real}")
    assert (done.returncode, "reached them all" in done.stdout) == (0, True), done.stdout + done.stderr


@pytest.mark.skipif(not (ROOT / "build/collections").exists(), reason="ansible-test has no build/")
def test_the_collection_has_no_switch_for_it(ship: list[str]) -> None:
    done = run(ship, str(ROOT / "build/collections"))
    assert (done.returncode, "reached them all" in done.stdout) == (0, True), done.stdout + done.stderr
