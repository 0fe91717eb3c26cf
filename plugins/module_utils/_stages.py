# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The stages of a rollout by name, so that a test can kill the module at each of them and look at what is left."""

from __future__ import annotations

import os
import signal

# In the order in which a rollout reaches them.
STAGES = ("written", "started", "healthy", "enabled", "routed", "switched", "recorded", "drained")
VARIABLE = "SELFHOST_LANGGRAPH_KILL_AT"


def reach(stage: str) -> None:
    """Say that a stage is reached. Where the variable names it, the process dies as if the machine had taken it."""
    if os.environ.get(VARIABLE) == stage:
        os.kill(os.getpid(), signal.SIGKILL)
