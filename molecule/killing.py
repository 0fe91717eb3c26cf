# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kill modules at a stage on the real host, and plays after a task (killed_after_each_change).

The collection has no option for this. A test runs its playbook with a copy of the collection that precedes the real
one on Ansible's path: the same files, except a ``failpoints.py`` in which failpoint() kills the process at one stage.
Ansible packs that file into the module that it copies to the host.

    with killed_at("switched"):
        killed = play(wanted)
    assert killed.returncode != 0

``stage`` is any string that is passed to failpoint(); add calls of failpoint() where a test must kill, and their names
to FAILPOINTS or to another tuple next to it.
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

from playbooks import PROJECT

PATH = "ANSIBLE_COLLECTIONS_PATH"
FAILPOINTS_FILE = "plugins/module_utils/_common/failpoints.py"
_KILLING = """

def failpoint(stage: str) -> None:
    import os
    import signal

    if stage == {stage!r}:
        os.kill(os.getpid(), signal.SIGKILL)
"""


def copy_that_dies(directory: Path, stage: str) -> Path:
    """Create the copy below ``directory``, with links to all other files; return the directory of the collection."""
    collection = directory / "ansible_collections/selfhost/langgraph"
    changed = PROJECT / FAILPOINTS_FILE
    parents = [path for path in changed.parents if path.is_relative_to(PROJECT)]
    for original in parents:
        copy = collection / original.relative_to(PROJECT)
        copy.mkdir(parents=True, exist_ok=True)
        for entry in original.iterdir():
            if entry not in (*parents, changed) and entry.name not in ("build", ".git"):
                (copy / entry.name).symlink_to(entry)
    (collection / FAILPOINTS_FILE).write_text(changed.read_text() + _KILLING.format(stage=stage))
    return collection


@contextlib.contextmanager
def killed_at(stage: str) -> t.Iterator[None]:
    """Kill modules of every play in the block at a stage, with SIGKILL."""
    with tempfile.TemporaryDirectory(prefix="dies-at-") as directory, pytest.MonkeyPatch.context() as patch:
        copy_that_dies(Path(directory), stage)
        patch.setenv(PATH, f"{directory}:{os.environ.get(PATH) or PROJECT / 'build/collections'}")
        yield


class Deaths(t.NamedTuple):
    """The result of killed_after_each_change(): the tasks after which the play was killed, and the last run without changes."""

    tasks: list[str]
    last: subprocess.CompletedProcess[str]


def killed_after_each_change(play: t.Callable[..., subprocess.CompletedProcess[str]], limit: int = 60) -> Deaths:
    """Kill a play after each of its changed tasks; each run starts with the state that the previous one left.

    ``play`` runs ansible-playbook with settings, as keywords, in its environment. Each run is killed after its first change;
    so the play is killed at every boundary, and every run starts in the middle of the work of another one. If a task
    reports a change again, as commands do, the run is killed after the following change.
    The last run changes nothing. A task that changes something in each run is a failure, which names it.

        deaths = killed_after_each_change(lambda **settings: run_playbook(inventory, playbook, (), {}, **settings))
        assert "Write the settings" in deaths.tasks
    """
    tasks: list[str] = []
    after, ended = 1, 0
    with tempfile.TemporaryDirectory(prefix="dies-after-") as directory:
        log = Path(directory) / "task"
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
                # It completed with fewer changes: the next run must complete with none.
                after, ended = 1, ended + 1
    raise AssertionError(f"the play does not complete without a change; it was killed after {tasks}")
