# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Whether the addresses of the deployments' network are free on a host.

Pure functions: from the host's facts to messages.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
import typing as t
from dataclasses import dataclass

BRIDGE_OPTION = "com.docker.network.bridge.name"
# A route with a shorter prefix is a default route, as of a VPN that takes all traffic (0.0.0.0/1 and 128.0.0.0/1).
_SHORTEST_PREFIX = 4
_CONTAINERS = "langgraph-"
_UP, _REJECT = 0x1, 0x200


@dataclass(frozen=True)
class Route:
    """A route of the host: its destination and its interface."""

    to: str
    interface: str


def parse_routes(table: str) -> list[Route]:
    """Parse the content of ``/proc/net/route``."""
    routes = []
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 7 and int(fields[3], 16) & _UP and not int(fields[3], 16) & _REJECT:
            address, mask = (socket.inet_ntoa(struct.pack("<L", int(fields[place], 16))) for place in (1, 7))
            routes.append(Route(str(ipaddress.IPv4Network(f"{address}/{mask}", strict=False)), fields[0]))
    return routes


def network_problems(
    wanted: t.Mapping[str, str],
    networks: t.Sequence[t.Mapping[str, t.Any]],
    routes: t.Sequence[Route],
    addresses: t.Sequence[str],
) -> t.Iterator[str]:
    """Yield one line for each conflict with the wanted network (name, subnet, gateway, bridge).

    ``networks`` are the engine's networks, as its API returns them; a network that already is as wanted is ours.
    """
    try:
        subnet = ipaddress.IPv4Network(wanted["subnet"])
        gateway = ipaddress.IPv4Address(wanted["gateway"])
    except ValueError as error:
        yield f"docker_network_subnet, docker_network_gateway: {error}; set an IPv4 network and one of its addresses"
        return
    if gateway not in subnet or gateway in (subnet[0], subnet[-1]):
        yield f"docker_network_gateway: {gateway} is not a host address in {subnet}; set it to {subnet[1]}, for example"
        return
    own = next((network for network in networks if network.get("Name") == wanted["name"]), None)
    if own is not None and _is_as_wanted(own, wanted):
        return
    strangers = _strangers(own)
    if strangers:
        # It would be created again, which disconnects the containers in it.
        yield (
            f"docker_network_name: the engine has a different network '{wanted['name']}', used by {', '.join(strangers)}; "
            "set another name"
        )
    # Bridges that a stopped engine or an earlier setting has left are ours too.
    bridges = {wanted["bridge"], *([_bridge(own)] if own is not None else [])}
    foreign = [route for route in routes if route.interface not in bridges]
    known = [ipaddress.IPv4Network(route.to) for route in routes if route.interface in bridges]
    taken = [
        f"the engine's network '{name}' ({text})"
        for name, text in _subnets([network for network in networks if network is not own])
        if _meets(subnet, text)
    ]
    taken += [f"the route to {route.to} by {route.interface}" for route in foreign if _meets(subnet, route.to)]
    taken += [
        f"its own address {address}"
        for address in addresses
        if ":" not in address and _meets(subnet, address) and not any(_meets(one, address) for one in known)
    ]
    if taken:
        free = _free([*(text for _name, text in _subnets(networks)), *(route.to for route in routes)], subnet)
        example = f", for example {free} and {free[1]}" if free else ""
        yield (
            f"docker_network_subnet: {subnet} is already in use on the host by {taken[0]}; set it and docker_network_gateway to a free subnet"
            f"{example}"
        )


def _configs(network: t.Mapping[str, t.Any] | None) -> list[t.Mapping[str, t.Any]]:
    return list(((network or {}).get("IPAM") or {}).get("Config") or ())


def _bridge(network: t.Mapping[str, t.Any]) -> str:
    return str((network.get("Options") or {}).get(BRIDGE_OPTION) or f"br-{str(network.get('Id'))[:12]}")


def _is_as_wanted(network: t.Mapping[str, t.Any], wanted: t.Mapping[str, str]) -> bool:
    there = [(config.get("Subnet"), config.get("Gateway")) for config in _configs(network)]
    return (wanted["subnet"], wanted["gateway"]) in there and _bridge(network) == wanted["bridge"]


def _strangers(network: t.Mapping[str, t.Any] | None) -> list[str]:
    """Return the containers in a network that do not belong to a deployment."""
    names = sorted(str(item.get("Name")) for item in ((network or {}).get("Containers") or {}).values())
    return [name for name in names if not name.startswith(_CONTAINERS)]


def _subnets(networks: t.Sequence[t.Mapping[str, t.Any]]) -> list[tuple[str, str]]:
    """Return the name and IPv4 subnet of the engine's networks."""
    every = [(str(item.get("Name")), str(config.get("Subnet") or "")) for item in networks for config in _configs(item)]
    return [(name, text) for name, text in every if text and ":" not in text]


def _meets(subnet: ipaddress.IPv4Network, text: str) -> bool:
    other = ipaddress.IPv4Network(text, strict=False)
    return other.prefixlen >= _SHORTEST_PREFIX and subnet.overlaps(other)


def _free(others: t.Sequence[str], subnet: ipaddress.IPv4Network) -> ipaddress.IPv4Network | None:
    """Return the last private network that nothing on the host overlaps; the engine itself begins with the first."""
    tried = [f"172.{number}.0.0/16" for number in range(31, 17, -1)] + [
        f"10.{number}.0.0/16" for number in range(253, 200, -1)
    ]
    networks = (ipaddress.IPv4Network(text) for text in tried)
    return next(
        (one for one in networks if not one.overlaps(subnet) and not any(_meets(one, text) for text in others)), None
    )
