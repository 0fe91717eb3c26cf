# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The option login_uri of the claim modules."""

from __future__ import annotations

import re

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.errors import ClaimError

# user:password@host:port,host:port/path?options, without characters that a password must not contain unencoded.
_URI = re.compile(
    r"[a-z+]+://([^@:/?#\s]*(:[^@:/?#\s]*)?@)?(\[[0-9A-Fa-f:.]+\]|[^@:/?#\s,]*)(:[0-9]*)?(,[^@/?#\s]*)?(/[^@?#\s]*)?(\?[^@#\s]*)?"
)


def demand_uri(uri: str) -> None:
    """Raise ClaimError for a URI that libraries misread: an unencoded '/' or '@' ends the password, and the rest is printed."""
    if not _URI.fullmatch(uri):
        raise ClaimError(
            "login_uri is not in the form SCHEME://USER:PASSWORD@HOST:PORT/...; percent-encode special characters in the password:"
            " '@' (%40), '/' (%2F), ':' (%3A), '#' (%23) and '?' (%3F)"
        )
