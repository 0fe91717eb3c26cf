# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program of the unit langgraph-drain@NAME.N.service: langgraph-drain.py NAME.N.

End a revision that no longer serves: wait until the proxy holds no session on it, or until the limit, then stop its unit,
which gives its background runs the server's own grace period. Finally report the status of the runs that were in flight. A
play need not wait for it; after a reboot there is nothing to do, as the revision no longer starts.
"""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import _ports
import _runs

CONFIG_DIR = os.environ.get("LANGGRAPH_CONFIG_DIR", "/etc/langgraph")
# An old worker of the proxy keeps idle clients for 6 s (timeout http-keep-alive), waits 5 s for the headers of a next request
# (timeout http-request), and would still route that request here.
LEAST_SECONDS = 12
INTERVAL = 0.5
# The exit code after which systemd does not restart the unit.
LOST_RUNS = 3
# How long a run may take to be picked up again, to distinguish it from a lost one.
RUNS_SETTLE_SECONDS = 3
LONGEST_LINE = 64 * 1024


def say(text):
    """Print one line for the journal."""
    print(text, flush=True)


def load(path):
    """Read a JSON file; an empty mapping if it is missing or invalid."""
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (FileNotFoundError, ValueError):
        return {}


def save(directory, report):
    """Write drain.json atomically, readable only by root."""
    path = os.path.join(directory, "drain.json")
    with open(os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(report, file, indent=2, sort_keys=True)
    os.replace(f"{path}.new", path)


def now():
    """Return the current time in the format of a revision's files."""
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")  # noqa: UP017 - Python 3.10


def wait_until_unused(address, port, limit):
    """Wait for the last session, at least LEAST_SECONDS and at most ``limit``; return the number of sessions that are cut."""
    begin = reported = time.monotonic()
    while True:
        waited, count = time.monotonic() - begin, _ports.sessions(address, port)
        if waited >= limit or (count == 0 and waited >= min(limit, LEAST_SECONDS)):
            return count
        if time.monotonic() - reported >= 60:
            reported = time.monotonic()
            say(f"{count} sessions after {waited:.0f} s of at most {limit} s")
        time.sleep(INTERVAL)


def in_flight(api):
    """Return the runs in flight, or None if the server does not report them."""
    try:
        return {run: thread for run, (thread, _status) in _runs.in_flight(api).items()} if api else None
    except _runs.RunsUnknown:
        return None


def after(api, runs):
    """Return their current status: id -> status, or None if the server does not report it."""
    try:
        return _runs.statuses(api, runs)
    except _runs.RunsUnknown:
        return None


def journal(name, since):
    """Yield the lines that all revisions of the deployment have logged since then, one by one, as there may be many."""
    command = ["journalctl", "--unit", f"langgraph@{name}.*", "--since", f"@{since:.0f}", "--output", "cat", "--quiet"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, errors="replace"
    ) as reader:
        while line := reader.stdout.readline(LONGEST_LINE):
            yield line


def report_runs(name, api, runs, since):
    """Count the runs that were in flight when the revision was stopped; ``lost`` are the ids of lost ones."""
    if runs is None:
        return {"known": False}
    time.sleep(RUNS_SETTLE_SECONDS if runs else 0)
    found = after(api, runs)
    if found is None:
        return {"known": False}
    return {
        "known": True,
        "in_flight": len(runs),
        "after": _runs.counts(found.values()),
        "started_again": len(_runs.started_again(journal(name, since), runs)) if runs else 0,
        "lost": sorted(run for run, status in found.items() if status == "lost"),
    }


def api_of_serving(name):
    """Return the API URL of the serving revision, as this host reaches it; None if there is none."""
    settings = load(os.path.join(CONFIG_DIR, name, "deployment.json"))
    endpoint = load(os.path.join(CONFIG_DIR, name, "revisions", str(settings.get("serving")), "slot.json"))
    return f"http://{endpoint['address']}:{endpoint['port']}{settings.get('prefix') or ''}" if endpoint else None


def systemctl(*arguments):
    """Run systemctl; the program exits if it fails."""
    done = subprocess.run(["systemctl", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stderr.strip())


def drain(instance):
    """Drain and stop one revision."""
    name, _dot, number = instance.rpartition(".")
    directory, unit = os.path.join(CONFIG_DIR, name, "revisions", number), f"langgraph@{instance}.service"
    endpoint, limit = (
        load(os.path.join(directory, "slot.json")),
        load(os.path.join(CONFIG_DIR, name, "deployment.json")),
    )
    limit = int(limit.get("drain_limit", 900))
    report = {"begun": now(), "limit": limit}
    # First, so that a reboot does not start it again.
    systemctl("disable", "--quiet", unit)
    save(directory, report)
    report["sessions_cut"] = wait_until_unused(
        endpoint.get("address", "127.0.0.1"), int(endpoint.get("port", 0)), limit
    )
    api = api_of_serving(name)
    runs, stopped = in_flight(api), time.time()
    say(
        f"stopping it with {report['sessions_cut']} sessions and {'unknown' if runs is None else len(runs)} runs in flight"
    )
    systemctl("stop", unit)
    subprocess.run(["docker", "rm", "--force", f"langgraph-{instance}"], capture_output=True, check=False)
    report["runs"] = report_runs(name, api, runs, stopped)
    report["ended"] = now()
    save(directory, report)
    say(json.dumps(report["runs"]))
    if report["runs"].get("lost"):
        say(f"lost runs: {', '.join(report['runs']['lost'])}")
        sys.exit(LOST_RUNS)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("langgraph-drain.py is run by langgraph-drain@NAME.N.service; usage: langgraph-drain.py NAME.N")
    drain(sys.argv[1])
