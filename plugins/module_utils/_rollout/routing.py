# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The routes of a host's deployments for HAProxy, and the deployments that block them."""

from __future__ import annotations

import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.address import conflicts
from ansible_collections.selfhost.langgraph.plugins.module_utils._haproxy import config, reload
from ansible_collections.selfhost.langgraph.plugins.module_utils._haproxy.config import Route
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.model import (
    Deployment,
    is_at_wanted_endpoint,
)


def route(name: str, settings: t.Mapping[str, t.Any], number: int, endpoint: t.Mapping[str, t.Any]) -> Route:
    """Return the route from a deployment's public address to one of its revisions."""
    return Route(
        name=name,
        revision=number,
        target_address=endpoint.get("address", "127.0.0.1"),
        target_port=int(endpoint["port"]),
        bind_address=settings["bind_address"],
        port=int(settings["port"]),
        hostname=settings.get("hostname"),
        prefix=settings.get("prefix"),
        tls=bool(settings.get("tls")),
    )


def routes(deployments: t.Collection[Deployment]) -> list[Route]:
    """Return the routes of all deployments that are behind the proxy and have a serving revision there.

    A deployment has no route while the container of another one has its port, as after an exchange that failed for one of them.
    """
    found = []
    for deployment in deployments:
        settings, serving = deployment.settings or {}, deployment.serving
        if settings.get("proxy") != "haproxy" or holder_of_port(deployment, deployments):
            continue
        if serving and serving.endpoint and is_at_wanted_endpoint(serving.endpoint, settings):
            found.append(route(deployment.name, settings, serving.number, serving.endpoint))
    return found


def holder_of_port(deployment: Deployment, others: t.Iterable[Deployment]) -> str | None:
    """Return the other deployment whose container has the public address of this one, or may have to return to it."""
    mine = deployment.settings or {}
    for other in others if mine else ():
        theirs, serving = other.settings or {}, other.serving
        if other.name == deployment.name or theirs.get("proxy") != "none" or serving is None:
            continue
        if (theirs.get("kept") or is_at_wanted_endpoint(serving.endpoint, theirs)) and same_port(mine, theirs):
            return other.name
    return None


def same_port(mine: t.Mapping[str, t.Any], theirs: t.Mapping[str, t.Any]) -> bool:
    """Return whether the public addresses of two deployments are the same listener or conflict."""
    return conflicts(mine["bind_address"], mine["port"], theirs["bind_address"], theirs["port"])


def proxy_text(deployments: t.Mapping[str, Deployment], asking: t.Iterable[str] = ()) -> str | None:
    """Return the proxy's configuration for the deployments of a host; None if the proxy was never needed.

    Raises ValueError if the routes conflict, or if another deployment still has the address that one is ``asking`` for.
    """
    found = routes(deployments.values())
    for name in asking:
        _refuse_taken(
            deployments[name],
            [other for other in deployments.values() if other.name not in (name, *(r.name for r in found))],
        )
    return config.render(found) if found or reload.read() is not None else None


def _refuse_taken(deployment: Deployment, unrouted: t.Iterable[Deployment]) -> None:
    """Raise ValueError if an unrouted deployment has the address: it keeps its address in order to return to it."""
    mine = deployment.settings or {}
    for other in unrouted:
        theirs = other.settings or {}
        if mine.get("proxy") != "haproxy" or other.serving is None or not same_port(mine, theirs):
            continue
        if theirs["proxy"] == "none":
            raise ValueError(
                f"deployment '{deployment.name}' cannot use port {mine['port']}: deployment '{other.name}' uses it "
                "without the proxy"
            )
        config.render([route(item.name, item.settings or {}, 0, {"port": 1}) for item in (deployment, other)])


def proxy_drifted(found: t.Mapping[str, Deployment]) -> bool:
    """Return whether the proxy's configuration differs from the host's records, as after a killed run."""
    try:
        text = proxy_text(found)
    except ValueError:
        # A run was killed between the records of two deployments that exchange their addresses.
        return True
    return text is not None and not reload.is_loaded(text)
