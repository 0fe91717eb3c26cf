# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the unit langgraph-drain@NAME.N.service runs: langgraph-drain.py NAME.N.

Let a revision that serves no more end: wait until the proxy holds no session on it, or until the limit, then have
systemd stop it, which gives its background runs the product's own grace. Last, tell what became of the runs that were
in flight. A play need not wait for it; after a reboot there is nothing left to do, as the revision starts no more.
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
# An old worker of the proxy keeps idle clients for 6 s (timeout http-keep-alive), gives the headers of a next request 5 s
# (timeout http-request), and would still send that request here.
LEAST_SECONDS = 12
INTERVAL = 0.5
# The exit code that systemd does not try again.
LOST_RUNS = 3
# How long a run may take to be picked up again, so that it can be told from one that was lost.
RUNS_SETTLE_SECONDS = 3
LONGEST_LINE = 64 * 1024


def say(text):
    """One line for the journal."""
    print(text, flush=True)


def load(path):
    """A JSON file, or an empty mapping."""
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (FileNotFoundError, ValueError):
        return {}


def save(folder, report):
    """Write drain.json as a whole, for root alone."""
    path = os.path.join(folder, "drain.json")
    with open(os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(report, file, indent=2, sort_keys=True)
    os.replace(f"{path}.new", path)


def now():
    """The time, as all files of a revision write it."""
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")  # noqa: UP017 - Python 3.10


def wait_until_unused(address, port, limit):
    """Wait for the last session, at least LEAST_SECONDS and at most ``limit``; give how many are cut."""
    begin = told = time.monotonic()
    while True:
        waited, count = time.monotonic() - begin, _ports.sessions(address, port)
        if waited >= limit or (count == 0 and waited >= min(limit, LEAST_SECONDS)):
            return count
        if time.monotonic() - told >= 60:
            told = time.monotonic()
            say(f"{count} sessions after {waited:.0f} s of at most {limit} s")
        time.sleep(INTERVAL)


def in_flight(api):
    """Runs in flight, or None where the server does not tell."""
    try:
        return {run: thread for run, (thread, _status) in _runs.in_flight(api).items()} if api else None
    except _runs.RunsUnknown:
        return None


def after(api, runs):
    """What became of them: id -> status, or None where the server does not tell."""
    try:
        return _runs.statuses(api, runs)
    except _runs.RunsUnknown:
        return None


def journal(name, since):
    """The lines that all revisions of the deployment logged since then, one after the other: there may be any number."""
    command = ["journalctl", "--unit", f"langgraph@{name}.*", "--since", f"@{since:.0f}", "--output", "cat", "--quiet"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, errors="replace"
    ) as reader:
        while line := reader.stdout.readline(LONGEST_LINE):
            yield line


def report_runs(name, api, runs, since):
    """Counts of the runs that were in flight when the revision was stopped; ``lost`` are their ids."""
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
    """The API of the revision that serves, as this host reaches it; None where there is none."""
    settings = load(os.path.join(CONFIG_DIR, name, "deployment.json"))
    slot = load(os.path.join(CONFIG_DIR, name, "revisions", str(settings.get("serving")), "slot.json"))
    return f"http://{slot['address']}:{slot['port']}{settings.get('prefix') or ''}" if slot else None


def systemctl(*arguments):
    """Have systemd do something; what it refuses ends the program."""
    done = subprocess.run(["systemctl", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stderr.strip())


def drain(instance):
    """Drain and stop one revision."""
    name, _dot, number = instance.rpartition(".")
    folder, unit = os.path.join(CONFIG_DIR, name, "revisions", number), f"langgraph@{instance}.service"
    slot, limit = load(os.path.join(folder, "slot.json")), load(os.path.join(CONFIG_DIR, name, "deployment.json"))
    limit = int(limit.get("drain_limit", 900))
    report = {"begun": now(), "limit": limit}
    # First: a reboot must not start it again.
    systemctl("disable", "--quiet", unit)
    save(folder, report)
    report["sessions_cut"] = wait_until_unused(slot.get("address", "127.0.0.1"), int(slot.get("port", 0)), limit)
    api = api_of_serving(name)
    runs, stopped = in_flight(api), time.time()
    say(
        f"stopping it with {report['sessions_cut']} sessions and {'unknown' if runs is None else len(runs)} runs in flight"
    )
    systemctl("stop", unit)
    subprocess.run(["docker", "rm", "--force", f"langgraph-{instance}"], capture_output=True, check=False)
    report["runs"] = report_runs(name, api, runs, stopped)
    report["ended"] = now()
    save(folder, report)
    say(json.dumps(report["runs"]))
    if report["runs"].get("lost"):
        say(f"lost runs: {', '.join(report['runs']['lost'])}")
        sys.exit(LOST_RUNS)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: langgraph-drain.py NAME.N")
    drain(sys.argv[1])
