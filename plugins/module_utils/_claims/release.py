# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The release of a claim, as Redis and Postgres have it in common. No I/O."""

from __future__ import annotations

import typing as t


class ReleaseBase:
    """One deployment to release, and what exists of it."""

    confirmed: bool
    clients: int

    @property
    def needed(self) -> bool:
        """Return whether anything of it is left."""
        raise NotImplementedError

    def actions(self) -> list[dict[str, t.Any]]:
        """List the actions, in their order."""
        raise NotImplementedError

    @property
    def kept(self) -> bool:
        """Return whether something of it stays, for lack of a confirmation."""
        return self.needed and not self.confirmed

    def outcome(self, data: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        """Return the common part of its entry of the module's result; ``data`` is what is lost, or would be."""
        return {
            "changed": bool(self.actions()),
            "clients": self.clients,
            "lost" if self.confirmed else "would_lose": dict(data),
        }
