# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shared parts of the benchmarks: progress lines, the host, plays on it, and its use of CPU seconds."""

from __future__ import annotations

import os
import re
import resource
import statistics
import subprocess
import sys
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

DIRECTORY = Path(__file__).resolve().parent
PROJECT = DIRECTORY.parents[1]
BUILD = PROJECT / "build"
HOST_TOOL = PROJECT / "tests/tools/hosts.py"
# The parts of `make` continue its clock.
START = int(os.environ.get("SELFHOST_T0") or time.time())
SIGN_OF_LIFE_SECONDS = 15
# The host's own control group and those of its containers: nanoseconds in version 1, microseconds in version 2.
# The engine's stats would work for both, but take a second.
CPU_V1 = """
cat /sys/fs/cgroup/cpuacct/cpuacct.usage /sys/fs/cgroup/cpuacct/docker/*/cpuacct.usage 2>/dev/null |
  awk 'NR == 1 {total = $1} NR > 1 {containers += $1} END {printf "%.0f %.0f", total, containers}'
"""
CPU_V2 = """
cat /sys/fs/cgroup/cpu.stat /sys/fs/cgroup/system.slice/docker-*.scope/cpu.stat 2>/dev/null | awk '
  $1 == "usage_usec" {if (seen++) containers += $2; else total = $2}
  END {printf "%.0f %.0f", total * 1000, containers * 1000}'
"""
READ_CPU = f"if [ -e /sys/fs/cgroup/cpuacct ]; then {CPU_V1} else {CPU_V2} fi"


def say(text: str) -> None:
    """Print one line of progress, with the seconds since the start."""
    print(f"[{time.time() - START:4.0f}s] {text}", flush=True)


@dataclass(frozen=True)
class Reading:
    """CPU seconds that a host has used so far: in total, and by its deployments' containers."""

    at: float
    total: float
    containers: float

    def rate_since(self, before: Reading) -> float:
        """Return CPU seconds per second since ``before``, of the whole host."""
        return (self.total - before.total) / (self.at - before.at)


@dataclass(frozen=True)
class Played:
    """The counters of a play, and its cost on the control node."""

    wall_s: float
    control_s: float
    tasks: int
    changed: int


class Host:
    """A test host: a container of the engine that `make` uses."""

    def __init__(self, name: str, release: str = "bookworm") -> None:
        self.name, self._release = name, release

    def __enter__(self) -> Host:
        subprocess.run([HOST_TOOL, "down", self.name], check=True)
        subprocess.run([HOST_TOOL, "up", self.name, self._release], check=True)
        return self

    def __exit__(self, *_error: object) -> None:
        if not os.environ.get("SELFHOST_BENCH_KEEP"):
            subprocess.run([HOST_TOOL, "down", self.name], check=True)

    def run(self, script: str, title: str) -> str:
        """Run a shell script on the host as root; return its output."""
        say(title)
        return self._shell(script)

    def _shell(self, script: str) -> str:
        command = ["docker", "exec", self.name, "sh", "-ec", script]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"{script.strip().splitlines()[0]}: {done.stdout}{done.stderr}")
        return done.stdout

    def read(self) -> Reading:
        """Read the counters. This costs the host about a hundredth of a second."""
        at = time.monotonic()
        total, containers = (int(word) / 1e9 for word in self._shell(READ_CPU).split())
        return Reading(at, total, containers)

    def idle(self, seconds: float) -> tuple[Reading, Reading]:
        """Wait, and read the counters before and after."""
        begin = self.read()
        time.sleep(seconds)
        return begin, self.read()

    def settle(self, seconds: float = 15, patience: int = 12) -> None:
        """Wait until two successive intervals use about the same: servers are busy for a while after their start."""
        rates = []
        for _number in range(patience):
            begin, end = self.idle(seconds)
            rates.append(end.rate_since(begin))
            if len(rates) > 1 and abs(rates[-1] - rates[-2]) <= max(0.01, 0.05 * rates[-1]):
                break
        said = ", ".join(f"{rate:.3f}" for rate in rates)
        say(f"CPU seconds per second of the idle host: {said}")


def play(playbook: str, *arguments: str, title: str) -> Played:
    """Run a playbook of this directory on the benchmarks' host; its output goes to a log file."""
    log = BUILD / "log" / f"bench-{re.sub('[^a-z0-9]+', '-', title.lower())}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    command = ["ansible-playbook", "-i", str(DIRECTORY / "inventory.yml"), str(DIRECTORY / playbook), *arguments]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(DIRECTORY / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    before, begin = _children(), time.monotonic()
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment, cwd=DIRECTORY)
        while process.poll() is None:
            try:
                process.wait(SIGN_OF_LIFE_SECONDS)
            except subprocess.TimeoutExpired:
                say(f"{title}: still running: {_last_line(log)}")
    wall, control = time.monotonic() - begin, _children() - before
    text = log.read_text()
    if process.returncode != 0:
        sys.exit(f"{text[-4000:]}\n{title}: exit {process.returncode}, whole log: {log.relative_to(PROJECT)}")
    ok, changed, skipped = (int(re.search(rf" {word}=(\d+)", text)[1]) for word in ("ok", "changed", "skipped"))
    return Played(wall, control, ok + skipped, changed)


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _last_line(log: Path) -> str:
    lines = log.read_text().split("\n")
    return next((line for line in reversed(lines) if line.strip()), "")[:100].rstrip(" *")


def median(runs: t.Sequence[t.Mapping[str, float]], key: str) -> float:
    """Return the median of one figure of several runs, rounded to a hundredth."""
    return round(statistics.median(run[key] for run in runs), 2)
