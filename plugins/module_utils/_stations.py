# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""From checked deployments to what each next station takes: one pure function a station."""

from __future__ import annotations

import typing as t
from urllib.parse import unquote, urlsplit

from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.selfhost.langgraph.plugins.module_utils import _budget, _removal, _rotation
from ansible_collections.selfhost.langgraph.plugins.module_utils._environment import database_uri, redis_uri, render
from ansible_collections.selfhost.langgraph.plugins.module_utils._settings import (
    DEFAULT_EXTRA_REVISIONS,
    DEFAULT_RUNNING_REVISIONS,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._status import aligned

Deployments = t.Sequence[t.Mapping[str, t.Any]]


def present(deployments: Deployments) -> list[t.Mapping[str, t.Any]]:
    """The deployments that shall run."""
    return [deployment for deployment in deployments if deployment["state"] == "present"]


def redis_databases(deployments: Deployments, use: _rotation.Use | None = None) -> list[dict[str, t.Any]]:
    """The option ``databases`` of the module redis_database; ``use`` says what the containers of all hosts carry."""
    return [
        {
            "name": deployment["name"],
            "number": deployment["redis_number"],
            "password": deployment["redis_password"],
            "key_patterns": deployment["redis_key_patterns"],
            "channel_patterns": deployment["redis_channel_patterns"],
            "shared_channels": deployment["redis_shared_channels"],
            "retire": _rotation.is_alone(deployment, use),
            "sessions_since": _rotation.sessions_since(deployment["name"], use),
        }
        for deployment in present(deployments)
    ]


def postgres_databases(
    deployments: Deployments,
    numbers: t.Mapping[str, t.Mapping[str, t.Any]],
    server: str | None = None,
    address: str | None = None,
    use: _rotation.Use | None = None,
) -> list[dict[str, t.Any]]:
    """The option ``databases`` of the module postgres_database.

    ``numbers`` is what redis_database returned, ``server`` and ``address`` say of which Redis, to be remembered; ``use``
    says what the containers of all hosts carry.
    """
    logins = {deployment["name"]: _rotation.logins_in_use(deployment["name"], use or {}) for deployment in deployments}
    return [
        {
            "name": deployment["name"],
            "password": deployment["postgres_password"],
            "connection_limit": deployment["connection_limit"],
            "lower_connection_limit": _rotation.fits_limit(deployment, use),
            "extensions": deployment["extensions"],
            "redis_number": numbers[deployment["name"]]["number"],
            "redis_server": server,
            "redis_address": address,
            "logins_in_use": logins[deployment["name"]],
            "retire": logins[deployment["name"]] is not None,
            "aes_keys": deployment["aes_keys"],
            "accept_new_aes_key": deployment["accept_new_aes_key"],
        }
        for deployment in present(deployments)
    ]


def container_services(
    deployments: Deployments,
    numbers: t.Mapping[str, t.Mapping[str, t.Any]],
    redis: t.Mapping[str, t.Any],
    postgres: t.Mapping[str, t.Any],
    logins: t.Mapping[str, t.Mapping[str, t.Any]] | None = None,
) -> list[dict[str, t.Any]]:
    """The option ``deployments`` of the module container_service.

    ``redis`` has host, port and tls, ``postgres`` host, port and sslmode, as containers reach them. ``numbers`` is what
    redis_database returned, ``logins`` what postgres_database did.
    """
    address = ("port", "bind_address", "hostname", "prefix", "tls")
    keys = ("name", "state", "image", *address, "may_reach", "drain_seconds", "memory", "cpus", "user", "read_only")
    services = []
    for deployment in deployments:
        service = {key: deployment[key] for key in keys}
        if deployment["state"] == "present":
            login = (logins or {}).get(deployment["name"], {}).get("login") or deployment["database"]
            service["environment"] = render(deployment["variables"])
            service["credentials"] = render(_credentials(deployment, numbers, redis, {**postgres, "login": login}))
        services.append(service)
    return services


def _credentials(
    deployment: t.Mapping[str, t.Any],
    numbers: t.Mapping[str, t.Mapping[str, t.Any]],
    redis: t.Mapping[str, t.Any],
    postgres: t.Mapping[str, t.Any],
) -> dict[str, str]:
    """Addresses and passwords of its services, which are no part of a revision."""
    name, database = deployment["name"], deployment["database"]
    user, password = name, deployment["redis_password"]
    if numbers[name].get("user", name) is None:
        # A managed Redis without ACL: the only login there is.
        user, password = _login(redis.get("admin_uri") or "")
    return {
        "DATABASE_URI": database_uri(
            postgres["host"],
            int(postgres["port"]),
            database,
            postgres["login"],
            deployment["postgres_password"],
            postgres["sslmode"],
        ),
        "REDIS_URI": redis_uri(
            redis["host"],
            int(redis["port"]),
            numbers[name]["number"],
            user,
            password,
            tls=boolean(redis["tls"]),
        ),
    }


def _login(uri: str) -> tuple[str, str]:
    parts = urlsplit(uri)
    return unquote(parts.username or ""), unquote(parts.password or "")


def health_targets(deployments: Deployments) -> list[dict[str, t.Any]]:
    """The option ``deployments`` of the module health: names and URLs, nothing secret."""
    return [
        {"name": deployment["name"], "url": deployment["url"], "host": deployment["hostname"]}
        for deployment in present(deployments)
    ]


COLUMNS = ("deployment", "url", "redis db", "postgres database", "image", "revision", "health")


def table(
    deployments: Deployments,
    numbers: t.Mapping[str, t.Mapping[str, t.Any]],
    health: t.Mapping[str, t.Mapping[str, t.Any]],
    services: t.Sequence[t.Mapping[str, t.Any]] = (),
) -> list[str]:
    """The final table, a text a line, for people, and below it what changes.

    ``health`` is what the module health returned, ``services`` the ``deployments`` of container_service: what was done,
    or in check mode would be, and why.
    """
    rows = [tuple(column.upper() for column in COLUMNS)]
    done = {service["name"]: service for service in services}
    for deployment in deployments:
        name = deployment["name"]
        revision = str(done.get(name, {}).get("revision") or "-")
        if deployment["state"] == "absent":
            rows.append((name, "-", "-", deployment["database"], "-", "-", "stopped"))
            continue
        answer = health.get(name)
        state = "-" if answer is None else "healthy" if answer["ok"] else "UNHEALTHY"
        number = str(numbers.get(name, {}).get("number") or "-")
        rows.append(
            (name, _shown_url(deployment), number, deployment["database"], deployment["image"], revision, state)
        )
    return [*aligned(rows), *_changes(services)]


def _shown_url(deployment: t.Mapping[str, t.Any]) -> str:
    name = deployment.get("hostname")
    return f"{deployment['url']} ({name})" if name else str(deployment["url"])


def _changes(services: t.Sequence[t.Mapping[str, t.Any]]) -> t.Iterator[str]:
    """What happens to each deployment that does not just go on, and why.

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
    """Runs in flight before and after a switch, where the server told both."""
    told = [counts for moment in ("before", "after") if (counts := counted.get(moment)) is not None]
    if len(told) < 2:
        return ""
    before, after = (", ".join(f"{count} {status}" for status, count in counts.items()) or "none" for counts in told)
    return f"; runs in flight before: {before}, after: {after}"


def connections_needed(
    hosts: t.Iterable[t.Mapping[str, t.Any]],
    server: str | None = None,
    groups: t.Mapping[str, t.Sequence[str]] | None = None,
) -> int:
    """Connections that the deployments of all hosts may hold; ``hosts`` are the variables of each host, unchecked.

    With ``server``, the inventory's name of a host with Postgres, those of the hosts alone that use that one; ``groups`` are
    those of the inventory.
    """
    if server is not None:
        mine = _removal.service_name(server, "postgres")
        hosts = [host for host in hosts if _removal.services(host, groups or {})[1] == mine]
    return sum(
        _budget.host_connections([_size(deployment) for deployment in _running(host)], *_revisions(host))
        for host in hosts
    )


def connections_by_name(hosts: t.Sequence[t.Mapping[str, t.Any]]) -> dict[str, int]:
    """Those of each deployment: its replicas on all hosts share one role."""
    by_name: dict[str, int] = {}
    for host in hosts:
        for deployment in _running(host):
            name = str(deployment.get("name"))
            mine = _budget.role_connections(_size(deployment), *_revisions(host))
            by_name[name] = by_name.get(name, 0) + mine
    return by_name


def _size(deployment: t.Mapping[str, t.Any]) -> int:
    return _budget.pool_connections(_number(deployment.get("langgraph_postgres_pool_max_size")))


def _revisions(host: t.Mapping[str, t.Any]) -> tuple[int, int]:
    """How many revisions of a deployment may run on the host, and how many of all beside those that serve."""
    return (
        _number(host.get("langgraph_max_running_revisions")) or DEFAULT_RUNNING_REVISIONS,
        _number(host.get("langgraph_max_extra_revisions")) or DEFAULT_EXTRA_REVISIONS,
    )


def _running(host: t.Mapping[str, t.Any]) -> list[t.Mapping[str, t.Any]]:
    entries = host.get("langgraph_deployments")
    return [entry for entry in entries if _runs(entry)] if isinstance(entries, (list, tuple)) else []


def _runs(deployment: t.Any) -> bool:
    return isinstance(deployment, t.Mapping) and deployment.get("state") != "absent"


def _number(written: t.Any) -> int | None:
    """A number as written; what is none is refused by the check, with a message of its own."""
    try:
        return int(written or 0) or None
    except (TypeError, ValueError):
        return None
