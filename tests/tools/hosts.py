#!/usr/bin/env python
# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start, restart and remove single test hosts: for pytest, the benchmarks, and by hand. Molecule uses tests/hosts itself.

usage: hosts.py up NAME RELEASE | reboot NAME | restart NAME | address NAME | down NAME...
"""

from __future__ import annotations

import subprocess
import sys
import time

from project import ROOT, SETTINGS, run

BOOT_SECONDS = 60
# Restarting waits for as long as the drains of the host's services may take, but not longer than it needs.
STOP_SECONDS = 240


def play(name: str, playbook: str, *options: str) -> None:
    """Run one of Molecule's playbooks on hosts; raise CalledProcessError if it fails."""
    run("ansible-playbook", "-i", f"{name},", *options, f"molecule/default/{playbook}", cwd=ROOT, **SETTINGS)


def up(name: str, release: str) -> None:
    """Create or start a host, and wait until it has booted."""
    play(name, "create.yml", "-e", f"test_release={release}")


def down(*names: str) -> None:
    """Remove hosts with their data."""
    play(",".join(names), "destroy.yml")


def restart(name: str) -> None:
    """Restart a host without waiting for its boot."""
    run("docker", "restart", "--time", str(STOP_SECONDS), name)


def reboot(name: str) -> None:
    """Restart a host, and wait until it has booted."""
    restart(name)
    deadline = time.monotonic() + BOOT_SECONDS
    while (state := _state(name)) not in ("running", "degraded"):
        if time.monotonic() > deadline:
            sys.exit(f"{name} does not boot: systemctl reports '{state}'")
        time.sleep(0.5)


def _state(name: str) -> str:
    command = ["docker", "exec", name, "systemctl", "is-system-running"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def address(name: str) -> str:
    """Return the address of a host in the network of the test hosts."""
    template = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    return subprocess.check_output(["docker", "inspect", "--format", template, name], text=True).strip()


COMMANDS = {"up": up, "down": down, "restart": restart, "reboot": reboot, "address": address}

if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in COMMANDS:
        sys.exit(str(__doc__))
    print(COMMANDS[sys.argv[1]](*sys.argv[2:]) or "", end="\n" if sys.argv[1] == "address" else "")
