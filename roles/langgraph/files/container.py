# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the unit langgraph@NAME.service runs: langgraph-container.py prepare|run|wait|stop NAME.

The unit's main process is the engine's client, attached to the container, so that the journal has its log and
systemd sees its exit code. Nothing here knows Ansible: after a reboot this file and the deployment's folder suffice.
"""

import http.client
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request

CONFIG_DIR = os.environ.get("LANGGRAPH_CONFIG_DIR", "/etc/langgraph")
CONFIG_LABEL = "selfhost.langgraph.config"
LONGEST_BACK_OFF = 60
# A server that ran for so long has recovered; its next crash is the first again.
RECOVERED_SECONDS = 600


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


def prepare(name, container, settings):
    """Have a container that fits the settings: keep it where it does, else create it anew."""
    found = inspect(container)
    back_off(f"langgraph@{name}.service", found)
    if found is not None and found["Config"]["Labels"].get(CONFIG_LABEL) == settings["config"]:
        return
    if found is not None:
        docker("stop", "--time", str(settings["drain_seconds"]), container)
        docker("rm", "--force", container)
    docker("create", "--label", f"{CONFIG_LABEL}={settings['config']}", *settings["arguments"])


def run(_name, container, _settings):
    """Become the engine's client. A container that outlived the engine's restart is joined, not started again."""
    found = inspect(container)
    if found is not None and found["State"]["Running"]:
        os.execvp("docker", ["docker", "attach", "--no-stdin", container])
    os.execvp("docker", ["docker", "start", "--attach", container])


def healthy(url):
    """Whether the server answers 200 and JSON whose ok is true."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=5) as response:
            content = json.loads(response.read(65536))
            return response.status == 200 and isinstance(content, dict) and content.get("ok") is True
    except (OSError, ValueError, http.client.HTTPException):
        # The last one: something answers there that does not speak HTTP.
        return False


def wait(_name, container, settings):
    """Come back when the server is healthy; end with an error when it exited or its time is over."""
    deadline = time.monotonic() + settings["start_timeout"]
    client = int(os.environ.get("MAINPID", "0"))
    while not healthy(settings["ok_url"]):
        if client and not os.path.exists(f"/proc/{client}"):
            sys.exit(f"the container exited before it answered {settings['ok_url']}")
        if time.monotonic() > deadline:
            docker("stop", "--time", "10", container, check=False)
            sys.exit(f"no healthy answer from {settings['ok_url']} within {settings['start_timeout']} s")
        time.sleep(0.25)


def stop(_name, container, settings):
    """Let the server drain. Without a main process the container ended, or the engine did and keeps it running."""
    if os.environ.get("MAINPID"):
        docker("stop", "--time", str(settings["drain_seconds"]), container)


def main():
    """Run one of the four steps."""
    steps = {"prepare": prepare, "run": run, "wait": wait, "stop": stop}
    if len(sys.argv) != 3 or sys.argv[1] not in steps:
        sys.exit("usage: langgraph-container.py prepare|run|wait|stop NAME")
    name = sys.argv[2]
    with open(os.path.join(CONFIG_DIR, name, "container.json"), encoding="utf-8") as file:
        settings = json.load(file)
    steps[sys.argv[1]](name, "langgraph-" + name, settings)


if __name__ == "__main__":
    main()
