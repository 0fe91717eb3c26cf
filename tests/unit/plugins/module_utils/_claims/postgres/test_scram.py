# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.scram import make_verifier, matches

# RFC 7677, section 3.
RFC = (
    "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ=="
    "$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
)


def test_the_vector_of_the_standard() -> None:
    assert matches(RFC, "pencil")
    assert not matches(RFC, "pencil ")


@pytest.fixture(scope="module")
def of_libpq() -> t.Callable[[str], str]:
    """Return libpq's own function; it needs a connection, but no server."""
    pq = pytest.importorskip("psycopg.pq")
    connection = pq.PGconn.connect(b"host=/nonexistent")

    def verifier(password: str) -> str:
        return connection.encrypt_password(password.encode(), b"role", b"scram-sha-256").decode()

    return verifier


@settings(max_examples=50)
@given(password=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1))
def test_libpq_computes_the_same(of_libpq: t.Callable[[str], str], password: str) -> None:
    assert matches(of_libpq(password), password)


def test_salts_differ() -> None:
    one, two = make_verifier("x"), make_verifier("x")
    assert one != two
    assert matches(one, "x")
    assert matches(two, "x")


@pytest.mark.parametrize(
    ("given", "same"),
    [("a\u00a0b", "a b"), ("a\u00adb", "ab"), ("\ufb01", "fi"), ("\u2168", "IX"), ("\u00aa", "a")],
)
def test_saslprep_equals(given: str, same: str) -> None:
    assert matches(make_verifier(given), same)


def test_what_saslprep_forbids_is_taken_as_it_is() -> None:
    for password in ("\u0627\u0031", "a\u0221", "\u00ad"):
        verifier = make_verifier(password)
        assert matches(verifier, password)
        assert not matches(verifier, password + "x")


@pytest.mark.parametrize("verifier", [None, "", "md5abc", "SCRAM-SHA-256$", "SCRAM-SHA-256$x:y$z", RFC[:-4], "plain"])
def test_strange_verifiers_never_match(verifier: str | None) -> None:
    assert not matches(verifier, "pencil")
