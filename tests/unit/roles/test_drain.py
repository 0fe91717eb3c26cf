# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The helper that drains and stops a retired revision, with fake time, systemd and API, and real files."""

from __future__ import annotations

import contextlib
import io
import json
import re
import stat
import subprocess
import typing as t
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._server import runs as _runs
from ansible_collections.selfhost.langgraph.tests.unit.roles.helper import load

ONE, TWO = "1ef0c5b2-6a5b-6d3e-8d6c-0242ac120002", "1ef0c5b2-6a5b-6d3e-8d6c-0242ac120003"


@dataclass
class FakeHost:
    """The environment of the helper; ``sessions`` are the counts per second, the last one repeats."""

    directory: Path
    clock: float = 0.0
    sessions: list[int] = field(default_factory=lambda: [0])
    runs: dict[str, tuple[str, str]] | None = field(default_factory=dict)
    ended: dict[str, str] | None = field(default_factory=dict)
    journal: str = ""
    calls: list[tuple[str, ...]] = field(default_factory=list)
    asked: list[tuple[str, t.Any]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    refused: str = ""

    def sleep(self, seconds: float) -> None:
        self.clock += seconds

    def count(self, address: str, port: int) -> int:
        assert (address, port) == ("172.29.128.1", 8000)
        return self.sessions[min(int(self.clock), len(self.sessions) - 1)]

    def in_flight(self, api: str) -> dict[str, tuple[str, str]]:
        self.asked.append((api, None))
        if self.runs is None:
            raise _runs.RunsUnknown
        return self.runs

    def statuses(self, api: str, runs: dict[str, str]) -> dict[str, str]:
        self.asked.append((api, runs))
        if self.ended is None:
            raise _runs.RunsUnknown
        return self.ended

    def run(self, command: list[str], **_more: t.Any) -> subprocess.CompletedProcess[str]:
        self.calls.append(tuple(command))
        code = int(bool(self.refused) and self.refused in command)
        return subprocess.CompletedProcess(command, code, self.journal, "Unit is masked.\n" if code else "")

    @contextlib.contextmanager
    def popen(self, command: list[str], **_more: t.Any) -> t.Iterator[SimpleNamespace]:
        self.calls.append(tuple(command))
        yield SimpleNamespace(stdout=io.StringIO(self.journal))

    @property
    def report(self) -> dict[str, t.Any]:
        return json.loads((self.directory / "bot/revisions/1/drain.json").read_text())


@pytest.fixture
def helper(monkeypatch: pytest.MonkeyPatch) -> t.Any:
    return load("langgraph-drain", monkeypatch)


@pytest.fixture
def host(helper: t.Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeHost:
    """Revision 1 of bot is drained, revision 2 serves."""
    host = FakeHost(tmp_path)
    for number in (1, 2):
        directory = tmp_path / "bot/revisions" / str(number)
        directory.mkdir(parents=True)
        (directory / "slot.json").write_text(json.dumps({"address": f"172.29.128.{number}", "port": 8000}))
    settings = {"serving": 2, "prefix": "/support", "drain_limit": 900}
    (tmp_path / "bot/deployment.json").write_text(json.dumps(settings))
    clock = SimpleNamespace(monotonic=lambda: host.clock, time=lambda: 1000 + host.clock, sleep=host.sleep)
    monkeypatch.setattr(helper, "CONFIG_DIR", str(tmp_path))
    monkeypatch.setattr(helper, "time", clock)
    monkeypatch.setattr(helper, "say", host.said.append)
    monkeypatch.setattr(helper.subprocess, "run", host.run)
    monkeypatch.setattr(helper.subprocess, "Popen", host.popen)
    monkeypatch.setattr(helper, "_ports", SimpleNamespace(sessions=host.count))
    for name in ("in_flight", "statuses"):
        monkeypatch.setattr(helper._runs, name, getattr(host, name))
    monkeypatch.setattr(helper._runs, "RunsUnknown", _runs.RunsUnknown)
    return host


# Counts per second, limit -> duration, and number of sessions that are cut.
WAITS: dict[str, tuple[list[int], int, float, int]] = {
    "no session": ([0], 900, 12, 0),
    "the last session ends at once": ([3, 0], 900, 12, 0),
    "the last session ends later": ([2] * 100 + [0], 900, 100, 0),
    # An old worker of the proxy sent one more request of a client that was idle.
    "one comes back": ([0, 0, 0, 1] + [1] * 20 + [0], 900, 24, 0),
    "somebody stays": ([1], 900, 900, 1),
    "a limit below the least": ([0], 5, 5, 0),
    "no time at all": ([4], 0, 0, 4),
}


@pytest.mark.parametrize(("sessions", "limit", "seconds", "cut"), WAITS.values(), ids=WAITS)
def test_it_waits_for_the_last_session(
    helper: t.Any, host: FakeHost, sessions: list[int], limit: int, seconds: float, cut: int
) -> None:
    host.sessions = sessions
    assert helper.wait_until_unused("172.29.128.1", 8000, limit) == cut
    assert host.clock == seconds


def test_it_waits_at_least_as_long_as_the_proxy_keeps_idle_clients(helper: t.Any) -> None:
    """The other half of the promise that no request reaches a stopped revision."""
    proxy = (Path(__file__).parents[3] / "roles/proxy/templates/00-global.cfg.j2").read_text()
    seconds = dict(re.findall(r"^ +timeout (http-keep-alive|http-request) +(\d+)s$", proxy, re.MULTILINE))
    # Idle for the maximum time, then sending its headers in the maximum time.
    assert int(seconds["http-keep-alive"]) + int(seconds["http-request"]) < helper.LEAST_SECONDS


def test_it_reports_every_minute_that_it_waits(helper: t.Any, host: FakeHost) -> None:
    host.sessions = [2] * 130 + [0]
    helper.wait_until_unused("172.29.128.1", 8000, 900)
    assert host.said == ["2 sessions after 60 s of at most 900 s", "2 sessions after 120 s of at most 900 s"]


def test_order(helper: t.Any, host: FakeHost) -> None:
    """Disabled first: a reboot in the middle must not start it again."""
    helper.drain("bot.1")
    assert host.calls == [
        ("systemctl", "disable", "--quiet", "langgraph@bot.1.service"),
        ("systemctl", "stop", "langgraph@bot.1.service"),
        ("docker", "rm", "--force", "langgraph-bot.1"),
    ]


def test_the_journal_is_read_if_runs_were_in_flight(helper: t.Any, host: FakeHost) -> None:
    """Line by line: a deployment may log any number of them."""
    host.runs = {ONE: ("thread-1", "running")}
    helper.drain("bot.1")
    assert host.calls[-1] == (
        *("journalctl", "--unit", "langgraph@bot.*", "--since", "@1012", "--output", "cat", "--quiet"),
    )


def test_the_report_begins_with_the_drain(helper: t.Any, host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = []

    def count(address: str, port: int) -> int:
        begun.append(host.report)
        assert len(host.calls) == 1
        return host.count(address, port)

    monkeypatch.setattr(helper, "_ports", SimpleNamespace(sessions=count))
    helper.drain("bot.1")
    assert set(begun[0]) == {"begun", "limit"}


def test_the_report(helper: t.Any, host: FakeHost) -> None:
    host.runs = {ONE: ("thread-1", "running"), TWO: ("thread-2", "pending")}
    host.ended = {ONE: "success", TWO: "running"}
    host.journal = f'{{"run_id": "{ONE}", "run_attempt": 2}}\n{{"run_id": "{TWO}", "run_attempt": 1}}\n'
    helper.drain("bot.1")
    report = host.report
    assert set(report) == {"begun", "ended", "limit", "sessions_cut", "runs"}
    assert (report["limit"], report["sessions_cut"]) == (900, 0)
    assert report["runs"] == {
        "known": True,
        "in_flight": 2,
        "after": {"running": 1, "success": 1},
        "started_again": 1,
        "lost": [],
    }
    path = host.directory / "bot/revisions/1/drain.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.with_name("drain.json.new").exists()
    # The serving revision is queried, before and after, by the deployment's prefix.
    api = "http://172.29.128.2:8000/support"
    assert host.asked == [(api, None), (api, {ONE: "thread-1", TWO: "thread-2"})]
    assert host.said[0] == "stopping it with 0 sessions and 2 runs in flight"


def test_runs_have_time_to_be_resumed(helper: t.Any, host: FakeHost) -> None:
    helper.drain("bot.1")
    assert host.clock == 12
    host.clock, host.runs, host.ended = 0, {ONE: ("thread-1", "running")}, {ONE: "running"}
    helper.drain("bot.1")
    assert host.clock == 12 + helper.RUNS_SETTLE_SECONDS


def test_cut_sessions_are_reported(helper: t.Any, host: FakeHost) -> None:
    host.sessions = [3]
    helper.drain("bot.1")
    assert (host.report["sessions_cut"], host.clock) == (3, 900)


def test_lost_runs_fail_the_unit(helper: t.Any, host: FakeHost) -> None:
    host.runs = {ONE: ("thread-1", "running"), TWO: ("thread-2", "running")}
    host.ended = {ONE: "lost", TWO: "success"}
    with pytest.raises(SystemExit, match=f"^{helper.LOST_RUNS}$"):
        helper.drain("bot.1")
    assert host.report["runs"]["lost"] == [ONE]
    assert "ended" in host.report
    assert host.said[-1] == f"lost runs: {ONE}"


def test_systemd_retries_unless_runs_were_lost(helper: t.Any) -> None:
    """A full disk may have space later; lost runs must stay visible, and a retry would hide them."""
    unit = (Path(__file__).parents[3] / "roles/langgraph/templates/langgraph-drain@.service.j2").read_text()
    assert "\nRestart=on-failure\n" in unit
    assert f"\nRestartPreventExitStatus={helper.LOST_RUNS}\n" in unit


UNKNOWN: dict[str, dict[str, t.Any]] = {
    "before": {"runs": None},
    "after": {"runs": {ONE: ("thread-1", "running")}, "ended": None},
}


@pytest.mark.parametrize("changes", UNKNOWN.values(), ids=UNKNOWN)
def test_a_server_without_an_answer(helper: t.Any, host: FakeHost, changes: dict[str, t.Any]) -> None:
    for name, value in changes.items():
        setattr(host, name, value)
    helper.drain("bot.1")
    assert host.report["runs"] == {"known": False}


def test_nothing_serves(helper: t.Any, host: FakeHost) -> None:
    (host.directory / "bot/deployment.json").unlink()
    helper.drain("bot.1")
    assert (host.asked, host.report["limit"], host.report["runs"]) == ([], 900, {"known": False})
    assert ("systemctl", "stop", "langgraph@bot.1.service") in host.calls


@pytest.mark.parametrize("verb", ["disable", "stop"])
def test_an_error_of_systemd_ends_it(helper: t.Any, host: FakeHost, verb: str) -> None:
    host.refused = verb
    with pytest.raises(SystemExit, match="^Unit is masked.$"):
        helper.drain("bot.1")
    assert "ended" not in (host.report if verb == "stop" else {})
    assert ("docker", "rm", "--force", "langgraph-bot.1") not in host.calls
