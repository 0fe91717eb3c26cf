# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The option login_uri."""

from __future__ import annotations

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.errors import ClaimError
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.login_uri import demand_uri

GOOD = [
    "redis://localhost",
    "rediss://admin:p%40ss%2Fword@redis.example.com:6380/0",
    "redis://:secret@[2001:db8::1]:6379",
    "unix:///run/redis/redis.sock",
    "postgresql://admin:p%23ss@db.example.com/postgres?sslmode=verify-full&sslrootcert=/etc/ssl/ca.pem",
    "postgresql://admin@one:5432,two:5433/postgres",
    "postgresql:///postgres?host=/run/postgresql",
]


@pytest.mark.parametrize("uri", GOOD)
def test_good_uris(uri: str) -> None:
    demand_uri(uri)


@pytest.mark.parametrize("special", list("@/#:? "))
def test_a_raw_password_is_refused_without_showing_it(special: str) -> None:
    with pytest.raises(ClaimError) as caught:
        demand_uri(f"postgresql://admin:first{special}second@db.example.com:5432/postgres")
    assert "first" not in str(caught.value)
    assert "second" not in str(caught.value)
