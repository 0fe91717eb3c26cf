# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Starting a revision, and waiting for drains and for room."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._host.systemd import UnitState
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.model import Deployment, Revision
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout import start
from ansible_collections.selfhost.langgraph.plugins.module_utils._server.health import Answer
from ansible_collections.selfhost.langgraph.tests.unit.plugins.module_utils._revisions.test_model import SETTINGS, made

HEALTHY, SICK = Answer(200, True), Answer(503, False)
ENDPOINT = {"address": "172.29.128.1", "port": 8000, "network": "langgraph"}


class Clock:
    """Time that passes only when somebody sleeps, and units whose state depends on it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.started = 0.0, t.cast("list[str]", [])
        self.units: dict[str, list[tuple[float, str]]] = {}
        monkeypatch.setattr(start.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(start.time, "sleep", self._sleep)
        monkeypatch.setattr(start.systemd, "unit_states", lambda names: {name: self.state(name) for name in names})
        monkeypatch.setattr(start.systemd, "start", self.started.extend)

    def _sleep(self, seconds: float) -> None:
        self.now += seconds

    def state(self, unit: str) -> UnitState:
        active = "inactive"
        for since, found in self.units.get(unit, ()):
            active = found if since <= self.now else active
        return UnitState(active, False, "success", 7)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


# What the unit does, what the server answers -> the state and the answer of the failure, None if it is healthy.
STARTS: dict[str, tuple[list[tuple[float, str]], Answer, tuple[str, Answer | None] | None]] = {
    "healthy": ([(0, "active")], HEALTHY, None),
    "not healthy": ([(0, "active")], SICK, ("active", SICK)),
    "ends while it is asked": ([(0, "active"), (5, "failed")], HEALTHY, ("failed", HEALTHY)),
    "does not start": ([(0, "failed")], HEALTHY, ("failed", None)),
    "is still starting": ([(0, "activating")], HEALTHY, ("activating", None)),
}


@pytest.mark.parametrize(("unit", "answer", "expected"), STARTS.values(), ids=STARTS)
def test_a_start(
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    unit: list[tuple[float, str]],
    answer: Answer,
    expected: tuple[str, Answer | None] | None,
) -> None:
    asked: list[tuple[t.Any, ...]] = []

    def wait(url: str, seconds: float, deadline: float) -> Answer:
        asked.append((url, seconds, deadline))
        clock.now += 5
        return answer

    monkeypatch.setattr(start.health, "wait_until_stable", wait)
    monkeypatch.setattr(start, "collect_failure", lambda *arguments: arguments)
    clock.units["langgraph@bot.2.service"] = unit
    found = t.cast("t.Any", start.start_and_wait("bot", Revision(2, endpoint=ENDPOINT), 300.0, 1.5, {"A": "1"}))
    assert clock.started == ["langgraph@bot.2.service"]
    if expected is None:
        assert found is None
    else:
        name, number, state, got, secrets, begun, memory = found
        assert (name, number, state.active, got, secrets) == ("bot", 2, *expected, {"A": "1"})
        assert memory == ""
        # The log is read from the start on, so it is the time of day.
        assert begun > 1e9
    if asked:
        assert asked == [("http://172.29.128.1:8000/ok?check_db=1", 1.5, 300.0)]
    assert bool(asked) == (unit[0] == (0, "active"))


def test_a_container_without_an_address_is_not_asked(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start, "collect_failure", lambda *_arguments: {"failed": True})
    clock.units["langgraph@bot.2.service"] = [(0, "active")]
    assert start.start_and_wait("bot", Revision(2), 300.0, 0, {}) == {"failed": True}


def running(*numbers: int, active: str = "active") -> Deployment:
    revisions = tuple(made(number, active=active) for number in numbers)
    return Deployment("bot", {**SETTINGS, "drain_limit": 900}, revisions)


@pytest.mark.parametrize(
    ("ends", "most", "waits"),
    [
        # The first number: when revision 1 has ended, while 2 runs on and 3 starts.
        (0.0, 2, 0),
        (10.0, 2, 10),
        (10.0, 3, 0),
    ],
)
def test_a_start_waits_for_the_oldest_drain(clock: Clock, ends: float, most: int, waits: float) -> None:
    clock.units = {
        "langgraph@bot.1.service": [(0, "deactivating"), (ends, "inactive")],
        "langgraph@bot.2.service": [(0, "active")],
    }
    start.wait_for_capacity(running(1, 2), 3, most)
    assert clock.now == waits


@pytest.mark.parametrize("active", ["active", "activating", "deactivating"])
def test_a_drain_that_does_not_end(clock: Clock, active: str) -> None:
    clock.units = {f"langgraph@bot.{number}.service": [(0, active)] for number in (1, 2)}
    with pytest.raises(start.BringUpError) as caught:
        start.wait_for_capacity(running(1, 2), 3, 2)
    assert str(caught.value) == (
        "2 revisions still run, and langgraph_max_running_revisions is 2; see 'systemctl list-units langgraph-drain@bot.*'"
    )
    limit = start.drain_time(running(1, 2), running(1, 2).revisions)
    assert limit < clock.now <= limit + 1


def test_the_revision_itself_and_stopped_ones_take_no_room(clock: Clock) -> None:
    clock.units = {f"langgraph@bot.{number}.service": [(0, "active")] for number in (1, 2, 3)}
    start.wait_for_capacity(running(3), 3, 1)
    stopped = running(1, 2, active="inactive")
    start.wait_for_capacity(stopped, 3, 1)
    assert clock.now == 0


def test_drains_are_waited_for(clock: Clock) -> None:
    clock.units = {
        "langgraph-drain@bot.1.service": [(0, "active"), (20, "inactive")],
        "langgraph-drain@bot.2.service": [(0, "activating"), (30, "failed")],
    }
    assert start.wait_for_drains(running(1, 2), iter([1, 2])) == []
    assert clock.now == 30
    assert start.wait_for_drains(running(1), []) == []


def test_drains_that_last_too_long_are_named(clock: Clock) -> None:
    clock.units = {f"langgraph-drain@bot.{number}.service": [(0, "active")] for number in (1, 2, 3)}
    clock.units["langgraph-drain@bot.3.service"] = [(0, "inactive")]
    assert start.wait_for_drains(running(2, 1, 3), [3, 2, 1]) == [1, 2]
    assert clock.now > start.drain_time(running(1), running(1).revisions)


def test_the_time_of_a_drain() -> None:
    """Until sessions end, until runs end, and a minute."""
    (one,) = running(1).revisions
    assert one.record
    longer = replace(one, record={**one.record, "drain_seconds": 500})
    seconds = one.record["drain_seconds"]
    assert start.drain_time(running(1), [one]) == 900 + seconds + 60
    assert start.drain_time(running(1), [one, longer, one]) == 900 + 500 + 60
    assert start.drain_time(running(1), []) == 960
    assert start.drain_time(Deployment("bot"), [replace(one, record=None)]) == 60


def test_runs_in_flight_are_counted_by_status(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def in_flight(url: str) -> dict[str, tuple[str, str]]:
        asked.append(url)
        return {"1": ("t", "running"), "2": ("t", "pending"), "3": ("u", "running")}

    monkeypatch.setattr(start.runs, "in_flight", in_flight)
    deployment, revision = Deployment("bot", {**SETTINGS, "prefix": "/bot"}), Revision(2, endpoint=ENDPOINT)
    assert start.count_runs(deployment, revision) == {"pending": 1, "running": 2}
    start.count_runs(Deployment("bot", SETTINGS), revision)
    assert asked == ["http://172.29.128.1:8000/bot", "http://172.29.128.1:8000"]


def test_runs_that_are_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_url: str) -> t.Any:
        raise start.runs.RunsUnknown("no")

    monkeypatch.setattr(start.runs, "in_flight", fail)
    deployment, revision = Deployment("bot", SETTINGS), Revision(2, endpoint=ENDPOINT)
    assert start.count_runs(deployment, revision) is None
    assert start.count_runs(deployment, None) is None
    assert start.count_runs(deployment, Revision(2)) is None
    assert start.count_runs(Deployment("bot"), revision) is None
