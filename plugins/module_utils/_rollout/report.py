# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The report of a rollout on each deployment."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.diff import image_change, masked
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.model import Deployment, Wanted
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.plan import Step, interrupts


@dataclass
class Report:
    """The result of one step; ``runs`` are counts by status before and after the switch, None if unknown."""

    step: Step
    failure: dict[str, t.Any] | None = None
    runs: dict[str, t.Any] = field(default_factory=dict)
    snapshot: str | None = None


def result_entry(report: Report, wanted: Wanted, found: Deployment | None) -> dict[str, t.Any]:
    """Return one entry of the module's result."""
    step: Step = report.step
    return {
        "name": step.name,
        "action": step.action,
        "changed": step.changed,
        "interrupts": interrupts(step, wanted, found),
        "reasons": list(step.reasons),
        "revision": step.revision,
        "image_id": wanted.content.image_id if wanted.content else None,
        "image_digest": (wanted.content.digest or None) if wanted.content else None,
        "image_change": image_change(found.last.content if found and found.last else None, wanted.content),
        "runs": report.runs,
        "snapshot": report.snapshot,
    }


def diff_of(wanted: Wanted, found: Deployment | None) -> dict[str, str]:
    """Return one entry of the module's diff."""
    header = f"deployment {wanted.name}"
    old = found.last.content if found and found.last else None
    settings, before = (found.settings, found.credentials) if found else (None, {})
    new, wanted_settings, after = wanted.content, wanted.settings, wanted.credentials
    if wanted.stop:
        # Everything is kept.
        new, wanted_settings, after = old, settings or {}, before
    stopped = "stopped\n"
    return {
        "before_header": header,
        "after_header": header,
        "before": masked(old, settings, new, "before", (before, after)) + (stopped if found and found.stopped else ""),
        "after": masked(new, wanted_settings, old, "after", (after, before)) + (stopped if wanted.stop and old else ""),
    }
