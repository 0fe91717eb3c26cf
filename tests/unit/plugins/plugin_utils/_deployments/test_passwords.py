# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Passwords must never change by an edit of the code: a changed one would cut every deployment off its data."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.passwords import (
    aes_fingerprints,
    derive_password,
    owner_fingerprint,
    previous_owners,
)

KEY = "0123456789abcdef0123456789abcdef"
TEXT = st.text(min_size=1, max_size=20).filter(lambda text: "\0" not in text)


def test_pinned() -> None:
    assert derive_password(KEY, "support-bot", "redis", 1) == "ls7efSytzhfL8KhoJFXkcyb7QK2_8CPzE6c8cCynrl8"
    assert derive_password(KEY, "support-bot", "postgres", 2) == "MvOVdOSgL0m1ILcZwKE994SwJLe4GnDSYX6c1QPOjbM"
    assert owner_fingerprint(KEY, "") == "4RIj_dMj3TzxLe2Fhq2bTQ"
    assert owner_fingerprint(KEY, "staging") == "mQU18ySvpbrGidssiIFeOw"


@given(TEXT, TEXT, TEXT, st.integers(1, 99))
def test_alphabet_and_length(key: str, name: str, purpose: str, generation: int) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", derive_password(key, name, purpose, generation))


INPUTS = st.tuples(TEXT, TEXT, TEXT, st.integers(1, 99))


@given(INPUTS, INPUTS)
def test_other_inputs_give_another_password(one: tuple[str, str, str, int], other: tuple[str, str, str, int]) -> None:
    assert (derive_password(*one) == derive_password(*other)) == (one == other)


OWNERS = st.tuples(TEXT, st.text(max_size=20))


@given(OWNERS)
def test_an_owner_fits_a_line_of_a_record(owner: tuple[str, str]) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]{22}", owner_fingerprint(*owner))


@given(OWNERS, OWNERS)
def test_another_key_or_environment_is_another_owner(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert (owner_fingerprint(*one) == owner_fingerprint(*other)) == (one == other)


@given(TEXT, TEXT, TEXT, st.integers(1, 99), st.text(max_size=20))
def test_an_owner_is_no_part_of_a_password(
    key: str, name: str, purpose: str, generation: int, environment: str
) -> None:
    assert not derive_password(key, name, purpose, generation).startswith(owner_fingerprint(key, environment))


def test_the_key_of_before_proves_the_owner_of_before() -> None:
    assert previous_owners(KEY, "staging", KEY[::-1]) == [owner_fingerprint(KEY[::-1], "staging")]
    assert previous_owners(KEY, "staging", "") == []
    assert previous_owners(KEY, "staging", KEY) == []


def test_an_aes_key_is_remembered_by_what_nobody_can_guess_from() -> None:
    one, before = aes_fingerprints("bot", "a" * 32, ["k" * 32, "p" * 32])
    assert re.fullmatch(r"[A-Za-z0-9_-]{22}", one)
    assert one != before
    assert aes_fingerprints("bot", "a" * 32, ["k" * 32, ""]) == [one]
    assert aes_fingerprints("bot", "b" * 32, ["k" * 32]) != [one]
    assert aes_fingerprints("two", "a" * 32, ["k" * 32]) != [one]
    assert aes_fingerprints("bot", None, ["k" * 32]) == aes_fingerprints("bot", "", ["k"]) == []
