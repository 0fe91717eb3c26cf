# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The credentials of deployments, from their passwords, the claims and the addresses of Redis and Postgres."""

from __future__ import annotations

import typing as t
from urllib.parse import unquote, urlsplit

from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.uris import database_uri, redis_uri

Service = t.Mapping[str, t.Any]
# Options of an entry that credentials() takes.
PASSWORDS = ("redis_password", "postgres_password")


def credentials(deployment: t.Mapping[str, t.Any], redis: Service, postgres: Service) -> dict[str, str]:
    """Return the addresses and passwords of a deployment's services, which are not part of a revision.

    ``redis`` and ``postgres`` are the options of deployment_rollout of that name. Strings from the command line are accepted.
    """
    name = deployment["name"]
    claim, database = redis["databases"][name], postgres["databases"][name]
    user, password = claim.get("user", name), deployment["redis_password"]
    if user is None:
        # A managed Redis without ACL has only one login.
        user, password = _login(redis.get("admin_uri") or "")
    return {
        "DATABASE_URI": database_uri(
            postgres["host"],
            int(postgres.get("port") or 5432),
            database["database"],
            database["login"],
            deployment["postgres_password"],
            postgres.get("sslmode") or "prefer",
        ),
        "REDIS_URI": redis_uri(
            redis["host"],
            int(redis.get("port") or 6379),
            claim["redis_db"],
            user,
            password,
            tls=boolean(redis.get("tls") or False),
        ),
    }


def _login(uri: str) -> tuple[str, str]:
    parts = urlsplit(uri)
    return unquote(parts.username or ""), unquote(parts.password or "")
