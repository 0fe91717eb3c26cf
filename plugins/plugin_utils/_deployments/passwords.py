# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Values that are derived from the user's secret key: passwords of deployments, and the owner of their claims."""

from __future__ import annotations

import base64
import hashlib
import hmac
import typing as t

MINIMUM_KEY_LENGTH = 32
_OWNER_BYTES = 16


def derive_password(secret_key: str, deployment: str, purpose: str, generation: int) -> str:
    """Return the password of one deployment for one purpose (``redis``, ``postgres``).

    The same four inputs yield the same 43 characters of the URL-safe alphabet on every control node, so nothing has to be
    stored. Another ``generation`` (1, 2, ...) yields an unrelated password, which is how passwords are rotated.
    """
    message = "\0".join(("selfhost.langgraph", deployment, purpose, str(generation)))
    digest = hmac.new(secret_key.encode(), message.encode(), hashlib.sha256).digest()
    return _text(digest)


def owner_fingerprint(secret_key: str, environment: str) -> str:
    """Return the fingerprint that identifies an inventory as the owner of its claims: 22 URL-safe characters.

    It is stored in clear text in both records, and reveals nothing about the key. ``environment`` distinguishes two
    inventories that were copied from each other with their vault; it may be empty.
    """
    message = "\0".join(("selfhost.langgraph", "owner", environment))
    digest = hmac.new(secret_key.encode(), message.encode(), hashlib.sha256).digest()
    return _text(digest[:_OWNER_BYTES])


def previous_owners(secret_key: str, environment: str, previous_secret_key: str) -> list[str]:
    """Return the previous owners that an inventory can prove: that of its previous key, if it names one."""
    return [owner_fingerprint(previous_secret_key, environment)] if previous_secret_key not in ("", secret_key) else []


def _text(digest: bytes) -> str:
    """Encode bytes in the URL-safe alphabet, without padding."""
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def aes_fingerprints(deployment: str, key: str | None, secret_keys: t.Iterable[str]) -> list[str]:
    """Return the fingerprint under which Postgres remembers a deployment's AES key, 22 characters per secret key.

    Every role of the server can read it, so it is keyed with the secret key: without that, nobody can try out AES keys on it.
    The list is empty if there is no AES key.
    """
    message = "\0".join(("selfhost.langgraph", "aes", deployment, key or "")).encode()
    digests = [hmac.new(secret.encode(), message, hashlib.sha256).digest() for secret in secret_keys if key and secret]
    return [_text(digest[:_OWNER_BYTES]) for digest in digests]
