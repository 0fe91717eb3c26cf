# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What HAProxy is to serve: the routes of a host's deployments, and who is in their way."""

from __future__ import annotations

import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.address import meet
from ansible_collections.selfhost.langgraph.plugins.module_utils._haproxy import config, reload
from ansible_collections.selfhost.langgraph.plugins.module_utils._haproxy.config import Route
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.model import Deployment, is_in_place


def route(name: str, settings: t.Mapping[str, t.Any], number: int, slot: t.Mapping[str, t.Any]) -> Route:
    """How the proxy sends a deployment's requests to one of its revisions."""
    return Route(
        name=name,
        revision=number,
        target_address=slot.get("address", "127.0.0.1"),
        target_port=int(slot["port"]),
        bind_address=settings["bind_address"],
        port=int(settings["port"]),
        hostname=settings.get("hostname"),
        prefix=settings.get("prefix"),
        tls=bool(settings.get("tls")),
    )


def routes(deployments: t.Collection[Deployment]) -> list[Route]:
    """The routes of all deployments that stand behind the proxy and have a revision that serves there.

    Where another's container has the port itself, as after an exchange that failed for one of them, there is no way.
    """
    found = []
    for deployment in deployments:
        settings, serving = deployment.settings or {}, deployment.serving
        if settings.get("proxy") != "haproxy" or holder_of_port(deployment, deployments):
            continue
        if serving and serving.slot and is_in_place(serving.slot, settings):
            found.append(route(deployment.name, settings, serving.number, serving.slot))
    return found


def holder_of_port(deployment: Deployment, others: t.Iterable[Deployment]) -> str | None:
    """Which other deployment's container is itself at the public address of this one, or may have to go back there."""
    mine = deployment.settings or {}
    for other in others if mine else ():
        theirs, serving = other.settings or {}, other.serving
        if other.name == deployment.name or theirs.get("proxy") != "none" or serving is None:
            continue
        if (theirs.get("kept") or is_in_place(serving.slot, theirs)) and same_port(mine, theirs):
            return other.name
    return None


def same_port(mine: t.Mapping[str, t.Any], theirs: t.Mapping[str, t.Any]) -> bool:
    """Whether the public addresses of two deployments are one listener, or cannot both be listened on."""
    return meet(mine["bind_address"], mine["port"], theirs["bind_address"], theirs["port"])


def proxy_text(world: t.Mapping[str, Deployment], asking: t.Iterable[str] = ()) -> str | None:
    """What the proxy has to run for the deployments of a host; None where it has never been asked for.

    ValueError where they cannot go together, or where another one still has the address that one is ``asking`` for.
    """
    found = routes(world.values())
    for name in asking:
        _refuse_taken(
            world[name], [other for other in world.values() if other.name not in (name, *(r.name for r in found))]
        )
    return config.render(found) if found or reload.read() is not None else None


def _refuse_taken(deployment: Deployment, unrouted: t.Iterable[Deployment]) -> None:
    """Those that the proxy does not serve at the moment have their addresses all the same: to come back to."""
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
    """Whether the proxy runs something else than the host's records ask for, as after a run that was killed."""
    try:
        text = proxy_text(found)
    except ValueError:
        # Killed between the records of two deployments that exchange their addresses.
        return True
    return text is not None and not reload.is_loaded(text)
