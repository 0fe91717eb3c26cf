# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Addresses and passwords of Redis and Postgres, which are no part of a revision. No I/O.

``CONFIG_DIR/NAME/credentials`` has them as a second environment file, always the current one, so that a revision that
was made before a password or an address changed can still be started. Earlier versions wrote them into each revision's
own ``environment``; what is in the second file wins there.
"""

from __future__ import annotations

import hashlib
import re
import typing as t
from urllib.parse import unquote, urlsplit

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.env_file import parse_rendered
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.passwords import credential_fingerprint
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import Problem

DATABASE, REDIS = "DATABASE_URI", "REDIS_URI"
POOL = "LANGGRAPH_POSTGRES_POOL_MAX_SIZE"
# The variables that are kept apart from revisions; the only ones that hold an address or a password of a service.
SERVICE_VARIABLES = (DATABASE, REDIS)
# What note() gives, as keys of a slot.
NOTED = ("credentials", "credential", "login")


def split(environment: str | None) -> tuple[str, str]:
    """Take an environment file apart: what is the revision's own, and the credentials in it (empty: none)."""
    # Only a newline ends a line there.
    lines = [line for line in re.split(r"(?<=\n)", environment or "") if line]
    services = [line for line in lines if line.partition("=")[0] in SERVICE_VARIABLES]
    own = [line for line in lines if line.partition("=")[0] not in SERVICE_VARIABLES]
    return "".join(own), "".join(services)


def digest(credentials: str) -> str:
    """Identify the text of a credentials file; langgraph-container.py computes the same of the file."""
    return hashlib.sha256(credentials.encode()).hexdigest()


def note(credentials: str) -> dict[str, str]:
    """What ``slot.json`` notes of the credentials that a container is made with: nothing that opens anything."""
    if not credentials:
        return {}
    return {
        "credentials": digest(credentials),
        "credential": fingerprint(credentials),
        "login": login(credentials) or "",
    }


def database_uri(credentials: str) -> str | None:
    """Where the deployment's database is, with its login; None where the text has none."""
    return parse_rendered(credentials).get(DATABASE)


def login(credentials: str) -> str | None:
    """The Postgres role that a container logs in with."""
    uri = database_uri(credentials)
    return unquote(urlsplit(uri).username or "") or None if uri else None


def fingerprint(credentials: str) -> str:
    """Identify the two passwords, whatever the addresses are."""
    found = parse_rendered(credentials)
    redis, postgres = (urlsplit(found.get(name, "")).password or "" for name in (REDIS, DATABASE))
    return credential_fingerprint(unquote(redis), unquote(postgres))


def differences(old: str, new: str) -> list[str]:
    """Name what a change of credentials consists of, as reasons of a rollout; never with a value."""
    before, after = parse_rendered(old), parse_rendered(new)
    named = {REDIS: "address of Redis", DATABASE: "address of Postgres"}
    found = [name for key, name in named.items() if _place(before.get(key)) != _place(after.get(key))]
    if any(_secret(before.get(key)) != _secret(after.get(key)) for key in named):
        found.append("credentials")
    return found or (["credentials"] if old != new else [])


def _place(uri: str | None) -> tuple[str, ...]:
    parts = urlsplit(uri or "")
    return (parts.scheme, parts.netloc.rpartition("@")[2], parts.path, parts.query)


def _secret(uri: str | None) -> str:
    return urlsplit(uri or "").netloc.rpartition("@")[0]


def carried(revisions: t.Iterable[t.Any], serving: int | None) -> list[dict[str, t.Any]]:
    """The revisions that have a credential in use, with its fingerprint, its login and the size of its pool, if it has one.

    Those that run or may start by themselves: one that serves does, also while it is down.
    """
    return [
        {
            "revision": revision.number,
            "login": revision.login,
            "credential": revision.credential,
            "pool": parse_rendered(revision.environment or "").get(POOL),
        }
        for revision in revisions
        if revision.alive or revision.number == serving
    ]


def aes_fingerprint(key: str | None) -> str | None:
    """Identify an AES key, as far as it takes to see that it is another one; None where there is none."""
    if not key:
        return None
    return hashlib.sha256(f"selfhost.langgraph\0aes\0{key}".encode()).hexdigest()[:16]


def aes_key_problems(
    deployments: t.Iterable[t.Mapping[str, t.Any]], serving: t.Mapping[str, str | None]
) -> t.Iterator[Problem]:
    """Find AES keys that change where data exist: what the old key encrypted, the new one cannot read.

    ``deployments`` are checked values, ``serving`` the fingerprints of what serves on the host. A first key is no change.
    """
    for values in deployments:
        before = serving.get(str(values.get("name")))
        if not before or values.get("state") == "absent" or values.get("accept_new_aes_key"):
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
