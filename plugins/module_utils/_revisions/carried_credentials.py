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
    """Return by deployment the Postgres roles (``logins``) and the Redis users (``users``) of each revision that uses credentials.

    Each has those of its container, and those of the current credentials, with which a restart would create the container again.
    None stands for an unknown one.
    """
    return {"deployments": {name: list(_entries(item)) for name, item in found.items()}}


def _entries(deployment: Deployment) -> t.Iterator[dict[str, t.Any]]:
    """Yield the revisions that run or may start by themselves, such as the serving one even while it is down."""
    serving, current = deployment.serving, deployment.credentials
    for revision in deployment.revisions:
        if not (revision.alive or revision == serving):
            continue
        login, user = revision.login or None, revision.user or None
        if revision.user is None and login:
            # Earlier versions recorded the role only; the user always had the deployment's name.
            user = deployment.name
        yield {
            "revision": revision.number,
            "logins": _distinct(login, _credentials.login(current) if current else login),
            "users": _distinct(user, _credentials.user(current) if current else user),
            "pool": (revision.environment or {}).get(_credentials.POOL),
        }


def _distinct(*names: str | None) -> list[str | None]:
    return list(dict.fromkeys(names))
