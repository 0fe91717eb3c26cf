# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of second logins: they are unique, and Postgres truncates none."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.logins import second_login
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.names import identifier

names = st.from_regex(r"[a-z][a-z0-9-]{0,61}[a-z0-9]", fullmatch=True)


def test_a_short_name_stays_readable() -> None:
    assert second_login("support-bot") == "support_bot.b"
    assert second_login("a" * 61) == "a" * 61 + ".b"


def test_long_names_with_the_same_beginning_are_distinguished() -> None:
    first, second = second_login("a" * 62), second_login("a" * 63)
    assert first != second
    assert first.startswith("a" * 48 + ".")


@given(st.sets(names, min_size=2, max_size=2))
def test_names_fit_and_do_not_meet(pair: set[str]) -> None:
    logins = {second_login(name) for name in pair}
    assert len(logins) == 2
    assert all(len(login) <= 63 for login in logins)
    assert not logins & {identifier(name) for name in pair}
