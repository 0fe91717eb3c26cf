# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The helper that units run on the host; what it does with a real engine is Molecule's matter."""

from __future__ import annotations

import importlib.util
import typing as t
from pathlib import Path

import pytest

PATH = Path(__file__).parents[3] / "roles/langgraph/files/container.py"
SECONDS = {2: 1, 3: 2, 4: 4, 8: 60, 50: 60}


@pytest.fixture
def helper() -> t.Any:
    """The helper as a module."""
    spec = importlib.util.spec_from_file_location("langgraph_container", PATH)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def state(running: bool = False, minute: int = 0) -> dict[str, t.Any]:
    """A container that ended so many minutes after its start."""
    times = {"StartedAt": "2026-01-31T12:00:00.123456789Z", "FinishedAt": f"2026-01-31T12:{minute:02}:01Z"}
    return {"State": {"Running": running, **times}}


@pytest.fixture
def slept(helper: t.Any, monkeypatch: pytest.MonkeyPatch) -> t.Callable[[int, t.Any], list[int]]:
    """How long the helper waits at the n-th restart."""

    def run(restarts: int, found: t.Any) -> list[int]:
        naps: list[int] = []
        done = type("Done", (), {"stdout": f"{restarts}\n"})
        monkeypatch.setattr(helper.subprocess, "run", lambda *_a, **_k: done)
        monkeypatch.setattr(helper.time, "sleep", naps.append)
        helper.back_off("langgraph@x.service", found)
        return naps

    return run


@pytest.mark.parametrize("restarts", [0, 1])
def test_the_first_restart_does_not_wait(slept: t.Any, restarts: int) -> None:
    assert slept(restarts, state()) == []


@pytest.mark.parametrize(("restarts", "seconds"), SECONDS.items())
def test_later_restarts_wait_longer_up_to_a_minute(slept: t.Any, restarts: int, seconds: int) -> None:
    assert slept(restarts, state()) == [seconds]


def test_a_server_that_had_recovered_starts_over(slept: t.Any) -> None:
    assert slept(9, state(minute=11)) == []
    assert slept(9, state(minute=9)) == [60]


def test_a_container_that_outlived_the_engine_is_joined_at_once(slept: t.Any) -> None:
    assert slept(9, state(running=True)) == []


def test_a_container_that_cannot_be_made_is_not_tried_every_second(slept: t.Any) -> None:
    assert slept(0, None) == []
    assert slept(9, None) == [60]


def test_a_container_that_never_started_counts_as_crashed(slept: t.Any) -> None:
    never = {"State": {"Running": False, "StartedAt": "0001-01-01T00:00:00Z", "FinishedAt": "0001-01-01T00:00:00Z"}}
    assert slept(2, never) == [1]
