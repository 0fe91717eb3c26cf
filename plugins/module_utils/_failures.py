# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Collect why deployments failed: state and log of each, one likely cause, one line for people."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils import _diagnosis, _systemd
from ansible_collections.selfhost.langgraph.plugins.module_utils._probe import Answer
from ansible_collections.selfhost.langgraph.plugins.module_utils._services import unit_name, variables

# A traceback that systemd restarted a few times can be long; what is shown is its end.
LINES_READ = 100
LOG_LINES = 20


def failures_of(names: t.Sequence[str], config_dir: str) -> list[dict[str, t.Any]]:
    """Explain those of ``names`` whose unit did not become active."""
    states = _systemd.unit_states([unit_name(name) for name in names])
    return [
        explain(name, states[unit_name(name)], None, config_dir)
        for name in names
        if states[unit_name(name)].active != "active"
    ]


def explain(name: str, state: _systemd.UnitState, answer: Answer | None, config_dir: str) -> dict[str, t.Any]:
    """One failure as data: name, code, cause, the line that tells it, log."""
    lines = _diagnosis.plain(_systemd.journal(unit_name(name), LINES_READ))
    cause = _diagnosis.likely_cause(state.active, state.exit_code, answer.status if answer else None, lines)
    line, *log = _diagnosis.mask([cause.line, *lines[-LOG_LINES:]], _environment(name, config_dir))
    return {"name": name, "code": cause.code, "cause": cause.text, "line": line, "log": log}


def _environment(name: str, config_dir: str) -> dict[str, str]:
    try:
        with open(os.path.join(config_dir, name, "environment"), encoding="utf-8") as file:
            return variables(file.read())
    except OSError:
        return {}


def sentence(failures: t.Sequence[t.Mapping[str, t.Any]]) -> str:
    """One line a deployment: its likely cause and the line of its log that tells it, else its last one."""
    lines = []
    for failure in failures:
        logged = f"it logged: {failure['line']}" if failure["line"] else "it logged nothing"
        lines.append(f"deployment '{failure['name']}' is not healthy: {failure['cause']}; {logged}")
    return "\n".join(lines)
