# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Addresses and passwords of Redis and Postgres, which are not part of a revision. No I/O.

``CONFIG_DIR/NAME/credentials`` has the current ones as a second environment file, so that a revision from before a change
of a password or an address can still be started. Earlier versions wrote them to each revision's own ``environment``; the
second file takes precedence.
"""

from __future__ import annotations

import hashlib
import typing as t
from urllib.parse import unquote, urlsplit

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.env_file import Variables, render
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import Problem

DATABASE, REDIS = "DATABASE_URI", "REDIS_URI"
POOL = "LANGGRAPH_POSTGRES_POOL_MAX_SIZE"
# The variables that are kept out of revisions; the only ones with an address or a password of a service.
SERVICE_VARIABLES = (DATABASE, REDIS)
# The keys of note(), as recorded in slot.json.
NOTED = ("credentials", "login", "user")


def split(environment: Variables | None) -> tuple[dict[str, str], dict[str, str]]:
    """Split an environment into the revision's own part and the credentials in it (empty: none)."""
    variables = dict(environment or {})
    services = {name: variables.pop(name) for name in SERVICE_VARIABLES if name in variables}
    return variables, services


def digest(credentials: Variables) -> str:
    """Return the digest of a credentials file; langgraph-container.py computes the same from the file."""
    return hashlib.sha256(render(credentials).encode()).hexdigest()


def note(credentials: Variables) -> dict[str, str]:
    """Return the note in ``slot.json`` on the credentials of a container, without a secret."""
    if not credentials:
        return {}
    return {
        "credentials": digest(credentials),
        "login": login(credentials) or "",
        "user": user(credentials) or "",
    }


def database_uri(credentials: Variables) -> str | None:
    """Return the URI of the deployment's database, with its login; None if there is none."""
    return credentials.get(DATABASE)


def login(credentials: Variables) -> str | None:
    """Return the Postgres role with which a container logs in."""
    uri = database_uri(credentials)
    return unquote(urlsplit(uri).username or "") or None if uri else None


def user(credentials: Variables) -> str | None:
    """Return the Redis user with which a container logs in."""
    return unquote(urlsplit(credentials.get(REDIS, "")).username or "") or None


def differences(old: Variables, new: Variables) -> list[str]:
    """Name the differences between two credentials, as reasons of a rollout; never with a value."""
    named = {REDIS: "address of Redis", DATABASE: "address of Postgres"}
    found = [name for key, name in named.items() if _place(old.get(key)) != _place(new.get(key))]
    if any(_secret(old.get(key)) != _secret(new.get(key)) for key in named):
        found.append("credentials")
    return found or (["credentials"] if old != new else [])


def _place(uri: str | None) -> tuple[str, ...]:
    parts = urlsplit(uri or "")
    return (parts.scheme, parts.netloc.rpartition("@")[2], parts.path, parts.query)


def _secret(uri: str | None) -> str:
    return urlsplit(uri or "").netloc.rpartition("@")[0]


def aes_fingerprint(key: str | None) -> str | None:
    """Return a fingerprint that is long enough to detect another AES key; None if there is no key."""
    if not key:
        return None
    return hashlib.sha256(f"selfhost.langgraph\0aes\0{key}".encode()).hexdigest()[:16]


def aes_key_problems(
    deployments: t.Iterable[t.Mapping[str, t.Any]], serving: t.Mapping[str, str | None]
) -> t.Iterator[Problem]:
    """Find AES keys that change while data exist: the new key cannot decrypt data of the old one.

    ``deployments`` are checked values, ``serving`` the fingerprints of the serving revisions. A first key is not a change.
    """
    for values in deployments:
        before = serving.get(str(values.get("name")))
        if not before or values.get("state") == "stopped" or values.get("accept_new_aes_key"):
            continue
        key = values.get("langgraph_aes_key")
        if aes_fingerprint(key) != before:
            finding = (
                "it differs from the key in use, so data encrypted with that key would be unreadable"
                if key
                else "it is missing, so data encrypted with the key in use would be unreadable"
            )
            yield Problem(
                values["_label"],
                "langgraph_aes_key",
                finding,
                "restore the key in use, or set accept_new_aes_key: true to lose the data encrypted with it",
            )
