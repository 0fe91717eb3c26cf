# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""SCRAM-SHA-256 verifiers as Postgres stores them, computed here so that no clear-text password reaches the server.

libpq's own function (PQencryptPasswordConn) always takes a random salt: it can create a verifier, but not report whether a
stored one belongs to a password. A unit test compares both.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import stringprep
import unicodedata

ITERATIONS = 4096  # what Postgres itself uses
_PREFIX = "SCRAM-SHA-256$"


def make_verifier(password: str, salt: bytes | None = None, iterations: int = ITERATIONS) -> str:
    """Compute the verifier of a password; without a salt, with a random one."""
    salt = os.urandom(16) if salt is None else salt
    salted = hashlib.pbkdf2_hmac("sha256", _prepared(password), salt, iterations)
    stored_key = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    return f"{_PREFIX}{iterations}:{_text(salt)}${_text(stored_key)}:{_text(server_key)}"


def matches(verifier: str | None, password: str) -> bool:
    """Return whether a stored verifier belongs to a password; MD5 and unreadable ones never do."""
    try:
        if verifier is None or not verifier.startswith(_PREFIX):
            return False
        iterations, salt = verifier[len(_PREFIX) :].split("$", 1)[0].split(":")
        expected = make_verifier(password, base64.b64decode(salt, validate=True), int(iterations))
    except ValueError:
        return False
    return hmac.compare_digest(expected, verifier)


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _prepared(password: str) -> bytes:
    """Apply SASLprep (RFC 4013); like Postgres, use the password unchanged if the result is prohibited."""
    if password.isascii():
        return password.encode()
    mapped = "".join(
        " " if stringprep.in_table_c12(char) else char for char in password if not stringprep.in_table_b1(char)
    )
    prepared = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    return (password if not prepared or _is_prohibited(prepared) else prepared).encode()


def _is_prohibited(text: str) -> bool:
    tables = (
        stringprep.in_table_a1,
        stringprep.in_table_c12,
        stringprep.in_table_c21_c22,
        stringprep.in_table_c3,
        stringprep.in_table_c4,
        stringprep.in_table_c5,
        stringprep.in_table_c6,
        stringprep.in_table_c7,
        stringprep.in_table_c8,
        stringprep.in_table_c9,
    )
    if any(table(char) for char in text for table in tables):
        return True
    if not any(stringprep.in_table_d1(char) for char in text):
        return False
    right_to_left = stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])
    return not right_to_left or any(stringprep.in_table_d2(char) for char in text)
