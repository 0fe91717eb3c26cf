# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Collect why deployments failed: the state and log of each, one likely cause, and one line for the user."""

from __future__ import annotations

import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.env_file import Variables
from ansible_collections.selfhost.langgraph.plugins.module_utils._host import systemd
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.model import unit_name
from ansible_collections.selfhost.langgraph.plugins.module_utils._server import log_causes
from ansible_collections.selfhost.langgraph.plugins.module_utils._server.health import Answer

# A traceback can be long if systemd restarted the unit a few times; its end is shown.
LINES_READ = 100
LOG_LINES = 20


def collect_failure(
    name: str,
    number: int,
    state: systemd.UnitState,
    answer: Answer | None,
    secrets: Variables,
    since: float | None = None,
    memory: str = "",
) -> dict[str, t.Any]:
    """Return one failure as data: name, revision, code, cause, the log line that shows it, log.

    The values of ``secrets``, the variables of the container, are masked in the lines. ``memory`` is its limit.
    """
    lines = log_causes.plain(systemd.journal(unit_name(name, number), LINES_READ, since))
    cause = log_causes.likely_cause(state.active, state.exit_code, answer.status if answer else None, lines, memory)
    line, *log = log_causes.mask([cause.line, *lines[-LOG_LINES:]], secrets)
    return {"name": name, "revision": number, "code": cause.code, "cause": cause.text, "line": line, "log": log}


# Codes of failures that have no log: the cause is complete.
UNLOGGED = ("proxy", "rollout", "lost_runs", "drain")


def summarize(failures: t.Sequence[t.Mapping[str, t.Any]]) -> str:
    """Return one line per deployment: its likely cause, and the log line that shows it, else the last one."""
    lines = []
    for failure in failures:
        logged = f"; it logged: {failure['line']}" if failure["line"] else "; it logged nothing"
        happened = (
            f": {failure['cause']}" if failure["code"] in UNLOGGED else f" is not healthy: {failure['cause']}{logged}"
        )
        kept = f"; revision {failure['serving']} continues to serve" if failure.get("serving") else ""
        which = f"revision {failure['revision']} of " if failure.get("serving") else ""
        lines.append(f"{which}deployment '{failure['name']}'{happened}{kept}")
    return "\n".join(lines)
