# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""An upgrade and a rollback under load, and how long a rollout takes.

failed_requests, cut_streams, lost_runs, attempted_twice
    Of 60 requests a second through the public port, streams of 5, 60 and 170 s and two times ten background runs of
    60 s, while a deployment is upgraded to another image and rolled back. There are no retries. attempted_twice are
    runs that a revision executed when it was stopped, which another revision continued from their last checkpoint.
p99_ms
    Of the same requests, by the phase in which each was due: before, during upgrade and rollback, after.
stop_and_start
    The same load with a plain systemctl restart of the container.
time_ratio_to_raw
    From the start of the rollout's task on the control node until the proxy has switched (the record of it on the host),
    divided by `docker run` of the same image with the same environment until /ok answers: medians of the repetitions,
    which alternate.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import re
import statistics
import subprocess
import sys
import time
import typing as t

from _bench import BUILD, PROJECT, Host, play, say

HOST = "selfhost-langgraph-bench"
NAME, PORT = "ours-0", 20000
REPETITIONS = 5
PHASE_SECONDS = 20
LOAD = BUILD / "bench-load"
OPTIONS = ("--rate", "60", "--streams", "5,60,170", "--runs", "10", "--run-seconds", "60", "--run-waves", "2")
RAW = """
docker rm --force bench-raw >/dev/null 2>&1 || true
begin=$(date +%s.%N)
docker run --detach --name bench-raw --network langgraph --publish 127.0.0.1:29999:8000 --cap-drop ALL \
  --security-opt no-new-privileges --env-file ENVIRONMENT --env-file CREDENTIALS demo-agent:1 >/dev/null
until curl --fail --silent --max-time 5 http://127.0.0.1:29999/ok >/dev/null; do sleep 0.1; done
echo "$begin $(date +%s.%N)"
docker rm --force bench-raw >/dev/null
"""


def run() -> dict[str, t.Any]:
    """Measure on one host."""
    with Host(HOST) as host:
        play("site.yml", *_wanted(), title="install everything, deploy 1")
        host.run(
            "printf 'FROM demo-agent:1\\nLABEL release=2\\n' | DOCKER_BUILDKIT=0 docker build -q -t demo-agent:2 -",
            "build the next release",
        )
        figures = {**_under_load(host), **_times(host)}
        figures["stop_and_start"] = _stop_and_start(host)
    return {"rollout": figures}


def _wanted(**options: t.Any) -> tuple[str, str]:
    """Return a file with the deployment as extra variables."""
    entry = {"name": NAME, "image": "demo-agent:1", "port": PORT, "edition": "none", "n_jobs_per_worker": 40}
    entry |= options
    path = BUILD / "bench-rollout.json"
    path.write_text(json.dumps({"langgraph_deployments": [entry]}))
    return "--extra-vars", f"@{path}"


def _under_load(host: Host) -> dict[str, t.Any]:
    """Upgrade and roll back under load; return the figures of both."""
    with _load(OPTIONS):
        time.sleep(PHASE_SECONDS)
        _mark("during")
        play("ours.yml", *_wanted(image="demo-agent:2"), title="upgrade under load")
        time.sleep(PHASE_SECONDS)
        _mark("switch")
        play("rollback.yml", "--extra-vars", f"deployment={NAME}", title="rollback under load")
        _mark("after")
        time.sleep(PHASE_SECONDS)
    return _figures(json.loads(LOAD.read_text()))


def _stop_and_start(host: Host) -> dict[str, t.Any]:
    with _load(("--rate", "60", "--streams", "5,60", "--once", "--runs", "0")):
        time.sleep(PHASE_SECONDS / 4)
        _mark("during")
        number = json.loads(host.run(f"cat /etc/langgraph/{NAME}/deployment.json", "read the serving revision"))[
            "serving"
        ]
        host.run(f"systemctl restart langgraph@{NAME}.{number}", "stop and start under load")
        _mark("after")
        time.sleep(PHASE_SECONDS / 4)
    return _figures(json.loads(LOAD.read_text()))


def _figures(report: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    phases, runs = report["phases"], report["runs"]
    return {
        "requests": sum(phase["count"] for phase in phases.values()),
        "failed_requests": sum(phase["errors"] for phase in phases.values()),
        "cut_streams": report["streams"]["cut"],
        "streams": report["streams"]["opened"],
        "runs": runs["asked"],
        "lost_runs": runs["asked"] - runs["success"],
        "attempted_twice": sum(count for attempt, count in runs["last_attempts"].items() if int(attempt) > 1),
        "p50_ms": {phase: phases[phase]["p50_ms"] for phase in ("before", "during", "after")},
        "p99_ms": {phase: phases[phase]["p99_ms"] for phase in ("before", "during", "after")},
    }


@contextlib.contextmanager
def _load(options: t.Sequence[str]) -> t.Iterator[None]:
    """Run molecule/load_generator.py against the deployment, in the host's own network, while the block runs."""
    pid = subprocess.check_output(["docker", "inspect", "-f", "{{.State.Pid}}", HOST], text=True).strip()
    command = ["nsenter", "--net", "--target", pid, "--", sys.executable, str(PROJECT / "molecule/load_generator.py")]
    command += [
        f"http://127.0.0.1:{PORT}",
        "--report",
        str(LOAD),
        "--until",
        f"{LOAD}.stop",
        "--seconds",
        "1",
        *options,
    ]
    for mark in ("stop", "before"):
        LOAD.with_name(f"{LOAD.name}.{mark}").unlink(missing_ok=True)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        while not LOAD.with_name(f"{LOAD.name}.before").exists() and process.poll() is None:
            time.sleep(0.1)
        yield
    finally:
        _mark("stop")
        while process.poll() is None:
            say("the load ends: open streams and runs get their time")
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(30)


def _mark(name: str) -> None:
    LOAD.with_name(f"{LOAD.name}.{name}").touch()


def _times(host: Host) -> dict[str, t.Any]:
    """Measure rollouts and raw starts alternately; wait for the drains before the next round."""
    ours, raw = [], []
    for number in range(REPETITIONS):
        _wait_for_drains(host)
        raw.append(_raw_seconds(host, number))
        ours.append(_rollout_seconds(host, number))
        say(f"turn {number + 1}: docker run until /ok {raw[-1]:.2f} s, rollout until the switch {ours[-1]:.2f} s")
    figures = {"rollout_s": statistics.median(ours), "raw_s": statistics.median(raw)}
    return {
        **{key: round(value, 2) for key, value in figures.items()},
        "time_ratio_to_raw": round(figures["rollout_s"] / figures["raw_s"], 3),
    }


def _wait_for_drains(host: Host) -> None:
    host.run(
        "while systemctl --quiet is-active 'langgraph-drain@*'; do sleep 0.5; done; sleep 2", "wait for the drains"
    )


def _raw_seconds(host: Host, number: int) -> float:
    environment = f"$(ls -d /etc/langgraph/{NAME}/revisions/* | sort -V | tail -n 1)/environment"
    script = RAW.replace("ENVIRONMENT", environment).replace("CREDENTIALS", f"/etc/langgraph/{NAME}/credentials")
    begin, end = host.run(script, f"raw start {number + 1}").split()
    return float(end) - float(begin)


def _rollout_seconds(host: Host, number: int) -> float:
    """Return the seconds from the log line at the start of the task to the record of the switch."""
    log = BUILD / "log/bench-rollout-ansible.log"
    log.unlink(missing_ok=True)
    # If skipped hosts are not shown, a task's line is printed only with its result.
    settings = {"ANSIBLE_LOG_PATH": str(log), "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "true"}
    os.environ.update(settings)
    try:
        play("ours.yml", *_wanted(env={"TURN": str(number)}), title=f"rollout {number + 1}")
    finally:
        for name in settings:
            del os.environ[name]
    line = next(line for line in log.read_text().splitlines() if "TASK [" in line and "Roll out" in line)
    stamp = re.match(r"(\S+ \S+),(\d{3})", line)
    begin = datetime.datetime.fromisoformat(stamp[1]).timestamp() + int(stamp[2]) / 1000
    record = f"/etc/langgraph/{NAME}/deployment.json"
    return float(host.run(f"date --reference={record} +%s.%N", "read when it switched")) - begin


def bars(results: t.Mapping[str, t.Any]) -> list[tuple[str, float, float]]:
    """Return the limits: a title, the figure, and its maximum."""
    figures = results["rollout"]
    return [
        ("requests that failed", figures["failed_requests"], 0),
        ("streams that were cut", figures["cut_streams"], 0),
        ("runs that were lost", figures["lost_runs"], 0),
        ("time until the switch, to docker run until /ok", figures["time_ratio_to_raw"], 1.2),
    ]


def table(results: t.Mapping[str, t.Any]) -> list[str]:
    """Return the figures of rollout and plain restart side by side."""
    figures = results["rollout"]
    plain = figures["stop_and_start"]
    keys = (
        "requests",
        "failed_requests",
        "streams",
        "cut_streams",
        "runs",
        "lost_runs",
        "attempted_twice",
        "p50_ms",
        "p99_ms",
    )
    lines = [f"{'rollout':<18}{'upgrade and rollback':<52}stop and start"]
    lines += [f"{key:<18}{figures[key]!s:<52}{plain[key]}" for key in keys]
    return [*lines, f"until the switch {figures['rollout_s']} s, docker run until /ok {figures['raw_s']} s"]
