# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The fail points of a rollout and of a removal, by name. They do nothing; tests replace failpoint()."""

from __future__ import annotations

# Fail points of a rollout, in order.
FAILPOINTS = ("written", "started", "healthy", "enabled", "routed", "switched", "recorded", "drained")
# Fail points of a stop, in order.
STOP_FAILPOINTS = ("stop_unrouted", "stop_recorded", "stop_stopped")
# Fail points of a confirmed removal, in order: on the host, then in Postgres, then in Redis.
REMOVAL_FAILPOINTS = (
    "remove_unrouted",
    "remove_unrecorded",
    "remove_stopped",
    "remove_cleared",
    "release_locked_out",
    "release_database_dropped",
    "release_users_off",
    "release_users_gone",
)


def failpoint(name: str) -> None:
    """Mark a fail point. It does nothing."""
