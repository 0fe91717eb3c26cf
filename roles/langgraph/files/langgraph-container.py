# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program of the unit langgraph@NAME.N.service: langgraph-container.py prepare|run|wait|stop NAME.N.

The unit's main process is the engine's client, attached to the container, so that the journal has its log and systemd
sees its exit code. This program does not need Ansible: after a reboot its directory and that of the revision are enough.
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
# How much of a container's log the engine keeps, as written by the role docker; the journal has the whole log.
LOG_FILE = "/var/lib/langgraph/container-log.json"
LOG_OPTIONS = {"max-size": "10m", "max-file": "3"}
LONGEST_BACK_OFF = 60
# A server that has run for this long has recovered; its next crash counts as the first.
RECOVERED_SECONDS = 600
INTERVAL = 0.05
SIGNAL_INTERVAL = 0.5


class Revision:
    """One revision: its immutable record, and the endpoint at which its container answers."""

    def __init__(self, instance):
        self.instance = instance
        self.name, _dot, self.number = instance.rpartition(".")
        self.container = f"langgraph-{instance}"
        self.unit = f"langgraph@{instance}.service"
        self.directory = os.path.join(CONFIG_DIR, self.name, "revisions", self.number)
        self.record = self._load("revision.json")
        self.endpoint = self._load("slot.json")

    def _load(self, name):
        with open(os.path.join(self.directory, name), encoding="utf-8") as file:
            return json.load(file)

    @property
    def credentials(self):
        """Return the deployment's second environment file and its digest; None for both if an earlier version wrote none.

        A staged file is for the revision whose endpoint notes its digest, until that revision serves.
        """
        current = os.path.join(CONFIG_DIR, self.name, "credentials")
        for path in (f"{current}.new", current):
            with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
                digest = hashlib.sha256(file.read()).hexdigest()
                if path == current or digest == self.endpoint.get("credentials"):
                    return path, digest
        return None, None

    @property
    def place(self):
        """Return where the container answers: its own address, or the one on which it is published."""
        address = self.endpoint["address"]
        return f"[{address}]:{self.endpoint['port']}" if ":" in address else f"{address}:{self.endpoint['port']}"

    @property
    def place_options(self):
        """Return the same as options of the engine's client. Only a public port without a proxy is published."""
        if self.endpoint.get("network"):
            return ["--ip", self.endpoint["address"]]
        return ["--publish", f"{self.place}:8000"]

    @property
    def label(self):
        """Return the label of a container of this revision at this endpoint."""
        return f"{self.record['config']} {self.place}"

    @property
    def url(self):
        """Return the URL at which this host reaches the container."""
        local = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.endpoint["address"], self.endpoint["address"])
        return f"http://{f'[{local}]' if ':' in local else local}:{self.endpoint['port']}"


def docker(*arguments, check=True):
    """Run the engine's client and return the completed process."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        sys.exit(done.stderr.strip() or f"docker {arguments[0]} ended with {done.returncode}")
    return done


def inspect(container):
    """Return the engine's description of the container, or None. If the engine does not answer, the program exits."""
    done = docker("container", "inspect", container, check=False)
    if done.returncode == 0:
        return json.loads(done.stdout)[0]
    if "No such container" not in done.stderr:
        sys.exit(done.stderr.strip())
    return None


def ran_for(state):
    """Return the seconds of the container's last run, from the engine's time stamps (2026-01-31T12:00:00.123456789Z)."""
    begin, end = (state[key].partition(".")[0].rstrip("Z") for key in ("StartedAt", "FinishedAt"))
    parse = "%Y-%m-%dT%H:%M:%S"
    return time.mktime(time.strptime(end, parse)) - time.mktime(time.strptime(begin, parse))


def back_off(unit, found):
    """Wait longer with every automatic restart by systemd: 1, 2, 4 ... 60 seconds."""
    # Without a container the engine has repeatedly failed to create one.
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
    """Return whether a container belongs to the revision, at its endpoint and with the current credentials.

    A running container keeps its credentials, and so does one of an earlier version until its endpoint notes others.
    """
    labels = found["Config"]["Labels"]
    if labels.get(CONFIG_LABEL) != revision.label:
        return False
    if found["State"]["Running"] or digest is None:
        return True
    if CREDENTIALS_LABEL not in labels:
        return "credentials" not in revision.endpoint
    return labels[CREDENTIALS_LABEL] == digest


def close_network():
    """Update the host's firewall with the addresses of all endpoints, before any container uses one of them.

    A host without the role firewall has no such program.
    """
    if os.path.exists(FIREWALL):
        done = subprocess.run([sys.executable, "-I", FIREWALL, "apply"], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(done.stderr.strip() or f"{FIREWALL} ended with {done.returncode}")


def container_options(record):
    """Return the options of a revision's container, and its image; an earlier version recorded them as they are."""
    if "arguments" in record:
        return record["arguments"]
    options = record["container"]
    # No swap in addition: a server that swaps answers too late to be usable.
    memory = ["--memory", options["memory"], "--memory-swap", options["memory"]] if options.get("memory") else []
    return [
        *("--network", options["network"], "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
        *memory,
        *(("--cpus", options["cpus"]) if options.get("cpus") else ()),
        *(("--user", options["user"]) if options.get("user") else ()),
        *(("--read-only", "--tmpfs", "/tmp") if options.get("read_only") else ()),
        record["image_id"],
    ]


def log_options():
    """Return the options for the engine's own log of the container, independent of the engine's default log driver."""
    options = LOG_OPTIONS
    with contextlib.suppress(OSError, ValueError), open(LOG_FILE, encoding="utf-8") as file:
        options = {**options, **json.load(file)}
    return ["--log-driver", "json-file", *(word for key in options for word in ("--log-opt", f"{key}={options[key]}"))]


def prepare(revision):
    """Create a container for the revision, its endpoint and its credentials, unless the present one already fits."""
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
        # The first process of a container ignores SIGTERM until it installs a handler, which takes a server seconds.
        "--init",
        *("--name", revision.container, "--hostname", revision.name, "--restart", "no"),
        *("--label", f"{CONFIG_LABEL}={revision.label}", *revision.place_options),
        *("--label", f"{CREDENTIALS_LABEL}={digest or ''}"),
        *log_options(),
        *("--env-file", os.path.join(revision.directory, "environment")),
        # The last file takes precedence: an earlier version wrote outdated credentials to the first.
        *(("--env-file", path) if path else ()),
        *container_options(revision.record),
    )


def run(revision):
    """Run the engine's client. A container that survived a restart of the engine is attached to, not started again.

    While a unit starts, systemd does not run ExecStop to stop it but sends SIGTERM to the main process, and the client loses
    that signal if the container does not run yet. So this process waits for either signal, and ends the container itself.
    """
    signals = {signal.SIGTERM, signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    found = inspect(revision.container)
    outlived = found is not None and found["State"]["Running"]
    verb = ["attach", "--no-stdin"] if outlived else ["start", "--attach"]
    client = subprocess.Popen(
        ["docker", *verb, revision.container], preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
    )
    while client.poll() is None:
        if signal.sigwait(signals) == signal.SIGTERM:
            end(revision, client)
    sys.exit(client.returncode if client.returncode >= 0 else 128 - client.returncode)


def end(revision, client):
    """End a container that may still be starting: send SIGTERM repeatedly until it has ended, and finally kill it.

    The first process of a container loses a signal that arrives before it is ready (seen: engine 26.1, with tini);
    ``docker stop`` sends it only once, and would then wait for the whole drain time of a server.
    """
    deadline = time.monotonic() + revision.record["drain_seconds"]
    while client.poll() is None:
        last = time.monotonic() > deadline
        words = ["stop", "--time", "1"] if last else ["kill", "--signal", "TERM"]
        docker(*words, revision.container, check=False)
        with contextlib.suppress(subprocess.TimeoutExpired):
            client.wait(SIGNAL_INTERVAL)


def wait(revision):
    """Return when the server is healthy; exit with an error if it exited or its deadline is over."""
    # -I removes the script's own directory, which only root can write, from the path. Only this step needs the import.
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import _probe

    seconds, url = revision.endpoint["healthy_deadline"], f"{revision.url}/ok"
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
    """Stop the server, which drains it. Without a main process, the container has ended, or the engine has and keeps it."""
    if os.environ.get("MAINPID"):
        docker("stop", "--time", str(revision.record["drain_seconds"]), revision.container)


def main():
    """Run one of the four commands."""
    steps = {"prepare": prepare, "run": run, "wait": wait, "stop": stop}
    if len(sys.argv) != 3 or sys.argv[1] not in steps:
        sys.exit(
            "langgraph-container.py is run by langgraph@NAME.N.service; usage: langgraph-container.py prepare|run|wait|stop NAME.N"
        )
    steps[sys.argv[1]](Revision(sys.argv[2]))


if __name__ == "__main__":
    main()
