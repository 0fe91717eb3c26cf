# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The durable copy of a claim: the comment of a deployment's database and role."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.owner import NAMESPACE

# The keys of a claim comment in addition to the deployment's name. It is stored on servers, so the option redis_db stays
# redis_number in it.
_KINDS = {
    "redis_number": int,
    "redis_server": str,
    "redis_address": str,
    "owner": str,
    "aes": str,
    "login_of": str,
    "extensions": dict,
}


def encode_claim_comment(claim_comment: t.Mapping[str, t.Any]) -> str:
    """Encode the durable copy of a claim as a comment that is readable for people too."""
    return json.dumps({NAMESPACE: dict(claim_comment)}, sort_keys=True)


def decode_claim_comment(comment: str | None) -> dict[str, t.Any] | None:
    """Decode a durable copy; return None for any other comment, because a deployment may write what it likes."""
    try:
        content = json.loads(comment or "")
    except (ValueError, RecursionError):
        return None
    claim_comment = content.get(NAMESPACE) if isinstance(content, dict) else None
    if not isinstance(claim_comment, dict) or not isinstance(claim_comment.get("deployment"), str):
        return None
    return claim_comment if all(_fits(claim_comment.get(key), kind) for key, kind in _KINDS.items()) else None


def _fits(value: t.Any, kind: type) -> bool:
    return value is None or (isinstance(value, kind) and not isinstance(value, bool))
