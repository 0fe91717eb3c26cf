# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A change that users notice is refused without a fragment, whatever history a clone has."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / "tools"
RELEASED = "ancestor: null\nreleases:\n  0.9.0:\n    changes: {}\n  0.10.0:\n    changes: {}\n"
MODULE, FRAGMENT = "plugins/modules/health.py", "changelogs/fragments/health.yml"

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git in the image of `make newest`")


class Clone:
    """Create a repository with one release and its tag."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.write("tests/tools/changelog.py", (TOOLS / "changelog.py").read_text())
        self.write(".gitignore", "/build/\n")
        self.write(MODULE, "one")
        self.write("changelogs/changelog.yaml", RELEASED)
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit()
        self.git("tag", "0.10.0")

    def git(self, *command: str) -> None:
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        subprocess.run(["git", *identity, *command], cwd=self.directory, check=True, capture_output=True)

    def write(self, path: str, text: str) -> None:
        file = self.directory / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message=one")

    def check(self, directory: Path | None = None, **environment: str) -> tuple[bool, str]:
        kept = {name: value for name, value in os.environ.items() if name != "CHANGED_SINCE"}
        command = [sys.executable, "tests/tools/changelog.py"]
        done = subprocess.run(
            command,
            cwd=directory or self.directory,
            env={**kept, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path / "clone")


def test_nothing_changed(clone: Clone) -> None:
    assert clone.check() == (True, "")


@pytest.mark.parametrize("commit", [True, False], ids=["committed", "not yet"])
@pytest.mark.parametrize("path", [MODULE, "roles/redis/tasks/main.yml", "playbooks/site.yml"])
def test_a_change_needs_a_fragment(clone: Clone, path: str, commit: bool) -> None:
    for file, allowed in ((path, False), (FRAGMENT, True)):
        clone.write(file, "two")
        if commit:
            clone.commit()
        good, output = clone.check()
        assert good == allowed
        assert (path in output) != allowed


def test_changes_that_users_do_not_notice_need_no_fragment(clone: Clone) -> None:
    clone.write("tests/unit/test_health.py", "two")
    assert clone.check() == (True, "")


def test_a_removed_module_needs_a_fragment_and_a_removed_fragment_does_not_count(clone: Clone) -> None:
    clone.write(FRAGMENT, "one")
    clone.commit()
    clone.git("tag", "--force", "0.10.0")
    (clone.directory / MODULE).unlink()
    (clone.directory / FRAGMENT).unlink()
    assert not clone.check()[0]


def test_the_range_can_be_set(clone: Clone) -> None:
    clone.write(MODULE, "two")
    clone.commit()
    assert not clone.check()[0]
    assert clone.check(CHANGED_SINCE="HEAD") == (True, "")


def test_before_the_first_release(clone: Clone) -> None:
    clone.write("changelogs/changelog.yaml", "ancestor: null\nreleases: {}\n")
    assert not clone.check()[0]
    clone.write(FRAGMENT, "one")
    assert clone.check() == (True, "")


STRANGERS: dict[str, t.Callable[[Clone], list[str]]] = {
    "shallow": lambda clone: ["clone", "--depth=1", "--no-tags", f"file://{clone.directory}"],
    "without tags": lambda clone: ["clone", "--no-tags", str(clone.directory)],
}


@pytest.mark.parametrize("how", STRANGERS.values(), ids=STRANGERS)
def test_a_shallow_clone(clone: Clone, tmp_path: Path, how: t.Callable[[Clone], list[str]]) -> None:
    clone.write(MODULE, "two")
    clone.commit()
    other = tmp_path / "other"
    clone.git(*how(clone), str(other))
    assert clone.check(other)[0]
    good, output = clone.check(other, CHANGED_SINCE="0" * 39 + "1")
    assert good
    assert "not in this clone" in output


def test_an_export_has_no_range(clone: Clone) -> None:
    shutil.rmtree(clone.directory / ".git")
    assert clone.check()[0]
