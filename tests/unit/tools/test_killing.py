# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module that Ansible sends from the copy of the collection dies at one stage; the collection itself cannot."""

from __future__ import annotations

import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
MODULE = """
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.failpoints import FAILPOINTS, failpoint

module = AnsibleModule(argument_spec={})
for stage in FAILPOINTS:
    failpoint(stage)
module.exit_json(msg="reached them all")
"""


@pytest.fixture
def ship(tmp_path: Path) -> list[str]:
    """Return the command with which Ansible runs a module that reaches every stage."""
    pytest.importorskip("ansible.cli")
    (tmp_path / "library").mkdir()
    (tmp_path / "library/reach_stages.py").write_text(MODULE)
    ad_hoc = [sys.executable, "-m", "ansible.cli.adhoc", "localhost", "-m", "reach_stages"]
    return [*ad_hoc, "-M", str(tmp_path / "library"), "-e", f"ansible_python_interpreter={sys.executable}"]


def run(command: list[str], collections: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": collections, "SELFHOST_LANGGRAPH_FAILPOINT": "switched"}
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


PLAY = """
- hosts: localhost
  gather_facts: false
  tasks:
    - name: Write the first
      ansible.builtin.copy: {content: a, dest: "{{ lookup('env', 'WHERE') }}/first", mode: "0600"}
      notify: Make the third of it
    - name: Change nothing
      ansible.builtin.debug: {msg: nothing}
    - name: Write the second
      ansible.builtin.copy: {content: b, dest: "{{ lookup('env', 'WHERE') }}/second", mode: "0600"}
  handlers:
    - name: Make the third of it
      ansible.builtin.copy: {content: c, dest: "{{ lookup('env', 'WHERE') }}/third", mode: "0600"}
"""


@pytest.fixture
def play(tmp_path: Path) -> t.Callable[..., subprocess.CompletedProcess[str]]:
    """Return a play of two tasks and a handler, which is run with settings in its environment."""
    pytest.importorskip("ansible.cli")
    (tmp_path / "play.yml").write_text(PLAY)
    command = [
        sys.executable,
        "-m",
        "ansible.cli.playbook",
        "-i",
        "localhost,",
        "-c",
        "local",
        str(tmp_path / "play.yml"),
    ]
    command += ["-e", f"ansible_python_interpreter={sys.executable}"]

    def run(**settings: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "WHERE": str(tmp_path), **settings}
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)

    return run


@pytest.mark.skipif(not (ROOT / "molecule/killing.py").exists(), reason="ansible-test copies no molecule/")
def test_a_play_dies_after_each_change_and_forgets_its_handler(
    play: t.Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "molecule"))
    from killing import killed_after_each_change

    deaths = killed_after_each_change(play)
    assert deaths.tasks == ["Write the first", "Write the second"]
    assert "changed=0" in deaths.last.stdout
    # The purpose of the tool: a handler that was notified by a killed run never runs.
    assert not (tmp_path / "third").exists()


@pytest.mark.skipif(not (ROOT / "molecule/killing.py").exists(), reason="ansible-test copies no molecule/")
def test_a_task_that_changes_something_each_time_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "molecule"))
    from killing import killed_after_each_change

    def play(**settings: str) -> subprocess.CompletedProcess[str]:
        if settings["DIES_AFTER"] != "1":
            return subprocess.CompletedProcess([], 0, "", "")
        Path(settings["DIES_AFTER_LOG"]).write_text("Always")
        return subprocess.CompletedProcess([], -9, "", "")

    with pytest.raises(AssertionError, match="complete without a change; it was killed after .'Always', 'Always'"):
        killed_after_each_change(play)


@pytest.mark.skipif(not (ROOT / "molecule/killing.py").exists(), reason="ansible-test copies no molecule/")
def test_a_command_that_is_always_changed_does_not_stop_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only as long as the following tasks have not run; then it is not run again."""
    monkeypatch.syspath_prepend(str(ROOT / "molecule"))
    from killing import killed_after_each_change

    done: list[str] = []

    def play(**settings: str) -> subprocess.CompletedProcess[str]:
        changes = [
            *(["Mask"] if "Install" not in done else []),
            *(one for one in ("Install", "Start") if one not in done),
        ]
        seen = changes[: int(settings["DIES_AFTER"])]
        done.extend(seen)
        if len(seen) < int(settings["DIES_AFTER"]):
            return subprocess.CompletedProcess([], 0, f"changed={len(seen)}", "")
        Path(settings["DIES_AFTER_LOG"]).write_text(seen[-1])
        return subprocess.CompletedProcess([], -9, "", "")

    deaths = killed_after_each_change(play)
    assert (deaths.tasks, deaths.last.stdout) == (["Mask", "Install", "Start"], "changed=0")
