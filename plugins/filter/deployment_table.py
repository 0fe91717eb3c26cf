# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: deployment_table
short_description: Table of deployments for users
version_added: 0.1.0
author:
  - The selfhost.langgraph authors (@selfhost-langgraph)
description:
  - Returns one line per deployment, with its URL, Redis database number, Postgres database, image, revision and health, and
    below them one line per change. For new deployments on the loopback of the host, the last line has the C(ssh) command that
    reaches them.
  - The role P(selfhost.langgraph.langgraph#role) uses it.
positional: numbers, health, services, check_mode, connection
options:
  _input:
    description: The RV(selfhost.langgraph.deployment_check#module:deployments) of M(selfhost.langgraph.deployment_check).
    type: list
    elements: dict
    required: true
  numbers:
    description: The RV(selfhost.langgraph.redis_database#module:databases) of M(selfhost.langgraph.redis_database).
    type: dict
    required: true
  health:
    description: The RV(selfhost.langgraph.health#module:health) of M(selfhost.langgraph.health).
    type: dict
    required: true
  services:
    description:
      - The RV(selfhost.langgraph.deployment_rollout#module:deployments) of M(selfhost.langgraph.deployment_rollout), the changes
        that were made, or in check mode would be.
    type: list
    elements: dict
    default: []
  check_mode:
    description: Whether the changes were not made. The columns then state what image and revision would be.
    type: bool
    default: false
  connection:
    description: How Ansible connects to the host, as C(type), C(host), C(user) and C(port). Without it, no C(ssh) command is printed.
    type: dict
"""

EXAMPLES = r"""
- name: Show the deployments
  ansible.builtin.debug:
    msg: "{{ checked.deployments | selfhost.langgraph.deployment_table(redis.databases, health.health) }}"
"""

RETURN = r"""
_value:
  description: The lines of the table.
  type: list
  elements: str
"""

import ipaddress
import typing as t

from ansible_collections.selfhost.langgraph.plugins.plugin_utils._tables import align

Deployments = t.Sequence[t.Mapping[str, t.Any]]
COLUMNS = ("deployment", "url", "redis db", "postgres database", "image", "revision", "health")
# Columns with the state after a run, which in check mode has not happened.
PREDICTED = ("image", "revision")
# Connections of Ansible to a host that ssh reaches.
SSH = ("ssh", "smart", "paramiko", "ansible.builtin.ssh", "ansible.builtin.paramiko_ssh")
FIRST_UNPRIVILEGED = 1024
TUNNEL_OFFSET = 8000


def deployment_table(
    deployments: Deployments,
    numbers: t.Mapping[str, t.Mapping[str, t.Any]],
    health: t.Mapping[str, t.Mapping[str, t.Any]],
    services: t.Sequence[t.Mapping[str, t.Any]] = (),
    check_mode: bool = False,
    connection: t.Mapping[str, t.Any] | None = None,
) -> list[str]:
    """Return the lines of the final table, below it the changes, and how to reach deployments that are new.

    ``health`` is the ``health`` that the module health returned, ``services`` the ``deployments`` of deployment_rollout:
    the changes that were made, or in check mode would be, and their reasons. ``connection`` is how Ansible connects to the
    host: type, host, user and port.
    """
    columns = (f"{name} would be" if check_mode and name in PREDICTED else name for name in COLUMNS)
    rows = [tuple(name.upper() for name in columns)]
    done = {service["name"]: service for service in services}
    connected = connection or {}
    for deployment in deployments:
        name = deployment["name"]
        revision = str(done.get(name, {}).get("revision") or "-")
        if deployment["state"] == "stopped":
            rows.append((name, "-", "-", deployment["database"], "-", "-", "stopped"))
            continue
        answer = health.get(name)
        state = "-" if answer is None else "healthy" if answer["ok"] else "UNHEALTHY"
        number = str(numbers.get(name, {}).get("redis_db") or "-")
        url = _shown_url(deployment, connected)
        rows.append((name, url, number, deployment["database"], deployment["image"], revision, state))
    created = {service["name"] for service in services if service["action"] == "create"}
    new = [] if check_mode else [item["rollout"] for item in deployments if item["name"] in created]
    return [*align(rows), *_changes(services), *_reach(new, connected)]


def _reach(created: Deployments, connection: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    """Return a line with the ssh command that reaches new deployments on the loopback of the host."""
    tunnels = [
        (item, _local_port(item["port"]))
        for item in created
        if item["port"] and not item.get("hostname") and _is_loopback(item["bind_address"])
    ]
    if not tunnels or connection.get("type") not in SSH:
        return
    forwards = [f"-L {local}:{_bracketed(item['bind_address'])}:{item['port']}" for item, local in tunnels]
    port = f"-p {connection['port']} " if str(connection.get("port") or 22) != "22" else ""
    user = f"{connection['user']}@" if connection.get("user") else ""
    first, local = tunnels[0]
    url = f"{'https' if first.get('tls') else 'http'}://127.0.0.1:{local}{first.get('prefix') or ''}/docs"
    names = ", ".join(item["name"] for item, _local in tunnels)
    yield f"to reach {names} from your machine: ssh {' '.join(forwards)} {port}{user}{connection['host']}, then open {url}"


def _local_port(port: int) -> int:
    """Return a port of the user's machine for a tunnel: only root may listen below 1024."""
    return port if port >= FIRST_UNPRIVILEGED else port + TUNNEL_OFFSET


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address).is_loopback


def _shown_url(deployment: t.Mapping[str, t.Any], connection: t.Mapping[str, t.Any]) -> str:
    """Return the URL for clients: with the host name, if the proxy distinguishes the deployment by it.

    On all addresses of a host that ssh reaches, it is the address that ssh uses.
    """
    address = deployment["rollout"]
    name = address.get("hostname")
    everywhere = ipaddress.ip_address(address["bind_address"]).is_unspecified
    if not name and everywhere and connection.get("type") in SSH and connection.get("host"):
        name = _bracketed(str(connection["host"]))
    if not name:
        return str(deployment["health"]["url"])
    scheme, standard = ("https", 443) if address["tls"] else ("http", 80)
    port = "" if address["port"] == standard else f":{address['port']}"
    return f"{scheme}://{name}{port}{address.get('prefix') or ''}"


def _changes(services: t.Sequence[t.Mapping[str, t.Any]]) -> t.Iterator[str]:
    """Return a line for each changed deployment: its action and the reasons.

    ``bot: roll to revision 4 (image 48b0ab8bb9a1 to 9c217d3f6a02); runs in flight before: 2 running, after: 1 pending, 2 running``
    """
    for service in services:
        if not service["changed"]:
            continue
        to = {"create": " revision", "roll": " to revision"}.get(service["action"], "")
        to = f"{to} {service['revision']}" if to else ""
        change = service.get("image_change")
        reasons = [f"image {change}" if reason == "image_id" and change else reason for reason in service["reasons"]]
        why = f" ({', '.join(reasons)})" if reasons else ""
        cost = ", which interrupts it" if service["interrupts"] else ""
        yield f"{service['name']}: {service['action']}{to}{why}{cost}{_in_flight(service.get('runs') or {})}"


def _in_flight(counted: t.Mapping[str, t.Any]) -> str:
    """Return the runs in flight before and after a cutover, if the server reported both."""
    reported = [counts for moment in ("before", "after") if (counts := counted.get(moment)) is not None]
    if len(reported) < 2:
        return ""
    before, after = (
        ", ".join(f"{count} {status}" for status, count in counts.items()) or "none" for counts in reported
    )
    return f"; runs in flight before: {before}, after: {after}"


class FilterModule:
    """The filter deployment_table."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filter by its name."""
        return {"deployment_table": deployment_table}
