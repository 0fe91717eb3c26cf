# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run at a time: others wait as long as it may take, know who it is, and are refused only when it hangs."""

from __future__ import annotations

import json
import multiprocessing
import os
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._host import lock as host_lock_file
from ansible_collections.selfhost.langgraph.plugins.module_utils._host.lock import Holder, LockedError, host_lock
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.model import (
    Container,
    Content,
    Deployment,
    Wanted,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.module import longest
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.state import Options

FORK = multiprocessing.get_context("fork")


@pytest.fixture(autouse=True)
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "lock"
    monkeypatch.setattr(host_lock_file, "LOCK", str(path))
    monkeypatch.setattr(host_lock_file, "_SETTLE_SECONDS", 0.5)
    monkeypatch.setattr(host_lock_file, "_POLL_SECONDS", 0.02)
    return path


@pytest.fixture
def hold(lock: Path) -> t.Iterator[t.Callable[..., t.Any]]:
    """Have another process hold the lock for some seconds, with a note."""
    started = []

    def start(seconds: float, note: tuple[str, float] | str | None, begun: float = 0.0) -> t.Any:
        def work() -> None:
            with host_lock() as held:
                if isinstance(note, tuple):
                    held._since -= begun
                    held.note(*note)
                else:
                    lock.write_text(note or "")
                lock.with_name("held").touch()
                time.sleep(seconds)

        process = FORK.Process(target=work)
        process.start()
        started.append(process)
        while not lock.with_name("held").exists():
            time.sleep(0.01)
        return process

    yield start
    for process in started:
        process.kill()
        process.join()


def test_the_holder_says_who_it_is(lock: Path) -> None:
    with host_lock() as held:
        held.note("a very long text" * 100, 1000)
        held.note("support-bot, asked for by ann", 1500)
        note = json.loads(lock.read_text())
    assert (note["pid"], note["what"], note["seconds"]) == (os.getpid(), "support-bot, asked for by ann", 1500)
    assert note["since"] == pytest.approx(time.time(), abs=5)
    assert lock.read_text() == ""


@pytest.mark.parametrize("note", [("support-bot", 30), None, "4711"], ids=["a note", "no note", "a process alone"])
def test_others_wait_for_as_long_as_it_may_take(hold: t.Any, note: t.Any) -> None:
    hold(1.2, note)
    begin = time.monotonic()
    with host_lock():
        assert time.monotonic() - begin > 0.8


def test_one_that_hangs_is_named(hold: t.Any) -> None:
    process = hold(60, ("support-bot, asked for by ann", 100), 1000)
    with pytest.raises(LockedError) as refused, host_lock():
        pass
    since = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00"
    assert t.cast(t.Any, refused).match(
        rf"^another run \(process {process.pid} since {since}: support-bot, asked for by ann\) has been changing this "
        r"host for longer than its limit of 100 s; check that process and end it; nothing was changed$"
    )


def test_the_note_of_one_that_was_killed_refuses_nobody(lock: Path, hold: t.Any) -> None:
    """Another has taken its place and has not written its own yet."""
    hold(0.3, json.dumps({"pid": 4711, "what": "x", "since": time.time() - 1000, "seconds": 10}))
    with host_lock():
        assert json.loads(lock.read_text())["pid"] == os.getpid()


def test_the_lock_ends_with_the_process(hold: t.Any) -> None:
    process = hold(60, ("support-bot", 30))
    process.kill()
    with host_lock():
        pass


@pytest.mark.parametrize(
    "note", ["[]", "{}", '{"pid": "x"}', "\x00", '"text"', '{"pid":1,"what":"","since":[],"seconds":1}']
)
def test_a_note_that_is_none(note: str) -> None:
    assert host_lock_file._holder(note.encode()) == Holder()


def test_a_link_in_its_place_is_not_followed(lock: Path, tmp_path: Path) -> None:
    (tmp_path / "target").write_text("mine")
    lock.symlink_to(tmp_path / "target")
    with pytest.raises(OSError), host_lock():
        pass
    assert (tmp_path / "target").read_text() == "mine"


def content(drain_seconds: int) -> Content:
    return Content("sha256:1", Container(), {}, drain_seconds)


def test_how_long_a_run_may_take() -> None:
    settings = {"drain_limit": 900, "healthy_deadline": 300}
    wanted = [Wanted(f"bot-{number}", content(180), settings) for number in range(9)]
    options = Options("/etc/langgraph", parallel=8, min_healthy_time=10)
    one = 900 + 180 + 300 + 10 + 180
    assert longest(wanted, {}, options) == 2 * one + 2 * (180 + 180)
    assert longest(wanted[:8], {}, options) == one + 2 * (180 + 180)
    assert longest([], {}, options) == 2 * 180
    dumped = Options("/etc/langgraph", parallel=8, min_healthy_time=10, snapshot_dir="/dumps")
    assert longest(wanted[:1], {}, dumped) == one + 3600 + 2 * (180 + 180)
    # A rollback has the settings of the host alone.
    assert longest([Wanted("bot", content(1))], {"bot": Deployment("bot", settings)}, options) > 1200
