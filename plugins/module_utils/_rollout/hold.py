# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a run does with a deployment that was rolled back, while the list still has the newer content. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.model import Deployment, Wanted


def undoes_rollback(wanted: Wanted, found: Deployment | None) -> bool:
    """Return whether a run would replace the content that a rollback has brought back."""
    serving = found.last if found else None
    if found is None or serving is None or serving.content is None or wanted.content is None or not serving.intact:
        return False
    return bool((found.settings or {}).get("rolled_back")) and serving.content.apart != wanted.content.apart


def hold(wanted: Wanted, found: Deployment) -> Wanted:
    """Return the wanted state with the content that serves. Addresses, limits and credentials still follow the list."""
    serving = found.last
    if serving is None or serving.content is None:
        return wanted
    content = serving.content.apart
    # The mount prefix belongs to the revision.
    prefix = content.environment.get("MOUNT_PREFIX") or None
    return replace(wanted, content=content, settings={**wanted.settings, "prefix": prefix})


def rollback_warning(found: Deployment, *, held: bool) -> str:
    """Return the warning about a deployment whose rollback a run undoes, or holds."""
    record: dict[str, t.Any] = (found.settings or {}).get("rolled_back") or {}
    serving = found.last.number if found.last else None
    begin = (
        f"deployment '{found.name}' was rolled back from revision {record.get('from')} to {serving} by "
        f"{record.get('by') or 'unknown'} at {record.get('at')}"
    )
    if held:
        return f"{begin} and is held there; -e langgraph_hold_rollbacks=false rolls it forward to the list"
    return f"{begin}; this run rolls it forward to the list; langgraph_hold_rollbacks: true holds it"
