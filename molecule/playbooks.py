# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run playbooks in the scenarios' tests."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
import typing as t
from pathlib import Path

PROJECT = Path(__file__).parent.parent
# Print the files of a host that contain a planted value and that an unprivileged user can read, searched as that user.
# Includes files in memory, excludes those from before the host's first boot. (GNU find rounds sizes up: -1M matches only
# empty files.)
READABLE = (
    "runuser -u nobody -- find / /run /tmp /dev/shm -xdev -type f -readable -size -32768k -cnewer /etc/hostname"
    " -exec grep --files-with-matches --text PLANTED {} + 2>/dev/null; true"
)


def late() -> bool:
    """Return whether the gate has time only for essential tests, of this scenario and of the following ones.

    Unix times in seconds: until SELFHOST_LANGGRAPH_DEADLINE, minus the time that a scenario reserves for the following ones.
    """
    leaves = float(os.environ.get("SELFHOST_LANGGRAPH_LEAVES") or 0)
    return time.time() + leaves > float(os.environ.get("SELFHOST_LANGGRAPH_DEADLINE") or "inf")


def run_playbook(
    inventory: Path,
    playbook: str,
    arguments: t.Sequence[str],
    variables: t.Mapping[str, t.Any],
    by: t.Sequence[str] = (),
    **settings: str,
) -> subprocess.CompletedProcess[str]:
    """Run a playbook on hosts of an inventory, with extra variables; ``by`` is a prefix of the command."""
    command = [*by, "ansible-playbook", "-i", str(inventory), playbook, *arguments]
    environment = {
        **os.environ,
        "ANSIBLE_PIPELINING": "true",
        # Molecule forces colours, which split the numbers that tests search for.
        "ANSIBLE_FORCE_COLOR": "false",
        "MOLECULE_PROJECT_DIRECTORY": str(PROJECT),
        "ANSIBLE_CALLBACK_RESULT_FORMAT": os.environ.get("ANSIBLE_CALLBACK_RESULT_FORMAT", "yaml"),
        **settings,
    }
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(variables, file)
        file.flush()
        command += ["--extra-vars", f"@{file.name}"]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=PROJECT)
