# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The durable copy of a claim, in a comment that anybody may have written."""

from __future__ import annotations

import json
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.owner import NAMESPACE
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.comment import (
    decode_claim_comment,
    encode_claim_comment,
)

CLAIM: dict[str, t.Any] = {
    "deployment": "a-bot",
    "redis_number": 3,
    "redis_server": "uuid",
    "redis_address": "db:6379",
    "owner": "o" * 22,
    "aes": "a" * 16,
    "extensions": {"vector": "0.8.0"},
}


def test_it_reads_back() -> None:
    assert decode_claim_comment(encode_claim_comment(CLAIM)) == CLAIM
    assert decode_claim_comment(encode_claim_comment({"deployment": "a-bot"})) == {"deployment": "a-bot"}


def test_the_same_claim_is_the_same_text() -> None:
    """Otherwise each run would write it again."""
    backwards = dict(reversed(CLAIM.items()))
    assert encode_claim_comment(backwards) == encode_claim_comment(CLAIM)


FOREIGN: dict[str, str | None] = {
    "none": None,
    "nothing": "",
    "prose": "the database of the shop",
    "a list": "[1]",
    "a number": "5",
    "of another program": '{"other": {"deployment": "a-bot"}}',
    "no claim": json.dumps({NAMESPACE: "a-bot"}),
    "no name": json.dumps({NAMESPACE: {"redis_number": 3}}),
    "a name of another type": json.dumps({NAMESPACE: {"deployment": 5}}),
    "too deep": "[" * 100_000,
    **{
        f"{key} of another type": json.dumps({NAMESPACE: {**CLAIM, key: value}})
        for key, value in (
            ("redis_number", "3"),
            ("redis_number", True),
            ("redis_server", 5),
            ("owner", ["o"]),
            ("aes", {}),
            ("login_of", 1),
            ("extensions", ["vector"]),
        )
    },
}


@pytest.mark.parametrize("comment", FOREIGN.values(), ids=FOREIGN)
def test_other_comments_are_no_claims(comment: str | None) -> None:
    assert decode_claim_comment(comment) is None


@pytest.mark.parametrize("key", [key for key in CLAIM if key != "deployment"])
def test_unknown_parts_may_be_missing(key: str) -> None:
    assert decode_claim_comment(encode_claim_comment({**CLAIM, key: None})) == {**CLAIM, key: None}


@given(st.text())
def test_no_comment_is_an_error(comment: str) -> None:
    decode_claim_comment(comment)
