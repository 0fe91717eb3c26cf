# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a previous password may be revoked."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments import rotation

BOT: t.Any = {"name": "bot"}
OPEN_POSTGRES = {"bot": {"retiring": ["bot"]}}
OPEN_REDIS = {"bot": {"retiring": ["bot"]}}
CLOSED = {"bot": {"retiring": []}}


def in_use(*entries: tuple[int, str, str]) -> dict[str, t.Any]:
    """Return the credentials that a host's containers use: number, login and user of each revision of bot."""
    found = [{"revision": number, "logins": [login], "users": [user]} for number, login, user in entries]
    return {"deployments": {"bot": found}}


NEW, OLD = (4, "bot.b", "bot.b"), (3, "bot", "bot")
# Credentials by host -> logins in use, what blocks the revocation.
CASES: dict[str, tuple[dict[str, t.Any], list[str] | None, list[str]]] = {
    "nothing is known": ({}, None, []),
    "first run": ({"app1": {"deployments": {}}}, [], []),
    "before it": ({"app1": in_use(OLD)}, ["bot"], ["revision 3 on app1 has ended"]),
    "one drains": ({"app1": in_use(OLD, NEW)}, ["bot.b", "bot"], ["revision 3 on app1 has ended"]),
    "drained": ({"app1": in_use(NEW)}, ["bot.b"], []),
    "another host drains": (
        {"app1": in_use(NEW), "app2": in_use(OLD, NEW)},
        ["bot.b", "bot"],
        ["revision 3 on app2 has ended"],
    ),
    "both drained": ({"app1": in_use(NEW), "app2": in_use(NEW)}, ["bot.b"], []),
    "another host is down": ({"app1": in_use(NEW), "app2": None}, None, ["app2 has answered"]),
    "a host without it": ({"app1": in_use(NEW), "app2": {"deployments": {}}}, ["bot.b"], []),
}


@pytest.mark.parametrize("login", [None, ""])
def test_a_revision_without_a_recorded_login(login: str | None) -> None:
    """It may use any login, so none is free."""
    use = {"app1": in_use(NEW, (3, login, login))}  # type: ignore[arg-type]
    assert rotation.logins_in_use("bot", use) is None
    assert rotation.users_in_use("bot", use) is None


@pytest.mark.parametrize(("use", "logins", "blockers"), CASES.values(), ids=CASES)
def test_use(use: dict[str, t.Any], logins: list[str] | None, blockers: list[str]) -> None:
    assert rotation.logins_in_use("bot", use) == rotation.users_in_use("bot", use) == logins
    until = f" until {blockers[0]}; the next run after that" if blockers else "; the next run"
    for postgres, redis in ((OPEN_POSTGRES, OPEN_REDIS), (OPEN_POSTGRES, CLOSED), (CLOSED, OPEN_REDIS)):
        assert rotation.still_open([BOT], use, postgres, redis) == [
            f"bot: the previous password stays valid{until} revokes it"
        ]
        assert rotation.retirable([BOT], use, postgres, redis) == ([] if blockers else ["bot"])
    assert rotation.still_open([BOT], use, CLOSED, CLOSED) == rotation.still_open([BOT], use, {}, {}) == []
    assert rotation.retirable([BOT], use, CLOSED, {}) == []


def test_the_login_of_the_newest_revision_comes_first_and_that_of_a_restart_counts() -> None:
    use = {"app1": in_use(OLD, NEW), "app2": in_use((9, "bot.c", "bot"))}
    assert rotation.logins_in_use("bot", use) == ["bot.c", "bot.b", "bot"]
    assert rotation.users_in_use("bot", use) == ["bot", "bot.b"]
    use["app1"]["deployments"]["bot"][0]["users"].append("more")
    assert rotation.users_in_use("bot", use) == ["bot", "bot.b", "more"]
    assert rotation.retirable([BOT], use, CLOSED, {"bot": {"retiring": ["more"]}}) == []


def test_all_blockers_are_reported() -> None:
    use = {"app1": in_use(OLD, (2, "bot", "bot"), NEW), "app2": None}
    assert rotation.still_open([BOT], use, OPEN_POSTGRES, CLOSED) == [
        "bot: the previous password stays valid until revision 3 on app1 has ended, revision 2 on app1 has ended and app2 has"
        " answered; the next run after that revokes it"
    ]


def test_a_revision_that_uses_only_the_redis_password_blocks_only_redis() -> None:
    use = {"app1": in_use((3, "bot.b", "bot"), NEW)}
    assert rotation.retirable([BOT], use, OPEN_POSTGRES, CLOSED) == ["bot"]
    assert rotation.retirable([BOT], use, CLOSED, OPEN_REDIS) == []


def test_registered_results_of_hosts() -> None:
    groups = {"langgraph_redis": ["db"], "langgraph_postgres": ["db"]}
    hosts = [
        {"inventory_hostname": "app1", "checked": {"carried": in_use(NEW)}},
        {"inventory_hostname": "app2"},
        {"inventory_hostname": "app3", "checked": {"unreachable": True}},
        {"inventory_hostname": "single", "langgraph_redis_server": "single", "langgraph_postgres_server": "single"},
        {
            "inventory_hostname": "half",
            "langgraph_redis_admin_uri": "rediss://u:p@r",
            "checked": {"carried": in_use(OLD)},
        },
    ]
    found = rotation.credentials_in_use(hosts, "checked", "app1", groups)
    assert found == {"app1": in_use(NEW), "app2": None, "app3": None, "half": in_use(OLD)}
    assert rotation.credentials_in_use(hosts, "checked", "single", groups) == {"single": None}
    assert list(rotation.credentials_in_use(hosts, "checked", "half", {})) == ["half"]


def test_a_service_in_another_spelling_is_the_same() -> None:
    """Otherwise the passwords of another host would be revoked while it uses them."""
    uris = ("redis://a:b@r.example:6379", "redis://a:b@R.example", "redis://a:b@r.example:6380")
    hosts = [
        {"inventory_hostname": f"app{number}", "langgraph_redis_admin_uri": uri} for number, uri in enumerate(uris, 1)
    ]
    assert rotation.credentials_in_use(hosts, "checked", "app1", {}) == {"app1": None, "app2": None}


def sized(*pools: str | None) -> dict[str, t.Any]:
    """Return a host that runs revisions with these pool sizes."""
    entries = [
        {"revision": number, "logins": ["bot"], "users": ["bot"], "pool": pool} for number, pool in enumerate(pools, 1)
    ]
    return {"deployments": {"bot": entries}}


# Revisions by host -> whether a limit of 96 may replace a higher one, with a pool size of 20.
LIMITS: dict[str, tuple[dict[str, t.Any], bool]] = {
    "nothing is known": ({}, False),
    "a host is down": ({"app1": sized("20"), "app2": None}, False),
    "nothing runs": ({"app1": sized()}, True),
    "all have the wanted size": ({"app1": sized("20", "20", "20")}, True),
    "the pool was larger": ({"app1": sized("21")}, False),
    "it was, and that revision drains": ({"app1": sized("100", "20")}, False),
    "it was smaller": ({"app1": sized("5", "20")}, True),
    "more run than are allowed now": ({"app1": sized("20", "20", "20", "20")}, False),
    "more run, on two hosts": ({"app1": sized("20", "20"), "app2": sized("20", "20")}, False),
    "a revision without a size has the default": ({"app1": sized(None)}, True),
}


@pytest.mark.parametrize(("use", "fits"), LIMITS.values(), ids=LIMITS)
def test_a_limit_that_revisions_need_is_kept(use: dict[str, t.Any], fits: bool) -> None:
    environment = {"LANGGRAPH_POSTGRES_POOL_MAX_SIZE": "20"}
    deployment = {**BOT, "postgres": {"connection_limit": 96}, "rollout": {"environment": environment}}
    assert rotation.fits_limit(deployment, use) is fits
