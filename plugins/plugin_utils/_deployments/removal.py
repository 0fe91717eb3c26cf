# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the removal of a deployment deletes on all hosts, whether it is allowed, and the messages about it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from urllib.parse import urlsplit

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.names import identifier
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import Problem

Facts = t.Mapping[str, t.Any]
# The variable of each host in which the role stores what the host and its services have of the deployment.
FINDINGS = "__langgraph_looked"
DEFAULT_PORTS = {"redis": 6379, "postgres": 5432}


@dataclass(frozen=True)
class Part:
    """What one host of the run has of the deployment: its own revisions, and the data in its services."""

    host: str
    redis: str
    postgres: str
    revisions: tuple[int, ...]
    dumps: int
    serves: bool
    listed: bool
    in_postgres: Facts
    in_redis: Facts

    @property
    def known(self) -> bool:
        """Return whether the host or a record of its services has the deployment."""
        records = (self.in_postgres, ("database", "role")), (self.in_redis, ("redis_db", "user"))
        return (
            bool(self.revisions)
            or self.serves
            or any(record.get(key) is not None for record, keys in records for key in keys)
        )


def removal(
    hosts: t.Sequence[Facts], name: str, run: t.Sequence[str], groups: t.Mapping[str, t.Sequence[str]]
) -> dict[str, t.Any]:
    """Return whether a deployment may be removed, and what that deletes.

    ``hosts`` are the variables of all hosts that may have it, ``run`` the names of those that take part; each of these
    has stored its findings. The result has ``unknown``, ``elsewhere`` and ``strangers`` (refusals, empty if there is none),
    ``leaders`` (one host per pair of services, which deletes the data there), ``would`` and ``done`` (messages).
    """
    parts = [_part(host, name) for host in hosts if host["inventory_hostname"] in run]
    others = {
        host["inventory_hostname"]: services(host, groups) for host in hosts if host["inventory_hostname"] not in run
    }
    absent = _absent(parts, others)
    known = any(part.known for part in parts)
    return {
        "unknown": "" if known else _unknown(name),
        "elsewhere": _elsewhere(name, absent),
        "strangers": _strangers(name, parts),
        "leaders": [part.host for part in _leaders(parts)],
        "would": _would(name, parts, absent),
        "done": _done(name, parts),
    }


def services(host: Facts, groups: t.Mapping[str, t.Sequence[str]]) -> tuple[str, str]:
    """Return the names of the Redis and the Postgres that a host uses, from its variables and the role's defaults."""
    return _service(host, groups, "redis"), _service(host, groups, "postgres")


def _service(host: Facts, groups: t.Mapping[str, t.Sequence[str]], which: str) -> str:
    server = server_of(host, groups, which)
    if server is None:
        return service_name(urlsplit(str(host[f"langgraph_{which}_admin_uri"])).netloc, which)
    # Each host has at most one, whatever its port is.
    return service_name(server, which)


def server_of(host: Facts, groups: t.Mapping[str, t.Sequence[str]], which: str) -> str | None:
    """Return the name of the host of a service that a host uses; None if a URI is set and the service is not ours."""
    if host.get(f"langgraph_{which}_admin_uri"):
        return None
    group = groups.get(f"langgraph_{which}") or [host["inventory_hostname"]]
    return str(host.get(f"langgraph_{which}_server") or group[0])


def service_name(netloc: str, which: str) -> str:
    """Return the normalized HOST:PORT of a service; several hosts, as Postgres allows them, are sorted.

    ``netloc`` is that part of a URI, with or without the login, or a host with or without a port. ``which`` is ``redis`` or
    ``postgres``.
    """
    return ",".join(sorted({_address(item, DEFAULT_PORTS[which]) for item in netloc.rpartition("@")[2].split(",")}))


def _address(value: str, default_port: int) -> str:
    host, port = value.strip().lower(), ""
    # A bare IPv6 address contains colons.
    if "]:" in host or (host.count(":") == 1 and "]" not in host):
        host, _colon, port = host.rpartition(":")
    host = host.strip("[]").rstrip(".")
    return f"{f'[{host}]' if ':' in host else host}:{int(port) if port.isdecimal() else port or default_port}"


def _part(host: Facts, name: str) -> Part:
    findings = host[FINDINGS]
    deployment: Facts = next((item for item in findings["deployments"] if item["name"] == name), {})
    listed = host.get("langgraph_deployments")
    entries = listed if isinstance(listed, (list, tuple)) else ()
    return Part(
        host=host["inventory_hostname"],
        redis=service_name(findings["redis"], "redis"),
        postgres=service_name(findings["postgres"], "postgres"),
        dumps=sum(bool(item.get("snapshot")) for item in deployment.get("revisions", ())),
        revisions=tuple(sorted(item["number"] for item in deployment.get("revisions", ()))),
        serves=deployment.get("serving") is not None,
        listed=any(
            entry.get("name") == name and entry.get("state") != "stopped"
            for entry in entries
            if isinstance(entry, t.Mapping)
        ),
        in_postgres=findings["in_postgres"],
        in_redis=findings["in_redis"],
    )


def _leaders(parts: t.Iterable[Part]) -> list[Part]:
    first: dict[tuple[str, str], Part] = {}
    for part in parts:
        first.setdefault((part.redis, part.postgres), part)
    return list(first.values())


def _unknown(name: str) -> str:
    finding = "no host has it, and neither Redis nor Postgres has a claim for it"
    return str(
        Problem(
            name, "deployment", finding, "ansible-playbook selfhost.langgraph.status lists the existing deployments"
        )
    )


def _absent(parts: t.Iterable[Part], others: t.Mapping[str, tuple[str, str]]) -> list[str]:
    """Return the hosts that use the same services and do not take part: what runs there is unknown."""
    used = [(part.redis, part.postgres) for part in parts]
    return [
        host
        for host, (redis, postgres) in others.items()
        if any(redis == used_redis or postgres == used_postgres for used_redis, used_postgres in used)
    ]


def _elsewhere(name: str, absent: t.Sequence[str]) -> str:
    if not absent:
        return ""
    finding = f"it may run on {', '.join(absent)} of the group langgraph_hosts, which did not take part in this run"
    remedy = "run it on all of them at once, without --limit, and remove hosts that no longer exist from the inventory"
    return str(Problem(name, "confirm", finding, remedy))


def _strangers(name: str, parts: t.Iterable[Part]) -> str:
    """Refuse foreign keys in the deployment's Redis database before it is stopped; Redis would refuse them later."""
    for part in _leaders(parts):
        if part.in_redis.get("strange_keys"):
            keys, number = part.in_redis["strange_keys"], part.in_redis["redis_db"]
            finding = f"its Redis database {number} holds {keys} keys that match none of its key patterns"
            remedy = (
                """find out whose they are; delete its own with -e '{"key_patterns": ["lg:*"]}', and move the others"""
            )
            return str(Problem(name, "confirm", finding, remedy))
    return ""


def _would(name: str, parts: t.Sequence[Part], absent: t.Sequence[str]) -> str:
    """Return the message of a dry run; it has no colon, because Ansible's YAML output would quote it."""
    serving = [part.host for part in parts if part.serves]
    clients = sum(_clients(part) for part in _leaders(parts))
    strange = sum(part.in_redis.get("strange_keys") or 0 for part in _leaders(parts))
    facts = [
        f"Removing the deployment '{name}' would delete {_deleted(name, parts)}",
        f"It serves on {', '.join(serving)}" if serving else "",
        f"{clients} clients are connected to its databases" if clients else "",
        f"{', '.join(absent)} did not take part in this run, but must" if absent else "",
        f"{strange} keys that are not its own are in its Redis database and block the removal" if strange else "",
        f"To do it, run ansible-playbook selfhost.langgraph.remove -e deployment={name} -e confirm={name}",
    ]
    return f"Nothing was changed. {'. '.join(filter(None, facts))}"


def _done(name: str, parts: t.Sequence[Part]) -> str:
    listed = [part.host for part in parts if part.listed]
    again = (
        f". It is still in langgraph_deployments of {', '.join(listed)}; remove it there, or the next run of site.yml"
    )
    return f"The deployment '{name}' was removed, and with it {_deleted(name, parts)}{again + ' creates it again, empty' if listed else ''}"


def _clients(part: Part) -> int:
    return int(part.in_postgres.get("clients") or 0) + int(part.in_redis.get("clients") or 0)


def _deleted(name: str, parts: t.Sequence[Part]) -> str:
    found: list[str] = []
    for part in _leaders(parts):
        if part.in_postgres.get("database") is not None:
            lost = part.in_postgres["would_lose"]
            rows = "an unknown number of" if lost["rows"] is None else f"about {lost['rows']}"
            found.append(
                f"{rows} rows in {(lost['bytes'] or 0) / 1e6:.1f} MB of the Postgres database '{identifier(name)}'"
            )
        elif part.in_postgres.get("role") is not None:
            found.append(f"the Postgres role '{identifier(name)}'")
        if part.in_redis.get("redis_db") is not None:
            found.append(f"{part.in_redis['would_lose']['keys']} keys of Redis database {part.in_redis['redis_db']}")
        elif part.in_redis.get("user") is not None:
            found.append(f"the Redis user '{name}'")
    for part in parts:
        if part.revisions:
            numbers = ", ".join(str(number) for number in part.revisions)
            found.append(f"revision{'s' if len(part.revisions) > 1 else ''} {numbers} on {part.host}")
        if part.dumps:
            found.append(f"{part.dumps} dump{'s' if part.dumps > 1 else ''} of its database on {part.host}")
    return _joined(found)


def _joined(items: t.Sequence[str]) -> str:
    if len(items) < 2:
        return items[0] if items else "nothing"
    return f"{', '.join(items[:-1])} and {items[-1]}"
