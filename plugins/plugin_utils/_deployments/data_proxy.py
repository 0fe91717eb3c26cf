# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""On which addresses a host's data proxy listens, for whom, and where it leads; and who has such a port already. No I/O.

Containers reach Redis and Postgres of ours at the gateway of their network alone, wherever the servers are. A server listens
on a socket of its own host. Where other hosts use it, the data proxy of that host listens on a private address too.
"""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.removal import DEFAULT_PORTS, server_of

Facts = t.Mapping[str, t.Any]
Groups = t.Mapping[str, t.Sequence[str]]

# In the order in which the sections stand in the file.
SERVICES = ("postgres", "redis")
DEFAULT_GATEWAY = "172.29.0.1"
USER = "langgraph-data-proxy"


def data_proxy_plan(hosts: t.Iterable[Facts], host: str, groups: Groups, played: t.Sequence[str]) -> dict[str, t.Any]:
    """Work out the listeners of ``host``, the hosts whose addresses have to be learned first, and what is wrong.

    ``hosts`` are the variables of every host of the inventory, ``played`` the names of those in the play: one that is in no
    group of the collection runs deployments, as a play of somebody's own may go by another group.
    """
    world = {str(item["inventory_hostname"]): item for item in hosts}
    plan: dict[str, t.Any] = {"listeners": [], "unknown": [], "problems": []}
    users = _users(groups, played)
    for which in SERVICES:
        servers = {name: server_of(world[name], groups, which) for name in users if name in world}
        if servers.get(host):
            _add_gateway(plan, world, host, servers[host] or "", which)
        others = sorted(name for name, server in servers.items() if server == host and name != host)
        if others:
            _add_private(plan, world, host, others, which)
    ports = [item["port"] for item in plan["listeners"]]
    if len(ports) > len({(item["address"], item["port"]) for item in plan["listeners"]}):
        plan["problems"].append(_same_port(max(ports, key=ports.count)))
    plan["unknown"] = sorted(set(plan["unknown"]))
    plan["problems"] = list(dict.fromkeys(plan["problems"]))
    return plan


def _same_port(port: int) -> str:
    return f"Redis and Postgres are to have the same port {port}; give redis_port or postgres_port another one"


def _no_server(which: str, server: str) -> str:
    return f"langgraph_{which}_server is '{server}', which is no host of the inventory; correct it"


def _users(groups: Groups, played: t.Sequence[str]) -> list[str]:
    """Name the hosts that run deployments."""
    serving = {name for which in SERVICES for name in groups.get(f"langgraph_{which}", ())}
    named = list(groups.get("langgraph_hosts", ()))
    return sorted({*named, *(name for name in played if not named or name not in serving)})


def port_of(host: Facts, which: str) -> int:
    """Give the port at which a host offers a service."""
    return int(host.get(f"{which}_port") or DEFAULT_PORTS[which])


def socket_of(host: Facts, which: str) -> str:
    """Give the path of the socket on which a service listens."""
    if which == "postgres":
        return f"/run/langgraph-postgres/.s.PGSQL.{port_of(host, which)}"
    return str(host.get("redis_unix_socket") or "/run/langgraph-redis/redis.sock")


def _add_gateway(plan: dict[str, t.Any], world: t.Mapping[str, Facts], host: str, server: str, which: str) -> None:
    if server not in world:
        plan["problems"].append(_no_server(which, server))
        return
    listener: dict[str, t.Any] = {
        "name": which,
        "address": str(world[host].get("docker_network_gateway") or DEFAULT_GATEWAY),
        "port": port_of(world[server], which),
        "sources": [],
    }
    if server == host:
        plan["listeners"].append({**listener, "server": socket_of(world[host], which), "local": True})
        return
    address = _private(plan, world, server)
    if address is not None:
        plan["listeners"].append({**listener, "server": endpoint(address, listener["port"]), "local": False})


def _add_private(
    plan: dict[str, t.Any], world: t.Mapping[str, Facts], host: str, others: t.Sequence[str], which: str
) -> None:
    address = _private(plan, world, host)
    sources: set[str] = set()
    for name in others:
        found = own_addresses(world[name])
        given = str(world[name].get("data_proxy_address") or "")
        if found is None:
            plan["unknown"].append(name)
        elif given and (complaint := address_complaint(name, given)):
            plan["problems"] += complaint
        elif not found:
            plan["problems"].append(_no_source(name))
        else:
            sources.update(found)
    if address is not None:
        plan["listeners"].append(
            {
                "name": f"{which}-hosts",
                "address": address,
                "port": port_of(world[host], which),
                "sources": sorted(sources, key=lambda text: (":" in text, ipaddress.ip_address(text))),
                "server": socket_of(world[host], which),
                "local": True,
            }
        )


def _private(plan: dict[str, t.Any], world: t.Mapping[str, Facts], host: str) -> str | None:
    """Find the address at which other hosts reach the services of a host; note why there is none."""
    given = str(world[host].get("data_proxy_address") or "")
    if given:
        complaint = address_complaint(host, given)
        plan["problems"] += complaint
        return None if complaint else str(ipaddress.ip_address(given))
    found = own_addresses(world[host])
    if found is None:
        plan["unknown"].append(host)
        return None
    facts = world[host].get("ansible_facts") or {}
    usual = [str(world[host].get("ansible_host") or ""), str((facts.get("default_ipv4") or {}).get("address") or "")]
    chosen = next((text for text in usual if text in found and not ipaddress.ip_address(text).is_global), None)
    if chosen is None:
        plan["problems"].append(_no_address(host))
    return chosen


def _no_address(host: str) -> str:
    return (
        f"{host} has Redis or Postgres for other hosts and its usual address is not a private one; give it data_proxy_address,"
        " an address of a network that nobody else is on, as what travels there is not encrypted"
    )


def _no_source(host: str) -> str:
    return (
        f"{host} uses Redis or Postgres of another host, and its facts have no address towards others; give it data_proxy_address,"
        " the address that it comes from"
    )


def address_complaint(host: str, given: str) -> list[str]:
    """Say what is wrong with the address that a host was given, as a list of at most one line."""
    try:
        address = ipaddress.ip_address(given)
    except ValueError:
        return [f"data_proxy_address of {host} is '{given}', which is no IP address; give one of the host"]
    if address.is_unspecified or address.is_loopback:
        return [
            f"data_proxy_address of {host} is '{given}'; give the one address of the host that the other hosts reach it at"
        ]
    return []


def own_addresses(host: Facts) -> list[str] | None:
    """List the addresses that a host has towards others; None where its facts do not tell.

    An address that the host is given is the only one, whether its facts are known or not: else the settings would be other
    ones from another control node.
    """
    if given := str(host.get("data_proxy_address") or ""):
        return [given]
    facts = host.get("ansible_facts") or {}
    if "interfaces" not in facts:
        return None
    found: set[str] = set()
    for name in facts["interfaces"]:
        # Facts have another spelling of interfaces with '-', '.' or ':' in their names.
        interface = facts.get(name) or facts.get(str(name).translate(str.maketrans("-.:", "___"))) or {}
        entries = [
            interface.get("ipv4") or {},
            *(interface.get("ipv4_secondaries") or ()),
            *(interface.get("ipv6") or ()),
        ]
        addresses = {
            str(entry["address"]) for entry in entries if entry.get("address") and entry.get("scope") != "link"
        }
        if _leads_out(host, str(name), str(interface.get("type") or ""), addresses):
            found |= addresses
    return sorted(found)


def _leads_out(host: Facts, name: str, kind: str, addresses: t.Collection[str]) -> bool:
    """Whether other hosts reach the host by this interface: a bridge may be an engine's, or the way out of a host of machines."""
    if kind != "bridge":
        return kind != "loopback"
    facts = host.get("ansible_facts") or {}
    routes = [facts.get(f"default_{family}") or {} for family in ("ipv4", "ipv6")]
    return name in [route.get("interface") for route in routes] or host.get("ansible_host") in addresses


def endpoint(address: str, port: int) -> str:
    """Write an address with its port, as HAProxy reads it."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def taken_ports(listeners: t.Iterable[Facts], sockets: t.Iterable[Facts], host: str) -> list[str]:
    """One line for each port of the data proxy on which another program listens.

    ``sockets`` are those of the host that listen: address, port, program and user.
    """
    lines = []
    known = list(sockets)
    for listener in listeners:
        option = f"{str(listener['name']).partition('-')[0]}_port"
        for item in known:
            if (
                item["port"] == listener["port"]
                and item["user"] != USER
                and _meet(item["address"], listener["address"])
            ):
                where = endpoint(item["address"], item["port"])
                lines.append(
                    f"the data proxy cannot listen on {endpoint(listener['address'], listener['port'])}: {item['program']} listens"
                    f" on {where} of {host}; give {option} another number, or have that program listen elsewhere. A Redis or Postgres"
                    " that an earlier version of the collection has set up is moved as docs/move-services.md says"
                )
                break
    return list(dict.fromkeys(lines))


def _meet(one: str, other: str) -> bool:
    first, second = ipaddress.ip_address(one), ipaddress.ip_address(other)
    # A wildcard of IPv6 has IPv4 too, unless it was told otherwise, which is not to be seen from outside.
    return first == second or (first.is_unspecified and first.version >= second.version)
