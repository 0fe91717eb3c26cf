# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What removing a deployment would take from all hosts, whether that may be done, and the sentences about it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from urllib.parse import urlsplit

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.names import identifier
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import Problem

Facts = t.Mapping[str, t.Any]
# Where the role notes what a host of the run has found out, as one variable of that host.
LOOKED = "__langgraph_looked"
DEFAULT_PORTS = {"redis": 6379, "postgres": 5432}


@dataclass(frozen=True)
class Part:
    """What one host of the run has found: its own revisions, and what its services hold of the deployment."""

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
        """Whether the host or a record of its services has the deployment."""
        records = (self.in_postgres, ("database", "role")), (self.in_redis, ("redis_db", "user"))
        return (
            bool(self.revisions)
            or self.serves
            or any(got.get(key) is not None for got, keys in records for key in keys)
        )


def removal(
    hosts: t.Sequence[Facts], name: str, run: t.Sequence[str], groups: t.Mapping[str, t.Sequence[str]]
) -> dict[str, t.Any]:
    """Judge the removal of a deployment.

    ``hosts`` are the variables of all hosts that may have it, ``run`` names those that take part. Of these each has
    noted what it has found. The result has ``unknown``, ``elsewhere`` and ``strangers`` (refusals, empty where there is none),
    ``leaders`` (one host for each pair of services: it drops what is there), ``would`` and ``done`` (sentences).
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
    """Name the Redis and the Postgres that a host uses, by its variables and the role's own defaults."""
    return _service(host, groups, "redis"), _service(host, groups, "postgres")


def _service(host: Facts, groups: t.Mapping[str, t.Sequence[str]], which: str) -> str:
    server = server_of(host, groups, which)
    if server is None:
        return service_name(urlsplit(str(host[f"langgraph_{which}_admin_uri"])).netloc, which)
    # There is one on each host, whatever port it has.
    return service_name(server, which)


def server_of(host: Facts, groups: t.Mapping[str, t.Sequence[str]], which: str) -> str | None:
    """Name the host of the service that a host uses; None where that is given by URI, and not ours."""
    if host.get(f"langgraph_{which}_admin_uri"):
        return None
    group = groups.get(f"langgraph_{which}") or [host["inventory_hostname"]]
    return str(host.get(f"langgraph_{which}_server") or group[0])


def service_name(netloc: str, which: str) -> str:
    """Name a service by HOST:PORT, the same for each way to write it; several hosts, as Postgres has them, in one order.

    ``netloc`` is that part of an URI, with or without the login, or a host with or without a port. ``which`` is ``redis`` or
    ``postgres``.
    """
    return ",".join(sorted({_address(item, DEFAULT_PORTS[which]) for item in netloc.rpartition("@")[2].split(",")}))


def _address(text: str, default_port: int) -> str:
    host, port = text.strip().lower(), ""
    # A bare IPv6 address has colons of its own.
    if "]:" in host or (host.count(":") == 1 and "]" not in host):
        host, _colon, port = host.rpartition(":")
    host = host.strip("[]").rstrip(".")
    return f"{f'[{host}]' if ':' in host else host}:{int(port) if port.isdecimal() else port or default_port}"


def _part(host: Facts, name: str) -> Part:
    looked = host[LOOKED]
    deployment: Facts = next((item for item in looked["deployments"] if item["name"] == name), {})
    listed = host.get("langgraph_deployments")
    entries = listed if isinstance(listed, (list, tuple)) else ()
    return Part(
        host=host["inventory_hostname"],
        redis=service_name(looked["redis"], "redis"),
        postgres=service_name(looked["postgres"], "postgres"),
        dumps=sum(bool(item.get("snapshot")) for item in deployment.get("revisions", ())),
        revisions=tuple(sorted(item["number"] for item in deployment.get("revisions", ()))),
        serves=deployment.get("serving") is not None,
        listed=any(
            entry.get("name") == name and entry.get("state") != "absent"
            for entry in entries
            if isinstance(entry, t.Mapping)
        ),
        in_postgres=looked["in_postgres"],
        in_redis=looked["in_redis"],
    )


def _leaders(parts: t.Iterable[Part]) -> list[Part]:
    first: dict[tuple[str, str], Part] = {}
    for part in parts:
        first.setdefault((part.redis, part.postgres), part)
    return list(first.values())


def _unknown(name: str) -> str:
    finding = "no host has it, and neither Redis nor Postgres has a claim of it"
    return str(
        Problem(name, "deployment", finding, "ansible-playbook selfhost.langgraph.status lists those that there are")
    )


def _absent(parts: t.Iterable[Part], others: t.Mapping[str, tuple[str, str]]) -> list[str]:
    """Hosts that use the same services and do not take part: nobody knows what serves there."""
    used = [(part.redis, part.postgres) for part in parts]
    return [
        host
        for host, (redis, postgres) in others.items()
        if any(redis == its_redis or postgres == its_postgres for its_redis, its_postgres in used)
    ]


def _elsewhere(name: str, absent: t.Sequence[str]) -> str:
    if not absent:
        return ""
    finding = f"it may serve on {', '.join(absent)} of the group langgraph_hosts, which did not take part in this run"
    remedy = "run it on all of them at once, without --limit, and take a host that is gone out of the inventory"
    return str(Problem(name, "confirm", finding, remedy))


def _strangers(name: str, parts: t.Iterable[Part]) -> str:
    """Refuse, before it is stopped, what Redis would refuse afterwards: keys of others in its number."""
    for part in _leaders(parts):
        if part.in_redis.get("strange_keys"):
            keys, number = part.in_redis["strange_keys"], part.in_redis["redis_db"]
            finding = f"its Redis number {number} holds {keys} keys that match none of its key patterns"
            remedy = """find out whose they are; its own go with it by -e '{"key_patterns": ["lg:*"]}', others have to move"""
            return str(Problem(name, "confirm", finding, remedy))
    return ""


def _would(name: str, parts: t.Sequence[Part], absent: t.Sequence[str]) -> str:
    """Without a colon, which YAML, as Ansible can print it, would put in quotes."""
    serving = [part.host for part in parts if part.serves]
    clients = sum(_clients(part) for part in _leaders(parts))
    strange = sum(part.in_redis.get("strange_keys") or 0 for part in _leaders(parts))
    facts = [
        f"To remove the deployment '{name}' would lose {_things(name, parts)}",
        f"It serves on {', '.join(serving)}" if serving else "",
        f"{clients} clients are connected to its databases" if clients else "",
        f"{', '.join(absent)} did not take part in this run, and has to" if absent else "",
        f"Keys that are not its own stand in the way in its Redis number, {strange} of them" if strange else "",
        f"To do it, run ansible-playbook selfhost.langgraph.remove -e deployment={name} -e confirm={name}",
    ]
    return f"Nothing was changed. {'. '.join(filter(None, facts))}"


def _done(name: str, parts: t.Sequence[Part]) -> str:
    listed = [part.host for part in parts if part.listed]
    again = f". It still stands in langgraph_deployments of {', '.join(listed)}; take it out there, or the next run of site.yml"
    return f"The deployment '{name}' is gone, and with it {_things(name, parts)}{again + ' makes it once more, empty' if listed else ''}"


def _clients(part: Part) -> int:
    return int(part.in_postgres.get("clients") or 0) + int(part.in_redis.get("clients") or 0)


def _things(name: str, parts: t.Sequence[Part]) -> str:
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
            found.append(f"{part.in_redis['would_lose']['keys']} keys of Redis number {part.in_redis['redis_db']}")
        elif part.in_redis.get("user") is not None:
            found.append(f"the Redis user '{name}'")
    for part in parts:
        if part.revisions:
            numbers = ", ".join(str(number) for number in part.revisions)
            found.append(f"revision{'s' if len(part.revisions) > 1 else ''} {numbers} on {part.host}")
        if part.dumps:
            found.append(f"{part.dumps} dump{'s' if part.dumps > 1 else ''} of its database on {part.host}")
    return _joined(found)


def _joined(things: t.Sequence[str]) -> str:
    if len(things) < 2:
        return things[0] if things else "nothing"
    return f"{', '.join(things[:-1])} and {things[-1]}"
