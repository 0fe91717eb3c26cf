# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The host's firewall, which follows the records of the deployments. The role firewall ships the helper program."""

from __future__ import annotations

import os
import subprocess

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.command import run

HELPER = "/usr/local/lib/langgraph/langgraph-firewall.py"
# The helper resolves host names of services, with two name servers that may not answer.
_SECONDS = 60.0


class FirewallError(RuntimeError):
    """The table could not be updated; the previous one remains loaded."""


def apply() -> None:
    """Update the table from the records. Do nothing if the host has no such firewall. Raises FirewallError."""
    if not os.path.exists(HELPER):
        return
    try:
        done = run(["/usr/bin/python3", "-I", HELPER, "apply"], timeout=_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise FirewallError(
            f"the firewall's helper did not finish within {_SECONDS:g} s; the previous table remains loaded"
        ) from error
    if done.returncode != 0:
        reason = done.stderr.strip() or f"{HELPER} ended with {done.returncode}"
        raise FirewallError(f"the firewall is not up to date: {reason}")
