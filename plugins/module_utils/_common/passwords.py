# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What is derived from the user's one secret key: passwords of deployments, and the owner of what they claim."""

from __future__ import annotations

import base64
import hashlib
import hmac
import typing as t

MINIMUM_KEY_LENGTH = 32
_OWNER_BYTES = 16


def derive_password(secret_key: str, deployment: str, purpose: str, generation: int) -> str:
    """Give the password of one deployment for one purpose (``redis``, ``postgres``).

    The same four inputs give the same 43 characters of the URL-safe alphabet on every control node, so nothing has
    to be stored; another ``generation`` (1, 2, ...) gives an unrelated one, which is how a password is rotated.
    """
    message = "\0".join(("selfhost.langgraph", deployment, purpose, str(generation)))
    digest = hmac.new(secret_key.encode(), message.encode(), hashlib.sha256).digest()
    return _text(digest)


def owner_fingerprint(secret_key: str, environment: str) -> str:
    """Give the name under which an inventory owns what its deployments claim: 22 URL-safe characters.

    It stands in clear text in both records, and says nothing about the key. ``environment`` sets two inventories
    apart that were copied from each other with their vault; it may be empty.
    """
    message = "\0".join(("selfhost.langgraph", "owner", environment))
    digest = hmac.new(secret_key.encode(), message.encode(), hashlib.sha256).digest()
    return _text(digest[:_OWNER_BYTES])


def previous_owners(secret_key: str, environment: str, previous_secret_key: str) -> list[str]:
    """Give the owners of before that an inventory proves: the one of its previous key, or none where it names none."""
    return [owner_fingerprint(previous_secret_key, environment)] if previous_secret_key not in ("", secret_key) else []


def _text(digest: bytes) -> str:
    """Give bytes in the URL-safe alphabet, without padding."""
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def aes_fingerprints(deployment: str, key: str | None, secret_keys: t.Iterable[str]) -> list[str]:
    """Give the name under which Postgres remembers the AES key of a deployment, 22 characters for each secret key.

    Every role of the server can read it, so it is made with the secret key: without that, nobody can try out AES keys on it.
    Nothing is given where there is no AES key.
    """
    message = "\0".join(("selfhost.langgraph", "aes", deployment, key or "")).encode()
    digests = [hmac.new(secret.encode(), message, hashlib.sha256).digest() for secret in secret_keys if key and secret]
    return [_text(digest[:_OWNER_BYTES]) for digest in digests]


def credential_fingerprint(redis_password: str, postgres_password: str) -> str:
    """Identify the two passwords of a deployment by 22 characters of the URL-safe alphabet.

    It says whether a container has the passwords that are wanted, and is kept where only root reads: from passwords
    that a person chose, somebody could guess.
    """
    message = "\0".join(("selfhost.langgraph", "credential", redis_password, postgres_password))
    return base64.urlsafe_b64encode(hashlib.sha256(message.encode()).digest()[:16]).decode().rstrip("=")
