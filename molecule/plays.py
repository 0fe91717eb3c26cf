# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the scenarios' tests run playbooks."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
import typing as t
from pathlib import Path

PROJECT = Path(__file__).parent.parent
# Files of a host that a user without rights can read and that hold a value that was planted, by that user's own search.
# In memory, too; without those from before the host's first boot. (GNU find rounds sizes up: -1M are the empty files.)
READABLE = (
    "runuser -u nobody -- find / /run /tmp /dev/shm -xdev -type f -readable -size -32768k -cnewer /etc/hostname"
    " -exec grep --files-with-matches --text PLANTED {} + 2>/dev/null; true"
)


def late() -> bool:
    """Whether the gate has no time left but for what is essential: of this scenario, and of those after it.

    Unix times in seconds: until SELFHOST_LANGGRAPH_DEADLINE, less what a scenario leaves to those after it.
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
    """Run a playbook over hosts of an inventory, with variables on top of the inventory's; ``by``: what runs the command."""
    command = [*by, "ansible-playbook", "-i", str(inventory), playbook, *arguments]
    environment = {
        **os.environ,
        "ANSIBLE_PIPELINING": "true",
        # Molecule forces colours, which part the numbers that tests look for.
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
