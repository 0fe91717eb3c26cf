# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a release reports, in Redis and in Postgres."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres import release as postgres
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis import release as redis


def in_postgres(confirmed: bool, **more: t.Any) -> postgres.Release:
    found: dict[str, t.Any] = {"role": True, "database": True, "logins": ("a.b",), "clients": 2, "size": 10, "rows": 5}
    return postgres.Release("a-bot", confirmed, **{**found, **more})


def in_redis(confirmed: bool, **more: t.Any) -> redis.Release:
    found: dict[str, t.Any] = {"db": 3, "keys": 7, "clients": 2, "users": ("a-bot",), "strange_keys": 1}
    return redis.Release("a-bot", confirmed, **{**found, **more})


def test_without_a_confirmation_everything_stays() -> None:
    assert in_postgres(False).result() == {
        "database": "a_bot",
        "role": "a_bot",
        "changed": False,
        "clients": 2,
        "would_lose": {"bytes": 10, "rows": 5},
    }
    assert in_redis(False).result() == {
        "redis_db": 3,
        "user": "a-bot",
        "changed": False,
        "clients": 2,
        "strange_keys": 1,
        "would_lose": {"keys": 7},
    }
    for release in (in_postgres(False), in_redis(False)):
        assert release.actions() == []
        assert "nothing was released" in (release.warning() or "")
        assert "set 'confirm: a-bot' to " in (release.warning() or "")


def test_with_one_nothing_is_left() -> None:
    assert in_postgres(True).result() == {
        "database": None,
        "role": None,
        "changed": True,
        "clients": 2,
        "lost": {"bytes": 10, "rows": 5},
    }
    assert in_redis(True).result() == {
        "redis_db": None,
        "user": None,
        "changed": True,
        "clients": 2,
        "strange_keys": 1,
        "lost": {"keys": 7},
    }
    assert [action["action"] for action in in_postgres(True).actions()] == ["drop_database", "drop_login", "drop_role"]
    assert [action["action"] for action in in_redis(True).actions()] == ["delete_user", "release"]
    assert (in_postgres(True).warning(), in_redis(True).warning()) == (None, None)


@pytest.mark.parametrize("confirmed", [True, False])
def test_what_does_not_exist_changes_nothing(confirmed: bool) -> None:
    for release in (
        in_postgres(confirmed, role=False, database=False, logins=()),
        in_redis(confirmed, db=None, users=()),
    ):
        assert (release.actions(), release.result()["changed"], release.warning()) == ([], False, None)


def test_what_a_killed_release_has_left_is_finished() -> None:
    role = in_postgres(True, database=False, logins=())
    assert [action["action"] for action in role.actions()] == ["drop_role"]
    assert in_postgres(False, database=False).result()["database"] is None
    assert in_postgres(False, role=False).result()["role"] is None
    number = in_redis(True, users=())
    assert [action["action"] for action in number.actions()] == ["release"]
    assert in_redis(False, users=()).result()["user"] is None
    # Database 0 is one too, of a server that has no other.
    assert [action["action"] for action in in_redis(True, db=0, users=()).actions()] == ["release"]
