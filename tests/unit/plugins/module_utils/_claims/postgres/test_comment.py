# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Comments of claims, which everybody who owns a database may rewrite."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.comment import (
    decode_claim_comment,
    encode_claim_comment,
)

FULL = {
    "deployment": "a",
    "redis_number": 3,
    "redis_server": "u",
    "redis_address": "h:6379",
    "owner": "us",
    "aes": "one",
    "login_of": "a",
    "extensions": {"vector": "0.8"},
}


def test_a_comment_is_readable_and_sorted() -> None:
    assert encode_claim_comment({"redis_number": 3, "deployment": "a"}) == (
        '{"selfhost.langgraph": {"deployment": "a", "redis_number": 3}}'
    )


def test_every_key_is_read_back() -> None:
    assert decode_claim_comment(encode_claim_comment(FULL)) == FULL


@pytest.mark.parametrize("key", [key for key in FULL if key != "deployment"])
def test_a_key_may_be_missing_or_null_and_has_its_own_type(key: str) -> None:
    assert decode_claim_comment(encode_claim_comment({**FULL, key: None})) == {**FULL, key: None}
    without = {name: value for name, value in FULL.items() if name != key}
    assert decode_claim_comment(encode_claim_comment(without)) == without
    for wrong in (["x"], True, 1.5):
        assert decode_claim_comment(encode_claim_comment({**FULL, key: wrong})) is None


def test_a_number_is_no_string_and_no_truth_value() -> None:
    assert decode_claim_comment(encode_claim_comment({"deployment": "a", "redis_number": "3"})) is None
    assert decode_claim_comment(encode_claim_comment({"deployment": "a", "redis_number": False})) is None
    assert decode_claim_comment(encode_claim_comment({"deployment": "a", "owner": 3})) is None


@pytest.mark.parametrize(
    "comment",
    [
        None,
        "",
        "our database",
        "null",
        "3",
        "[1]",
        '"selfhost.langgraph"',
        "{}",
        '{"selfhost.langgraph": null}',
        '{"selfhost.langgraph": []}',
        '{"selfhost.langgraph": {"redis_number": 3}}',
        '{"selfhost.langgraph": {"deployment": 3}}',
        '{"selfhost.langgraph": {"deployment": null}}',
        '{"selfhost.langgraph": {"deployment": "a"}',
        "[" * 100_000,
    ],
)
def test_comments_of_others(comment: str | None) -> None:
    assert decode_claim_comment(comment) is None


def test_unknown_keys_of_a_later_version_are_kept() -> None:
    later: dict[str, t.Any] = {"deployment": "a", "later": [1]}
    assert decode_claim_comment(json.dumps({"selfhost.langgraph": later, "other": 1})) == later
