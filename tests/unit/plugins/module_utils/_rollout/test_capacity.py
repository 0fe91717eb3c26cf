# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""At most as many extra revisions as Postgres has connections for."""

from __future__ import annotations

import typing as t
from types import SimpleNamespace

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.model import Deployment, Revision
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout import capacity
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.plan import Step
from ansible_collections.selfhost.langgraph.tests.unit.plugins.module_utils._rollout.fake_host import Host, bot, install

NAMES = ("a", "b", "c", "d", "e")


@pytest.fixture
def many(tmp_path: t.Any, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A host on which five deployments serve."""
    (tmp_path / "langgraph").mkdir()
    host = install(Host(tmp_path / "langgraph"), monkeypatch, one_by_one=True)
    assert host.converge(*release(1))["failures"] == []
    host.clients = set(NAMES)
    return host


def release(image: int) -> list[dict[str, t.Any]]:
    return [bot(name, image=f"bot:{image}", port=8200 + place) for place, name in enumerate(NAMES)]


def most_at_once(host: Host, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Note, at each change of the host, how many revisions run beside those that serve."""
    seen: list[int] = []
    touch = host.touch

    def note(*call: str) -> None:
        touch(*call)
        seen.append(capacity.count({(name, number) for name in NAMES for number in host.running(name)}))

    monkeypatch.setattr(host, "touch", note)
    return seen


def test_a_rollout_waits_for_drains_where_there_would_be_too_many(many: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = most_at_once(many, monkeypatch)
    assert many.converge(*release(2), max_extra_revisions=2)["failures"] == []
    assert [many.answers(name) for name in NAMES] == [2] * 5
    assert (max(seen), many.unanswered) == (2, [])
    assert many.clock > 0


def test_it_does_not_wait_where_there_is_room(many: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = most_at_once(many, monkeypatch)
    assert many.converge(*release(2), max_extra_revisions=5)["failures"] == []
    assert (max(seen), many.clock) == (5, 0)


def test_drains_of_an_earlier_run_count(many: Host) -> None:
    many.converge(*release(2)[:2])
    assert (many.draining("a"), many.draining("b")) == ([1], [1])
    assert many.converge(*release(3)[2:3], max_extra_revisions=2)["failures"] == []
    assert (many.answers("c"), many.clock, many.unanswered) == (2, 30, [])


def test_drains_that_do_not_end(many: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    many.converge(*release(2)[:2])
    monkeypatch.setattr(many, "finish_drains", lambda: None)
    (failure,) = many.converge(*release(3)[2:3], max_extra_revisions=2)["failures"]
    assert (failure["name"], failure["serving"]) == ("c", 1)
    assert failure["cause"] == (
        "2 revisions still run in addition to the serving ones, and langgraph_max_extra_revisions is 2; "
        "see 'systemctl list-units langgraph-drain@*'"
    )
    assert 900 + 180 < many.clock < 1300
    assert ([many.answers(name) for name in NAMES], many.unanswered) == ([2, 2, 1, 1, 1], [])


def test_a_first_revision_needs_no_room(many: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """It serves, once it is healthy, and is counted as such."""
    many.converge(*release(2)[:2])
    monkeypatch.setattr(many, "finish_drains", lambda: None)
    result = many.converge(bot("new", port=8300), max_extra_revisions=2)
    assert (result["failures"], many.answers("new"), many.clock) == ([], 1, 0)


def test_what_a_killed_run_left_makes_room(many: Host) -> None:
    """It would drain after the rollout that waits for it."""
    many.converge(*release(2)[:2])
    for name in ("a", "b"):
        many.units[f"langgraph-drain@{name}.1.service"].active = "inactive"
    assert many.converge(*release(3)[:3], max_extra_revisions=2)["failures"] == []
    assert ([many.answers(name) for name in NAMES[:3]], many.unanswered) == ([3, 3, 2], [])


STEPS = [Step(name, "roll", revision=2) for name in NAMES]
# What runs, how many may -> who may start.
FITTING: dict[str, tuple[set[tuple[str, int]], int, str]] = {
    "room": ({(name, 1) for name in NAMES}, 8, "abcde"),
    "room for two": ({(name, 1) for name in NAMES}, 2, "ab"),
    "none": ({(name, number) for name in "ab" for number in (1, 2, 3)}, 4, "abcde"),
    "more than that already": ({("a", number) for number in (1, 3, 4)}, 1, "bcde"),
    "nothing runs": (set(), 1, "abcde"),
}


@pytest.mark.parametrize(("running", "most", "expected"), FITTING.values(), ids=FITTING)
def test_fitting(running: set[tuple[str, int]], most: int, expected: str) -> None:
    assert "".join(step.name for step in capacity.fitting(STEPS, running, most)) == expected


def test_only_revisions_beside_another_one_count() -> None:
    assert capacity.count(set()) == 0
    assert capacity.count({("a", 1), ("b", 1)}) == 0
    assert capacity.count({("a", 1), ("a", 2), ("b", 1), ("b", 2), ("b", 3)}) == 3


def test_a_step_that_starts_what_runs_already_needs_no_room() -> None:
    running = {("a", 1), ("a", 2)}
    restart, new = Step("a", "restart", revision=2), Step("a", "roll", revision=3)
    assert capacity.fitting([restart, new], running, 1) == [restart]
    assert capacity.fitting([new, restart], running, 2) == [new, restart]
    assert capacity.fitting([], running, 1) == []
    # A removal has no revision.
    assert capacity.fitting([Step("a", "remove")], set(), 0) == [Step("a", "remove")]


@pytest.mark.parametrize(
    ("active", "holds"),
    [("active", True), ("activating", True), ("deactivating", True), ("inactive", False), ("failed", False)],
)
def test_states_in_which_a_container_may_hold_connections(active: str, holds: bool) -> None:
    deployment = Deployment("a", None, (Revision(1), Revision(2, active=active)))
    assert capacity.known({"a": deployment}) == ({("a", 2)} if holds else set())


class Running:
    """A host of deployments with two revisions each, of which some run; it counts how often systemd is asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, names: str, extra: str, most: int) -> None:
        self.now, self.asked, self.extra = 0.0, 0, set(extra)
        self.deployments = {
            name: Deployment(
                name,
                {"drain_limit": 100 * place},
                (Revision(1, active="active"), Revision(2, active="active" if name in self.extra else "inactive")),
            )
            for place, name in enumerate(names, 1)
        }
        self.options = SimpleNamespace(max_extra=most)
        monkeypatch.setattr(capacity.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(capacity.systemd, "unit_states", self._states)

    def _states(self, units: list[str]) -> dict[str, t.Any]:
        self.asked += 1
        assert len(units) == 2 * len(self.deployments)
        up = {f"langgraph@{name}.1.service" for name in self.deployments}
        up |= {f"langgraph@{name}.2.service" for name in self.extra}
        return {unit: SimpleNamespace(active="active" if unit in up else "inactive") for unit in units}


def names(steps: t.Iterable[Step]) -> str:
    return "".join(step.name for step in steps)


ROLLS = [Step(name, "roll", revision=3) for name in "abc"]


def test_room_is_asked_for_only_if_it_may_be_short(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Running(monkeypatch, "abc", "", most=3)
    room = capacity.Room(t.cast("t.Any", host))
    assert (names(room.admit(ROLLS, [])), host.asked) == ("abc", 0)
    assert (names(room.admit([], ROLLS)), host.asked) == ("", 0)


def test_what_is_about_to_start_takes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Running(monkeypatch, "abc", "", most=2)
    room = capacity.Room(t.cast("t.Any", host))
    assert names(room.admit(ROLLS[1:], ROLLS[:1])) == "b"
    assert host.asked == 1


def test_a_drain_that_ended_since_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """The host was read before; systemd knows what runs now."""
    host = Running(monkeypatch, "abc", "ab", most=2)
    room = capacity.Room(t.cast("t.Any", host))
    assert names(room.admit(ROLLS[2:], [])) == ""
    assert room.refusal().startswith(
        "2 revisions still run in addition to the serving ones, and langgraph_max_extra_revisions is 2;"
    )
    host.extra = {"a"}
    assert names(room.admit(ROLLS[2:], [])) == "c"


def test_patience_is_that_of_the_slowest_drain_and_starts_again_when_one_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Running(monkeypatch, "abc", "ab", most=1)
    room = capacity.Room(t.cast("t.Any", host))
    room.admit(ROLLS[2:], [])
    # The third deployment has a limit of 300 s, and a minute of slack.
    assert not room.is_hopeless()
    host.now = 360
    assert not room.is_hopeless()
    room.admit(ROLLS[2:], [])
    host.now = 361
    assert room.is_hopeless()
    host.extra = {"b"}
    room.admit(ROLLS[2:], [])
    assert not room.is_hopeless()
    host.now = 361 + 361
    assert room.is_hopeless()
