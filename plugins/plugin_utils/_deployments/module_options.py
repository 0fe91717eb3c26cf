# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Convert checked deployments to the options of each module: one pure function per module."""

from __future__ import annotations

import typing as t
from urllib.parse import unquote, urlsplit

from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.address import public_url
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments import rotation
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.uris import database_uri, redis_uri

Deployments = t.Sequence[t.Mapping[str, t.Any]]


def present(deployments: Deployments) -> list[t.Mapping[str, t.Any]]:
    """Return the deployments with ``state: present``."""
    return [deployment for deployment in deployments if deployment["state"] == "present"]


def redis_databases(deployments: Deployments, use: rotation.Use | None = None) -> list[dict[str, t.Any]]:
    """Return the option ``databases`` of redis_database; ``use``: the credentials that containers of all hosts use."""
    return [
        {
            "name": deployment["name"],
            "redis_db": deployment["redis_db"],
            "password": deployment["redis_password"],
            "key_patterns": deployment["redis_key_patterns"],
            "channel_patterns": deployment["redis_channel_patterns"],
            "shared_channels": deployment["redis_shared_channels"],
            "retire": rotation.is_alone(deployment, use),
            "sessions_since": rotation.sessions_since(deployment["name"], use),
        }
        for deployment in present(deployments)
    ]


def postgres_databases(
    deployments: Deployments,
    numbers: t.Mapping[str, t.Mapping[str, t.Any]],
    server: str | None = None,
    address: str | None = None,
    use: rotation.Use | None = None,
) -> list[dict[str, t.Any]]:
    """Return the option ``databases`` of the module postgres_database.

    ``numbers`` are the ``databases`` that redis_database returned. ``server`` and ``address`` identify that Redis and are
    recorded in Postgres. ``use`` has the credentials that the containers of all hosts use.
    """
    logins = {deployment["name"]: rotation.logins_in_use(deployment["name"], use or {}) for deployment in deployments}
    return [
        {
            "name": deployment["name"],
            "password": deployment["postgres_password"],
            "connection_limit": deployment["connection_limit"],
            "lower_connection_limit": rotation.fits_limit(deployment, use),
            "extensions": deployment["extensions"],
            "redis_db": numbers[deployment["name"]]["redis_db"],
            "redis_server": server,
            "redis_address": address,
            "logins_in_use": logins[deployment["name"]],
            "retire": logins[deployment["name"]] is not None,
            "aes_keys": deployment["aes_keys"],
            "accept_new_aes_key": deployment["accept_new_aes_key"],
        }
        for deployment in present(deployments)
    ]


def rollout_deployments(
    deployments: Deployments,
    numbers: t.Mapping[str, t.Mapping[str, t.Any]],
    redis: t.Mapping[str, t.Any],
    postgres: t.Mapping[str, t.Any],
    logins: t.Mapping[str, t.Mapping[str, t.Any]] | None = None,
) -> list[dict[str, t.Any]]:
    """Return the option ``deployments`` of the module deployment_rollout.

    ``redis`` has host, port and tls, ``postgres`` host, port and sslmode, as containers reach them. ``numbers`` are the
    ``databases`` that redis_database returned, ``logins`` those that postgres_database returned.
    """
    address = ("port", "bind_address", "hostname", "prefix", "tls")
    keys = ("name", "state", "image", *address, "may_reach", "drain_seconds", "memory", "cpus", "user", "read_only")
    services = []
    for deployment in deployments:
        service = {key: deployment[key] for key in keys}
        if deployment["state"] == "present":
            login = (logins or {}).get(deployment["name"], {}).get("login") or deployment["database"]
            service["environment"] = dict(deployment["variables"])
            service["credentials"] = _credentials(deployment, numbers, redis, {**postgres, "login": login})
        services.append(service)
    return services


def _credentials(
    deployment: t.Mapping[str, t.Any],
    numbers: t.Mapping[str, t.Mapping[str, t.Any]],
    redis: t.Mapping[str, t.Any],
    postgres: t.Mapping[str, t.Any],
) -> dict[str, str]:
    """Return the addresses and passwords of the deployment's services, which are not part of a revision."""
    name, database = deployment["name"], deployment["database"]
    user, password = name, deployment["redis_password"]
    if numbers[name].get("user", name) is None:
        # A managed Redis without ACL has only one login.
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
            numbers[name]["redis_db"],
            user,
            password,
            tls=boolean(redis["tls"]),
        ),
    }


def _login(uri: str) -> tuple[str, str]:
    parts = urlsplit(uri)
    return unquote(parts.username or ""), unquote(parts.password or "")


def health_targets(deployments: Deployments) -> list[dict[str, t.Any]]:
    """Return the option ``deployments`` of the module health: names and URLs, no secrets."""
    return [
        {"name": deployment["name"], "url": deployment["url"], "host": deployment["hostname"]}
        for deployment in present(deployments)
    ]


def targets(deployments: t.Sequence[t.Mapping[str, t.Any]]) -> list[dict[str, t.Any]]:
    """Return the option ``deployments`` of the module health, from the serving deployments that describe() returned."""
    return [
        {
            "name": item["name"],
            # The server serves /ok at its root; the proxy serves it under the prefix.
            "url": public_url(
                item["tls"], item["bind_address"], item["port"], None if item["proxy"] == "none" else item["prefix"]
            ),
            "host": item["hostname"],
        }
        for item in deployments
        if item["serving"]
    ]
