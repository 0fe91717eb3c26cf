# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The URIs of Redis and Postgres."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.uris import database_uri, redis_uri

PART = st.text(min_size=1)
HOSTS = st.sampled_from(["172.29.0.1", "redis.example.org", "fd00::1"])


@given(HOSTS, st.integers(1, 65535), st.integers(1, 255), PART, PART, st.booleans())
def test_redis_uri(host: str, port: int, number: int, user: str, password: str, tls: bool) -> None:
    uri = urlsplit(redis_uri(host, port, number, user, password, tls=tls))
    assert uri.scheme == ("rediss" if tls else "redis")
    assert (unquote(uri.username or ""), unquote(uri.password or "")) == (user, password)
    assert (uri.hostname, uri.port, uri.path) == (host, port, f"/{number}")


@given(HOSTS, st.integers(1, 65535), PART, PART, PART)
def test_database_uri(host: str, port: int, database: str, role: str, password: str) -> None:
    uri = urlsplit(database_uri(host, port, database, role, password, "require"))
    assert (uri.scheme, uri.query, uri.fragment) == ("postgres", "sslmode=require", "")
    assert (unquote(uri.username or ""), unquote(uri.password or "")) == (role, password)
    assert (uri.hostname, uri.port, unquote(uri.path)) == (host, port, f"/{database}")


def test_characters_that_break_uris_are_encoded() -> None:
    assert redis_uri("h", 1, 2, "bot", "a@b:c/d?e#f%g", tls=False) == "redis://bot:a%40b%3Ac%2Fd%3Fe%23f%25g@h:1/2"
