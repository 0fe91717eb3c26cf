# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Rules between the deployments of a list, and between them and the host."""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass, field

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.deployment_options import (
    DEFAULT_EXTRA_REVISIONS,
    DEFAULT_RUNNING_REVISIONS,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.image_reference import normal_reference
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import Problem, printable
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.redis_channels import (
    Listener,
    channel_findings,
    warnings_of,
)
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.checked import (
    CheckedDeployment,
    present,
)
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.connection_budget import (
    RESERVED_CONNECTIONS,
    host_connections,
    pool_connections,
)

Values = t.Mapping[str, t.Any]

CHANNEL_OPTIONS = ("redis_channel_patterns", "redis_shared_channels")
# Programs that listen on a port on behalf of a container.
ENGINE_PROGRAMS = frozenset({"docker-proxy", "dockerd", "haproxy", "another program"})


@dataclass(frozen=True)
class CheckContext:
    """Input of the check in addition to the list.

    - ``previous_secret_key``: the previous secret key, empty if it has not changed.
    - ``env_files``: path as written -> content, or None if no such file exists on the control node.
    - ``inventory_files``: those of them that Ansible reads as an inventory.
    - ``listening``: port -> name of the program that listens on it on the host.
    - ``deployed``: deployment -> port, for deployments that the host already runs.
    - ``images``: references of the images that are on the host or will be loaded; None: any image can be pulled.
    - ``aes_keys``: deployment -> fingerprint of the AES key of the revision that serves on the host, None if it has none.
    - ``image_envs``: reference -> variables of the ``env`` of its langgraph.json that will be merged.
    - ``proxy``: the proxy that listens on the ports, haproxy or none.
    - ``running_revisions``: how many revisions of a deployment may run at the same time.
    - ``extra_revisions``: how many revisions of all deployments may run in addition to the serving ones.
    - ``connections``: deployment -> connections that its replicas on all hosts may open together.
    - ``max_connections``: the limit of a Postgres that the collection does not size, else None.
    """

    secret_key: str
    env_files: t.Mapping[str, str | None] = field(default_factory=dict)
    inventory_files: t.Collection[str] = ()
    listening: t.Mapping[int, str] = field(default_factory=dict)
    deployed: t.Mapping[str, int] = field(default_factory=dict)
    images: t.Collection[str] | None = None
    aes_keys: t.Mapping[str, str | None] = field(default_factory=dict)
    image_envs: t.Mapping[str, t.Mapping[str, str]] = field(default_factory=dict)
    max_connections: int | None = None
    redis_databases: int | None = None
    bind_address: str = "127.0.0.1"
    proxy: str = "haproxy"
    running_revisions: int = DEFAULT_RUNNING_REVISIONS
    extra_revisions: int = DEFAULT_EXTRA_REVISIONS
    connections: t.Mapping[str, int] = field(default_factory=dict)
    previous_secret_key: str = ""


def shared_problems(checked: t.Sequence[Values], context: CheckContext) -> t.Iterator[Problem]:
    """Check the rules between deployments, and between them and the host."""
    present = [values for values in checked if values["state"] != "stopped"]
    yield from _twice(checked, "name", "is the name of two deployments", "give each deployment a unique name")
    yield from _port_twice(present, context)
    yield from _without_proxy(present, context.proxy)
    yield from _may_reach(present, {values["name"] for values in checked}, context)
    taken = "database number {value} is also requested by '{other}'"
    yield from _twice(present, "redis_db", taken, "remove the option, and the collection assigns a free one")
    prefixes = list(_prefix_twice(present))
    yield from prefixes
    if not prefixes:
        yield from channel_findings(_listeners(present), CHANNEL_OPTIONS)[0]
    yield from _port_taken(present, {values["name"] for values in checked}, context)
    yield from _connections(present, context)
    yield from _redis_dbs(present, context.redis_databases)


def _twice(checked: t.Sequence[Values], option: str, finding: str, remedy: str) -> t.Iterator[Problem]:
    seen: dict[t.Any, str] = {}
    for values in checked:
        value = values[option]
        if value is None:
            continue
        if value in seen:
            yield Problem(values["_label"], option, finding.format(value=value, other=seen[value]), remedy)
        seen.setdefault(value, values["_label"])


def _port_twice(present: t.Sequence[Values], context: CheckContext) -> t.Iterator[Problem]:
    """Check deployments that share a port: the proxy must be able to distinguish them."""
    first: dict[int, Values] = {}
    taken: dict[tuple[t.Any, ...], str] = {}
    for values in present:
        port, label = values["port"], values["_label"]
        if port is None:
            continue
        other = first.setdefault(port, values)
        place = (port, (values["hostname"] or "").lower(), values["mount_prefix"] or "")
        routable = context.proxy != "none" and all(item["hostname"] or item["mount_prefix"] for item in (values, other))
        if other is not values and not routable:
            remedy = "give each deployment its own port"
            remedy += "" if context.proxy == "none" else ", or give every deployment on it a hostname or a mount_prefix"
            yield Problem(label, "port", f"port {port} is also used by '{other['_label']}'", remedy)
        elif place in taken:
            finding = f"port {port} with the same hostname and mount_prefix is also used by '{taken[place]}'"
            yield Problem(label, "port", finding, "change the port, hostname or mount_prefix of one of them")
        elif _listener(values, context) != _listener(other, context):
            finding = f"port {port} has a different bind_address or tls for '{other['_label']}'"
            yield Problem(
                label, "port", finding, "give both the same bind_address and tls, or one of them another port"
            )
        taken.setdefault(place, label)


def _listener(values: Values, context: CheckContext) -> tuple[str, bool]:
    return values["bind_address"] or context.bind_address, bool(values["tls"])


def _without_proxy(present: t.Sequence[Values], proxy: str) -> t.Iterator[Problem]:
    for values in present if proxy == "none" else ():
        for option in ("hostname", "tls", "may_reach"):
            if values[option]:
                finding = "needs the proxy, and langgraph_proxy is none"
                yield Problem(values["_label"], option, finding, "remove it, or set langgraph_proxy: haproxy")


def _may_reach(
    present: t.Sequence[Values], listed: t.Collection[str | None], context: CheckContext
) -> t.Iterator[Problem]:
    """Check that each name is another deployment of the list or the host, on an address that containers can reach."""
    by_name = {values["name"]: values for values in present}
    for values in present:
        for name in values["may_reach"]:
            target, label = by_name.get(name), values["_label"]
            if name == values["name"]:
                yield Problem(label, "may_reach", "names the deployment itself", "remove that name")
            elif target is None and (name in listed or name not in context.deployed):
                finding = f"'{printable(name)}' is not a deployment of this host"
                yield Problem(
                    label, "may_reach", finding, "name a deployment in the list, or one that runs on the host"
                )
            elif target is not None and _on_loopback(_listener(target, context)[0]):
                finding = f"'{name}' listens only on a loopback address, which no container reaches"
                remedy = "set its bind_address to 0.0.0.0 or to the gateway of the deployments' network"
                yield Problem(label, "may_reach", finding, remedy)


def _on_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        # Another rule reports it.
        return False


def _prefix_twice(present: t.Sequence[Values]) -> t.Iterator[Problem]:
    """Check that prefixes are unique: pub/sub channels are not separated by database number, only by prefix."""
    seen: dict[str, str] = {}
    for values in present:
        if values["name"] is None:
            continue
        prefix = values["redis_key_prefix"] or default_prefix(values["name"])
        if seen.setdefault(prefix, values["name"]) != values["name"]:
            finding = (
                f"'{seen[prefix]}' has the same prefix '{printable(prefix)}', and each would receive the other's events, even with"
                " different database numbers"
            )
            yield Problem(
                values["_label"], "redis_key_prefix", finding, "remove the option, and each deployment has its own"
            )


def _listeners(present: t.Sequence[Values]) -> list[Listener]:
    """Return the deployments as channel listeners; a deployment without a name is reported elsewhere."""
    return [
        Listener(values["_label"], tuple(map(str, channel_patterns(values))), bool(values["redis_shared_channels"]))
        for values in present
        if values["name"] is not None
    ]


def channel_warnings(deployments: t.Sequence[CheckedDeployment]) -> list[str]:
    """Return warnings about checked deployments that receive each other's events because they are allowed to."""
    listeners = [
        Listener(item["name"], tuple(item["redis"]["channel_patterns"]), item["redis"]["shared_channels"])
        for item in present(deployments)
    ]
    return warnings_of(channel_findings(listeners, CHANNEL_OPTIONS)[1])


def key_patterns(values: Values) -> list[str]:
    """Return a deployment's key patterns: its own option, else its prefix."""
    prefix = values["redis_key_prefix"] or default_prefix(values["name"])
    return list(values["redis_key_patterns"] or [f"{prefix}*"])


def channel_patterns(values: Values) -> list[str]:
    """Return a deployment's channel patterns: its own option, else its key patterns."""
    return list(values["redis_channel_patterns"] or key_patterns(values))


def default_prefix(name: str) -> str:
    """Return the prefix of a deployment's keys and channels if the user sets none."""
    return f"{name}:"


def _port_taken(
    present: t.Sequence[Values], listed: t.Collection[str | None], context: CheckContext
) -> t.Iterator[Problem]:
    """Report ports in use by a program, except by our own containers that the list moves or removes."""
    by_port: dict[int, list[str]] = {}
    for name, port in context.deployed.items():
        by_port.setdefault(port, []).append(name)
    for values in present:
        port = values["port"]
        program = context.listening.get(port)
        ours = by_port.get(port, []) if program in ENGINE_PROGRAMS else []
        shared = bool(ours) and bool(values["hostname"] or values["mount_prefix"])
        unlisted = [name for name in ours if name not in listed]
        if program is None or shared or (ours and not unlisted):
            continue
        owner = unlisted[0] if unlisted else None
        by = f"deployment '{owner}', which is not in the list" if owner else f"'{program}'"
        yield Problem(values["_label"], "port", f"port {port} of the host is taken by {by}", "choose a free port")


def _connections(present: t.Sequence[Values], context: CheckContext) -> t.Iterator[Problem]:
    max_connections = context.max_connections
    if max_connections is None or not present:
        return
    option = "langgraph_postgres_pool_max_size"
    # Each running revision has its own pool.
    sizes = [pool_connections(values[option]) for values in present]
    needed = host_connections(sizes, context.running_revisions, context.extra_revisions)
    left = max_connections - RESERVED_CONNECTIONS
    if needed > left:
        largest = max(present, key=lambda values: pool_connections(values[option]))
        finding = f"all deployments ({len(present)}) need {needed} connections, and max_connections leaves {left}"
        remedy = (
            "lower the pools (this is the largest), langgraph_max_running_revisions or langgraph_max_extra_revisions, or raise "
            "max_connections to "
            f"{needed + RESERVED_CONNECTIONS}"
        )
        yield Problem(largest["_label"], option, finding, remedy)


def _redis_dbs(present: t.Sequence[Values], databases: int | None) -> t.Iterator[Problem]:
    if databases is None:
        return
    if len(present) > databases - 1:
        first_without = present[databases - 1]["_label"] if databases > 0 else present[0]["_label"]
        finding = f"the list has {len(present)} deployments, and Redis has {databases - 1} database numbers besides the reserved 0"
        yield Problem(first_without, "redis_db", finding, f"set redis_databases to {len(present) + 1} or more")
    for values in present:
        number = values["redis_db"]
        if number is not None and number >= databases:
            remedy = f"choose 1 to {databases - 1}, or raise redis_databases"
            yield Problem(values["_label"], "redis_db", f"{number} is out of range", remedy)


def image_problems(checked: t.Sequence[Values], images: t.Collection[str] | None) -> t.Iterator[Problem]:
    """Report images that neither the host nor an archive has, if pulling is not allowed."""
    if images is None:
        return
    for values in checked:
        if values["state"] != "stopped" and values["image"] and normal_reference(values["image"]) not in images:
            remedy = "load it there, list its archive in image_archives or its directory in image_builds, or set image_pull: always"
            yield Problem(values["_label"], "image", f"the host has no image '{printable(values['image'])}'", remedy)
