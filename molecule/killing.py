# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules that die at a stage on the real host, and plays that die after a task (killed_after_each_change).

The collection has no switch for that. A test runs its playbook with a copy of the collection that stands before the real
one on Ansible's path: the same files, but for a ``failpoints.py`` in which failpoint() kills the process at one stage. Ansible
packs that one into the module that it ships.

    with killed_at("switched"):
        killed = play(wanted)
    assert killed.returncode != 0

``stage`` is any text that is handed to failpoint(); add calls of failpoint() where a test is to kill, and their names to FAILPOINTS
or to a tuple of your own beside it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import typing as t
from pathlib import Path

import pytest
from plays import PROJECT

PATH = "ANSIBLE_COLLECTIONS_PATH"
STAGES_FILE = "plugins/module_utils/_common/failpoints.py"
_KILLING = """

def failpoint(stage: str) -> None:
    import os
    import signal

    if stage == {stage!r}:
        os.kill(os.getpid(), signal.SIGKILL)
"""


def copy_that_dies(folder: Path, stage: str) -> Path:
    """Make the copy under ``folder``, of links but for the one file; give the folder of the collection."""
    collection = folder / "ansible_collections/selfhost/langgraph"
    changed = PROJECT / STAGES_FILE
    folders = [path for path in changed.parents if path.is_relative_to(PROJECT)]
    for original in folders:
        copy = collection / original.relative_to(PROJECT)
        copy.mkdir(parents=True, exist_ok=True)
        for entry in original.iterdir():
            if entry not in (*folders, changed) and entry.name not in ("build", ".git"):
                (copy / entry.name).symlink_to(entry)
    (collection / STAGES_FILE).write_text(changed.read_text() + _KILLING.format(stage=stage))
    return collection


@contextlib.contextmanager
def killed_at(stage: str) -> t.Iterator[None]:
    """Have modules of every play that starts in the block die at a stage, as if the machine had taken them."""
    with tempfile.TemporaryDirectory(prefix="dies-at-") as folder, pytest.MonkeyPatch.context() as patch:
        copy_that_dies(Path(folder), stage)
        patch.setenv(PATH, f"{folder}:{os.environ.get(PATH) or PROJECT / 'build/collections'}")
        yield


class Deaths(t.NamedTuple):
    """What killed_after_each_change() saw: the tasks after which the play died, and its end once nothing was left to change."""

    tasks: list[str]
    last: subprocess.CompletedProcess[str]


def killed_after_each_change(play: t.Callable[..., subprocess.CompletedProcess[str]], limit: int = 60) -> Deaths:
    """Have a play die after each of its tasks that changes something, each run where the one before left the host.

    ``play`` runs ansible-playbook with settings, as keywords, in its environment. Each run dies after its first change; so the
    play dies at every boundary that there is, and every run begins in the middle of the work of another one. Where a task
    says that it has changed something although it had before, as commands do, the run dies after the change that follows.
    The last run changed nothing. A task that changes something each time is a failure, which names it.

        deaths = killed_after_each_change(lambda **settings: run_playbook(inventory, playbook, (), {}, **settings))
        assert "Write the settings" in deaths.tasks
    """
    tasks: list[str] = []
    after, ended = 1, 0
    with tempfile.TemporaryDirectory(prefix="dies-after-") as folder:
        log = Path(folder) / "task"
        while len(tasks) < limit and ended < 2:
            log.unlink(missing_ok=True)
            done = play(
                ANSIBLE_CALLBACK_PLUGINS=str(PROJECT / "molecule/callbacks"),
                ANSIBLE_CALLBACKS_ENABLED="dies_after",
                DIES_AFTER=str(after),
                DIES_AFTER_LOG=str(log),
            )
            if log.exists():
                assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr
                task = log.read_text(encoding="utf-8")
                after = after + 1 if task in tasks else 1
                tasks.append(task)
            elif after == 1 or done.returncode != 0:
                return Deaths(list(dict.fromkeys(tasks)), done)
            else:
                # It came to its end with fewer changes: the next one has to come there with none.
                after, ended = 1, ended + 1
    raise AssertionError(f"the play does not come to an end without a change; it died after {tasks}")
