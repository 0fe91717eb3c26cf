# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kill ansible-playbook after a task that changed something, before the next action; see killing.py."""

from __future__ import annotations

import os
import signal
import typing as t
from pathlib import Path

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: dies_after
type: aggregate
short_description: Kill ansible-playbook after a task that changed something
description:
  - Kills the process with SIGKILL, as a power cut or a closed laptop would, once the given number of tasks has changed something.
options:
  changes:
    description: After how many.
    env: [{name: DIES_AFTER}]
    type: int
    required: true
  log:
    description: File that the name of the last task goes to.
    env: [{name: DIES_AFTER_LOG}]
    type: path
    required: true
"""


class CallbackModule(CallbackBase):
    """Count tasks and handlers that changed something; kill the process at the last one."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "dies_after"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._seen = 0

    def v2_runner_on_ok(self, result: t.Any) -> None:
        """Handle the end of a task on a host; neither a handler nor the next task has started yet."""
        # ansible-core 2.19 has these as properties, earlier and later versions as fields.
        details = result.result if hasattr(result, "result") else result._result
        task = result.task if hasattr(result, "task") else result._task
        if not details.get("changed"):
            return
        self._seen += 1
        if self._seen == self.get_option("changes"):
            Path(self.get_option("log")).write_text(task.get_name(), encoding="utf-8")
            # The workers of previous tasks are idle children.
            os.kill(os.getpid(), signal.SIGKILL)
