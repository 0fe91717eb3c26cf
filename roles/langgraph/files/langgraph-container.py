# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the unit langgraph@NAME.N.service runs: langgraph-container.py prepare|run|wait|stop NAME.N.

The unit's main process keeps the engine's client, attached to the container, so that the journal has its log and
systemd sees its exit code. Nothing here knows Ansible: after a reboot this folder and the revision's suffice.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import time

CONFIG_DIR = os.environ.get("LANGGRAPH_CONFIG_DIR", "/etc/langgraph")
CONFIG_LABEL = "selfhost.langgraph.config"
CREDENTIALS_LABEL = "selfhost.langgraph.credentials"
FIREWALL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "langgraph-firewall.py")
# How much of a container's log the engine keeps, as the role docker wrote it; the journal has all of it.
LOG_FILE = "/var/lib/langgraph/container-log.json"
LOG_OPTIONS = {"max-size": "10m", "max-file": "3"}
LONGEST_BACK_OFF = 60
# A server that ran for so long has recovered; its next crash is the first again.
RECOVERED_SECONDS = 600
INTERVAL = 0.05
TOLD_AGAIN = 0.5


class Revision:
    """One revision: its immutable record, and the slot that it runs in."""

    def __init__(self, instance):
        self.instance = instance
        self.name, _dot, self.number = instance.rpartition(".")
        self.container = f"langgraph-{instance}"
        self.unit = f"langgraph@{instance}.service"
        self.folder = os.path.join(CONFIG_DIR, self.name, "revisions", self.number)
        self.record = self._load("revision.json")
        self.slot = self._load("slot.json")

    def _load(self, name):
        with open(os.path.join(self.folder, name), encoding="utf-8") as file:
            return json.load(file)

    @property
    def credentials(self):
        """The deployment's second environment file, with its digest; neither where an earlier version made all there is.

        What is staged is for the revision that notes it in its slot, until that serves.
        """
        current = os.path.join(CONFIG_DIR, self.name, "credentials")
        for path in (f"{current}.new", current):
            with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
                digest = hashlib.sha256(file.read()).hexdigest()
                if path == current or digest == self.slot.get("credentials"):
                    return path, digest
        return None, None

    @property
    def place(self):
        """Where the container answers: its own address, or the one that it is published on."""
        address = self.slot["address"]
        return f"[{address}]:{self.slot['port']}" if ":" in address else f"{address}:{self.slot['port']}"

    @property
    def place_options(self):
        """The same as options of the engine's client. Nothing is published but a public port without a proxy."""
        if self.slot.get("network"):
            return ["--ip", self.slot["address"]]
        return ["--publish", f"{self.place}:8000"]

    @property
    def label(self):
        """What a container has to carry to be this revision in this slot."""
        return f"{self.record['config']} {self.place}"

    @property
    def url(self):
        """Where this host reaches the container."""
        local = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.slot["address"], self.slot["address"])
        return f"http://{f'[{local}]' if ':' in local else local}:{self.slot['port']}"


def docker(*arguments, check=True):
    """Run the engine's client and give its output."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        sys.exit(done.stderr.strip() or f"docker {arguments[0]} ended with {done.returncode}")
    return done


def inspect(container):
    """The container as the engine knows it, or None. An engine that does not answer ends the program."""
    done = docker("container", "inspect", container, check=False)
    if done.returncode == 0:
        return json.loads(done.stdout)[0]
    if "No such container" not in done.stderr:
        sys.exit(done.stderr.strip())
    return None


def ran_for(state):
    """Seconds of the container's last run, from the engine's time stamps (2026-01-31T12:00:00.123456789Z)."""
    begin, end = (state[key].partition(".")[0].rstrip("Z") for key in ("StartedAt", "FinishedAt"))
    parse = "%Y-%m-%dT%H:%M:%S"
    return time.mktime(time.strptime(end, parse)) - time.mktime(time.strptime(begin, parse))


def back_off(unit, found):
    """Wait longer with every restart that systemd made by itself: 1, 2, 4 ... 60 seconds."""
    # Without a container the engine could not even make one, again and again.
    if found is not None and (found["State"]["Running"] or ran_for(found["State"]) > RECOVERED_SECONDS):
        return
    shown = subprocess.run(
        ["systemctl", "show", "--property", "NRestarts", "--value", unit], capture_output=True, text=True, check=False
    )
    restarts = int(shown.stdout.strip() or 0)
    if restarts > 1:
        seconds = min(LONGEST_BACK_OFF, 2 ** (restarts - 2))
        print(f"restart {restarts}: waiting {seconds} s first", flush=True)
        time.sleep(seconds)


def fits(revision, found, digest):
    """Whether a container is the revision's, in its slot and with the credentials of today.

    One that runs keeps those that it has, and so does one that an earlier version made until its slot notes others.
    """
    labels = found["Config"]["Labels"]
    if labels.get(CONFIG_LABEL) != revision.label:
        return False
    if found["State"]["Running"] or digest is None:
        return True
    if CREDENTIALS_LABEL not in labels:
        return "credentials" not in revision.slot
    return labels[CREDENTIALS_LABEL] == digest


def close_network():
    """Have the host's firewall know the addresses of all slots, before any container has one of them.

    A host without the role firewall has no such program.
    """
    if os.path.exists(FIREWALL):
        done = subprocess.run([sys.executable, "-I", FIREWALL, "apply"], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(done.stderr.strip() or f"{FIREWALL} ended with {done.returncode}")


def log_options():
    """What the engine itself keeps of the log, whatever it is told to do with those of other containers on the host."""
    options = LOG_OPTIONS
    with contextlib.suppress(OSError, ValueError), open(LOG_FILE, encoding="utf-8") as file:
        options = {**options, **json.load(file)}
    return ["--log-driver", "json-file", *(word for key in options for word in ("--log-opt", f"{key}={options[key]}"))]


def prepare(revision):
    """Have a container that fits the revision, its slot and its credentials: keep it where it does, else replace it."""
    found = inspect(revision.container)
    back_off(revision.unit, found)
    path, digest = revision.credentials
    close_network()
    if found is not None and fits(revision, found, digest):
        return
    if found is not None:
        docker("stop", "--time", str(revision.record["drain_seconds"]), revision.container)
        docker("rm", "--force", revision.container)
    docker(
        "create",
        # The first process of a container ignores SIGTERM until it asks for it, and a server needs seconds to get there.
        "--init",
        *("--name", revision.container, "--hostname", revision.name, "--restart", "no"),
        *("--label", f"{CONFIG_LABEL}={revision.label}", *revision.place_options),
        *("--label", f"{CREDENTIALS_LABEL}={digest or ''}"),
        *log_options(),
        *("--env-file", os.path.join(revision.folder, "environment")),
        # The last one wins: an earlier version wrote the credentials of its day into the first.
        *(("--env-file", path) if path else ()),
        *revision.record["arguments"],
    )


def run(revision):
    """Keep the engine's client. A container that outlived the engine's restart is joined, not started again.

    While a unit starts, systemd asks no ExecStop to end it but tells the main process, and what it tells the client is
    lost where the container does not run yet. So that waits here for either, and ends the container itself.
    """
    told = {signal.SIGTERM, signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, told)
    found = inspect(revision.container)
    outlived = found is not None and found["State"]["Running"]
    verb = ["attach", "--no-stdin"] if outlived else ["start", "--attach"]
    client = subprocess.Popen(
        ["docker", *verb, revision.container], preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, told)
    )
    while client.poll() is None:
        if signal.sigwait(told) == signal.SIGTERM:
            end(revision, client)
    sys.exit(client.returncode if client.returncode >= 0 else 128 - client.returncode)


def end(revision, client):
    """End a container that may only start: until it has ended it is told so again and again, and then killed.

    The first process of a container loses a signal that comes before it is ready for any (seen: engine 26.1, with tini);
    ``docker stop`` tells it once, and would then wait for all the time that a server has to drain.
    """
    deadline = time.monotonic() + revision.record["drain_seconds"]
    while client.poll() is None:
        last = time.monotonic() > deadline
        words = ["stop", "--time", "1"] if last else ["kill", "--signal", "TERM"]
        docker(*words, revision.container, check=False)
        with contextlib.suppress(subprocess.TimeoutExpired):
            client.wait(TOLD_AGAIN)


def wait(revision):
    """Come back when the server is healthy; end with an error when it exited or its time is over."""
    # -I leaves the script's own folder out, which only root can write. Only this step pays for the import.
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import _probe

    seconds, url = revision.slot["healthy_deadline"], f"{revision.url}/ok"
    deadline = time.monotonic() + seconds
    client = int(os.environ.get("MAINPID", "0"))
    while not _probe.ask(url, timeout=5).ok:
        if client and not os.path.exists(f"/proc/{client}"):
            sys.exit(f"the container exited before it answered {url}")
        if time.monotonic() > deadline:
            docker("stop", "--time", "10", revision.container, check=False)
            sys.exit(f"no healthy answer from {url} within {seconds} s")
        time.sleep(INTERVAL)


def stop(revision):
    """Let the server drain. Without a main process the container ended, or the engine did and keeps it running."""
    if os.environ.get("MAINPID"):
        docker("stop", "--time", str(revision.record["drain_seconds"]), revision.container)


def main():
    """Run one of the four steps."""
    steps = {"prepare": prepare, "run": run, "wait": wait, "stop": stop}
    if len(sys.argv) != 3 or sys.argv[1] not in steps:
        sys.exit("usage: langgraph-container.py prepare|run|wait|stop NAME.N")
    steps[sys.argv[1]](Revision(sys.argv[2]))


if __name__ == "__main__":
    main()
