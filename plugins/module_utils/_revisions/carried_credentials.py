# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The credentials in a host's containers."""

from __future__ import annotations

import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._common import credentials as _credentials
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.model import Deployment


def carried(found: t.Mapping[str, Deployment]) -> dict[str, t.Any]:
    """Return by deployment the Postgres role and the Redis user of each revision that uses credentials."""
    return {"deployments": {name: list(_entries(item)) for name, item in found.items()}}


def _entries(deployment: Deployment) -> t.Iterator[dict[str, t.Any]]:
    serving = deployment.serving
    for entry in _credentials.carried(deployment.revisions, serving.number if serving else None):
        # Earlier versions recorded the role only; the user always had the deployment's name.
        earlier = entry["user"] is None and entry["login"]
        yield {**entry, "user": deployment.name} if earlier else entry
