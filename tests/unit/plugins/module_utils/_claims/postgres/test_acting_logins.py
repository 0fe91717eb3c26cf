# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of the logins that act as the owner: they are unique, and Postgres truncates none."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.logins import acting_logins
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.names import identifier

names = st.from_regex(r"[a-z][a-z0-9-]{0,61}[a-z0-9]", fullmatch=True)


def test_a_short_name_stays_readable() -> None:
    assert acting_logins("support-bot") == ("support_bot.b", "support_bot.c")
    assert acting_logins("a" * 61) == ("a" * 61 + ".b", "a" * 61 + ".c")


def test_long_names_with_the_same_beginning_are_distinguished() -> None:
    logins = [*acting_logins("a" * 62), *acting_logins("a" * 63)]
    assert len(set(logins)) == 4
    assert all(login.startswith("a" * 48 + ".") for login in logins)


@given(st.sets(names, min_size=2, max_size=2))
def test_names_fit_and_do_not_meet(pair: set[str]) -> None:
    logins = {login for name in pair for login in acting_logins(name)}
    assert len(logins) == 4
    assert all(len(login) <= 63 for login in logins)
    assert not logins & {identifier(name) for name in pair}
