# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The listeners of a host's data proxy, their clients and their backends; and ports that are in use already. No I/O.

Containers reach our Redis and Postgres only at the gateway of their network, wherever the servers are. A server listens
on a socket of its own host. If other hosts use it, the data proxy of that host also listens on a private address.
"""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.removal import DEFAULT_PORTS, server_of

Facts = t.Mapping[str, t.Any]
Groups = t.Mapping[str, t.Sequence[str]]

# In the order of the sections in the configuration file.
SERVICES = ("postgres", "redis")
DEFAULT_GATEWAY = "172.29.0.1"
USER = "langgraph-data-proxy"


def data_proxy_plan(
    hosts: t.Iterable[Facts], host: str, groups: Groups, played: t.Sequence[str], sockets: t.Iterable[Facts] = ()
) -> dict[str, t.Any]:
    """Compute the listeners of ``host``, the hosts whose addresses must be gathered first, and the problems.

    ``hosts`` are the variables of every host of the inventory, ``played`` the names of the hosts in the play: a host that
    is in no group of the collection runs deployments, because a user's own play may use another group. ``sockets`` are the
    listening sockets of the host, if they are known.
    """
    inventory = {str(item["inventory_hostname"]): item for item in hosts}
    plan: dict[str, t.Any] = {"listeners": [], "unknown": [], "problems": []}
    users = _users(groups, played)
    for which in SERVICES:
        servers = {name: server_of(inventory[name], groups, which) for name in users if name in inventory}
        if servers.get(host):
            _add_gateway(plan, inventory, host, servers[host] or "", which)
        others = sorted(name for name, server in servers.items() if server == host and name != host)
        if others:
            _add_private(plan, inventory, host, others, which)
    ports = [item["port"] for item in plan["listeners"]]
    if len(ports) > len({(item["address"], item["port"]) for item in plan["listeners"]}):
        plan["problems"].append(_same_port(max(ports, key=ports.count)))
    plan["unknown"] = sorted(set(plan["unknown"]))
    plan["problems"] = list(dict.fromkeys([*plan["problems"], *taken_ports(plan["listeners"], sockets, host)]))
    return plan


def _same_port(port: int) -> str:
    return f"Redis and Postgres have the same port {port}; change redis_port or postgres_port"


def _no_server(which: str, server: str) -> str:
    return f"langgraph_{which}_server is '{server}', which is not a host of the inventory; correct it"


def _users(groups: Groups, played: t.Sequence[str]) -> list[str]:
    """Return the names of the hosts that run deployments."""
    serving = {name for which in SERVICES for name in groups.get(f"langgraph_{which}", ())}
    named = list(groups.get("langgraph_hosts", ()))
    return sorted({*named, *(name for name in played if not named or name not in serving)})


def port_of(host: Facts, which: str) -> int:
    """Return the port of a service on a host."""
    return int(host.get(f"{which}_port") or DEFAULT_PORTS[which])


def socket_of(host: Facts, which: str) -> str:
    """Return the path of the socket on which a service listens."""
    if which == "postgres":
        return f"/run/langgraph-postgres/.s.PGSQL.{port_of(host, which)}"
    return str(host.get("redis_unix_socket") or "/run/langgraph-redis/redis.sock")


def _add_gateway(plan: dict[str, t.Any], inventory: t.Mapping[str, Facts], host: str, server: str, which: str) -> None:
    if server not in inventory:
        plan["problems"].append(_no_server(which, server))
        return
    listener: dict[str, t.Any] = {
        "name": which,
        "address": str(inventory[host].get("docker_network_gateway") or DEFAULT_GATEWAY),
        "port": port_of(inventory[server], which),
        "sources": [],
    }
    if server == host:
        plan["listeners"].append({**listener, "server": socket_of(inventory[host], which), "local": True})
        return
    address = _private(plan, inventory, server)
    if address is not None:
        remote = {"server": endpoint(address, listener["port"]), "local": False, "host": server}
        plan["listeners"].append({**listener, **remote})


def _add_private(
    plan: dict[str, t.Any], inventory: t.Mapping[str, Facts], host: str, others: t.Sequence[str], which: str
) -> None:
    address = _private(plan, inventory, host)
    sources: set[str] = set()
    for name in others:
        found = own_addresses(inventory[name])
        given = str(inventory[name].get("data_proxy_address") or "")
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
                "port": port_of(inventory[host], which),
                "sources": sorted(sources, key=lambda source: (":" in source, ipaddress.ip_address(source))),
                "server": socket_of(inventory[host], which),
                "local": True,
            }
        )


def _private(plan: dict[str, t.Any], inventory: t.Mapping[str, Facts], host: str) -> str | None:
    """Return the address at which other hosts reach the services of a host; add a problem to the plan if there is none."""
    given = str(inventory[host].get("data_proxy_address") or "")
    if given:
        complaint = address_complaint(host, given)
        plan["problems"] += complaint
        return None if complaint else str(ipaddress.ip_address(given))
    found = own_addresses(inventory[host])
    if found is None:
        plan["unknown"].append(host)
        return None
    facts = inventory[host].get("ansible_facts") or {}
    default = str((facts.get("default_ipv4") or {}).get("address") or "")
    usual = [str(inventory[host].get("ansible_host") or ""), default]
    chosen = next((item for item in usual if item in found and not ipaddress.ip_address(item).is_global), None)
    if chosen is None:
        plan["problems"].append(_no_address(host))
    return chosen


def _no_address(host: str) -> str:
    return (
        f"{host} serves Redis or Postgres to other hosts and its usual address is not private; set data_proxy_address,"
        " an address in a network without other users, because the traffic is not encrypted"
    )


def _no_source(host: str) -> str:
    return (
        f"{host} uses Redis or Postgres on another host, but its facts contain no address that other hosts can reach; set"
        f" data_proxy_address to the address from which {host} connects to them"
    )


def address_complaint(host: str, given: str) -> list[str]:
    """Return the problem with a host's ``data_proxy_address``, as a list of at most one line."""
    try:
        address = ipaddress.ip_address(given)
    except ValueError:
        return [f"data_proxy_address of {host} is '{given}', which is not an IP address; set an address of the host"]
    if address.is_unspecified or address.is_loopback:
        return [f"data_proxy_address of {host} is '{given}'; set the address at which the other hosts reach this host"]
    return []


def own_addresses(host: Facts) -> list[str] | None:
    """Return the addresses at which other hosts see a host; None if its facts were not gathered.

    A configured address is the only one, whether facts are known or not: otherwise the configuration would depend on the
    control node.
    """
    if given := str(host.get("data_proxy_address") or ""):
        return [given]
    facts = host.get("ansible_facts") or {}
    if "interfaces" not in facts:
        return None
    found: set[str] = set()
    for name in facts["interfaces"]:
        # Facts spell interface names with '-', '.' or ':' differently.
        interface = facts.get(name) or facts.get(str(name).translate(str.maketrans("-.:", "___"))) or {}
        entries = [
            interface.get("ipv4") or {},
            *(interface.get("ipv4_secondaries") or ()),
            *(interface.get("ipv6") or ()),
        ]
        addresses = {
            str(entry["address"]) for entry in entries if entry.get("address") and entry.get("scope") != "link"
        }
        if _reaches_hosts(host, str(name), str(interface.get("type") or ""), addresses):
            found |= addresses
    return sorted(found)


def _reaches_hosts(host: Facts, name: str, interface_type: str, addresses: t.Collection[str]) -> bool:
    """Return whether the interface connects to other hosts: a bridge may belong to Docker, or be a hypervisor's uplink."""
    if interface_type != "bridge":
        return interface_type != "loopback"
    facts = host.get("ansible_facts") or {}
    routes = [facts.get(f"default_{family}") or {} for family in ("ipv4", "ipv6")]
    return name in [route.get("interface") for route in routes] or host.get("ansible_host") in addresses


def endpoint(address: str, port: int) -> str:
    """Return ADDRESS:PORT in HAProxy's syntax."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def taken_ports(listeners: t.Iterable[Facts], sockets: t.Iterable[Facts], host: str) -> list[str]:
    """Return one line per port of the data proxy on which another program listens.

    ``sockets`` are the listening sockets of the host: address, port, program and user.
    """
    lines = []
    known = list(sockets)
    for listener in listeners:
        option = f"{str(listener['name']).partition('-')[0]}_port"
        for item in known:
            if (
                item["port"] == listener["port"]
                and item["user"] != USER
                and _conflicts(item["address"], listener["address"])
            ):
                where = endpoint(item["address"], item["port"])
                lines.append(
                    f"the data proxy cannot listen on {endpoint(listener['address'], listener['port'])}: {item['program']} listens"
                    f" on {where} of {host}; change {option}, or let that program listen elsewhere. If an earlier version of the"
                    " collection has set up that Redis or Postgres, move it as described in docs/move-services.md"
                )
                break
    return list(dict.fromkeys(lines))


def servers_not_in_run(listeners: t.Iterable[Facts], limit: t.Collection[str]) -> list[dict[str, t.Any]]:
    """Return the Redis and Postgres of other hosts that a run with ``--limit`` leaves out: name, address and port.

    ``limit`` has the names of the hosts in the run; empty if the user has not limited it.
    """
    return [
        {"name": item["name"], "address": item["server"].rpartition(":")[0].strip("[]"), "port": item["port"]}
        for item in listeners
        if limit and not item["local"] and item["host"] not in limit
    ]


def not_accepted(listeners: t.Iterable[Facts], refused_by: t.Collection[str], host: str) -> list[str]:
    """Return one line per other host whose Redis or Postgres refuses the connections of ``host``."""
    servers = sorted({item["host"] for item in listeners if not item["local"] and item["name"] in refused_by})
    return [_no_access(server, host) for server in servers]


def _no_access(server: str, host: str) -> str:
    return (
        f"{server} has the Redis or Postgres of {host} and closes its connections: it accepts the hosts of its own last run,"
        f" and only while its services run; run the play on both, with --limit {host},{server}"
    )


def _conflicts(one: str, other: str) -> bool:
    first, second = ipaddress.ip_address(one), ipaddress.ip_address(other)
    # The IPv6 wildcard includes IPv4, unless IPV6_V6ONLY is set, which cannot be seen from outside.
    return first == second or (first.is_unspecified and first.version >= second.version)
