# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The claims of checked deployments, with what the containers of all hosts still use."""

from __future__ import annotations

import typing as t

from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments import rotation
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.checked import (
    CheckedDeployment,
    PostgresClaim,
    RedisClaim,
)

Facts = t.Mapping[str, t.Any]


class Claims(t.TypedDict):
    """The option ``databases`` of redis_database and that of postgres_database, and what is known of previous passwords.

    ``retirable`` are deployments whose previous password nothing uses any longer, ``still_open`` one line per deployment whose
    previous password is still valid.
    """

    redis: list[RedisClaim]
    postgres: list[PostgresClaim]
    retirable: list[str]
    still_open: list[str]


def claims(
    deployments: t.Sequence[CheckedDeployment],
    hosts: t.Iterable[Facts],
    register: str,
    host: str,
    groups: t.Mapping[str, t.Sequence[str]],
    redis: Facts | None = None,
    postgres: Facts | None = None,
    recorded: t.Iterable[Facts] = (),
) -> Claims:
    """Return the claims of ``host``: of the deployments that run, and of stopped ones that already have a claim.

    ``hosts`` are the variables of each host that may run a deployment, ``register`` the variable in which a task of each has
    registered what its containers use. ``redis`` and ``postgres`` are the results of the two modules, once they have run.
    ``recorded`` are the claims that Postgres records.
    """
    use, redis = rotation.credentials_in_use(hosts, register, host, groups), redis or {}
    names = {claim["name"] for claim in recorded}
    claimed = [item for item in deployments if item["state"] == "present" or item["name"] in names]
    results = (postgres or {}).get("databases") or {}, redis.get("databases") or {}
    return {
        "redis": [_redis(item, use) for item in claimed],
        "postgres": [_postgres(item, use, redis) for item in claimed],
        "retirable": rotation.retirable(deployments, use, *results),
        "still_open": rotation.still_open(deployments, use, *results),
    }


def _redis(deployment: CheckedDeployment, use: rotation.Use) -> RedisClaim:
    users = rotation.users_in_use(deployment["name"], use)
    stopped = deployment["state"] == "stopped"
    return {**deployment["redis"], "users_in_use": users, "retire": users is not None, "manage_user": not stopped}


def _postgres(deployment: CheckedDeployment, use: rotation.Use, redis: Facts) -> PostgresClaim:
    logins = rotation.logins_in_use(deployment["name"], use)
    number = (redis.get("databases") or {}).get(deployment["name"], {}).get("redis_db")
    stopped, keys = deployment["state"] == "stopped", deployment["postgres"]["aes_keys"]
    return {
        **deployment["postgres"],
        # An entry of a stopped deployment may consist of its name only.
        "password": None if stopped else deployment["postgres"]["password"],
        "aes_keys": (keys or None) if stopped else keys,
        "manage_login": not stopped,
        "lower_connection_limit": rotation.fits_limit(deployment, use),
        "logins_in_use": logins,
        "retire": logins is not None,
        # If this Redis has no number of a stopped deployment, the record of the one that has its data stays.
        "redis_db": number,
        "redis_server": redis.get("server") if number is not None or not stopped else None,
        "redis_address": redis.get("address") if number is not None or not stopped else None,
    }
