# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a password of before may be revoked."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments import module_options, rotation

BOT = {"name": "bot", "credential": "new"}
OPEN_POSTGRES = {"bot": {"retiring": ["bot"]}}
OPEN_REDIS = {"bot": {"retiring": True}}
CLOSED = {"bot": {"retiring": []}}


REDIS_KEYS = ("redis_number", "redis_password", "redis_key_patterns", "redis_channel_patterns", "redis_shared_channels")


def carried(*entries: tuple[int, str, str], addresses: t.Sequence[str] = ()) -> dict[str, t.Any]:
    """What a host's containers carry: number, login and credential of each revision of bot."""
    keys = ("revision", "login", "credential")
    return {"deployments": {"bot": [dict(zip(keys, entry)) for entry in entries]}, "addresses": list(addresses)}


NEW, OLD = (4, "bot.b", "new"), (3, "bot", "old")
# What the hosts carry -> logins in use, whether only the wanted passwords are, what keeps those of before open.
CASES: dict[str, tuple[dict[str, t.Any], list[str] | None, bool, list[str]]] = {
    "nothing is known": ({}, None, False, []),
    "first run": ({"app1": {"deployments": {}, "addresses": []}}, [], True, []),
    "before it": ({"app1": carried(OLD)}, ["bot"], False, ["revision 3 on app1 has ended"]),
    "one drains": ({"app1": carried(OLD, NEW)}, ["bot", "bot.b"], False, ["revision 3 on app1 has ended"]),
    "drained": ({"app1": carried(NEW)}, ["bot.b"], True, []),
    "another host drains": (
        {"app1": carried(NEW), "app2": carried(OLD, NEW)},
        ["bot", "bot.b"],
        False,
        ["revision 3 on app2 has ended"],
    ),
    "both drained": ({"app1": carried(NEW), "app2": carried(NEW)}, ["bot.b"], True, []),
    "another host is down": ({"app1": carried(NEW), "app2": None}, None, False, ["app2 has answered"]),
    "a host without it": ({"app1": carried(NEW), "app2": {"deployments": {}, "addresses": []}}, ["bot.b"], True, []),
}


@pytest.mark.parametrize("login", [None, ""])
def test_a_revision_that_does_not_say_its_login(login: str | None) -> None:
    """It may have any of them, so none is free."""
    use = {"app1": carried(NEW, (3, login, None))}  # type: ignore[arg-type]
    assert rotation.logins_in_use("bot", use) is None
    assert rotation.is_alone(BOT, use) is False


@pytest.mark.parametrize(("use", "logins", "alone", "holders"), CASES.values(), ids=CASES)
def test_use(use: dict[str, t.Any], logins: list[str] | None, alone: bool, holders: list[str]) -> None:
    assert rotation.logins_in_use("bot", use) == logins
    assert rotation.is_alone(BOT, use) is alone
    until = f"until {holders[0]}" if holders else "until the next run"
    for postgres, redis in ((OPEN_POSTGRES, OPEN_REDIS), (OPEN_POSTGRES, CLOSED), (CLOSED, OPEN_REDIS)):
        assert rotation.still_open([BOT], use, postgres, redis) == [
            f"bot: the previous password is still valid, {until}"
        ]
        assert rotation.retirable([BOT], use, postgres, redis) == ([] if holders else [BOT])
    assert rotation.still_open([BOT], use, CLOSED, CLOSED) == rotation.still_open([BOT], use, {}, {}) == []
    assert rotation.retirable([BOT], use, CLOSED, {}) == []


def test_all_that_hold_it_are_named() -> None:
    use = {"app1": carried(OLD, (2, "bot", "old"), NEW), "app2": None}
    assert rotation.still_open([BOT], use, OPEN_POSTGRES, CLOSED) == [
        "bot: the previous password is still valid, until revision 3 on app1 has ended, revision 2 on app1 has ended and app2 has answered"
    ]


def test_one_that_has_the_password_in_redis_alone_is_named_for_redis_alone() -> None:
    use = {"app1": carried((3, "bot.b", "old"), NEW)}
    assert rotation.retirable([BOT], use, OPEN_POSTGRES, CLOSED) == [BOT]
    assert rotation.retirable([BOT], use, CLOSED, OPEN_REDIS) == []


@pytest.mark.parametrize(("use", "logins", "alone", "_holders"), CASES.values(), ids=CASES)
def test_the_same_by_what_the_rollout_returns(
    use: dict[str, t.Any], logins: list[str] | None, alone: bool, _holders: list[str]
) -> None:
    """It shows no fingerprint, but whether it is the wanted one."""
    shown = {
        host: carried
        and {
            **carried,
            "deployments": {
                name: [
                    {"revision": entry["revision"], "login": entry["login"], "current": entry["credential"] == "new"}
                    for entry in entries
                ]
                for name, entries in carried["deployments"].items()
            },
        }
        for host, carried in use.items()
    }
    assert (rotation.logins_in_use("bot", shown), rotation.is_alone(BOT, shown)) == (logins, alone)
    for postgres, redis in ((OPEN_POSTGRES, CLOSED), (CLOSED, OPEN_REDIS)):
        assert rotation.still_open([BOT], shown, postgres, redis) == rotation.still_open([BOT], use, postgres, redis)


def test_what_hosts_have_registered() -> None:
    groups = {"langgraph_redis": ["db"], "langgraph_postgres": ["db"]}
    hosts = [
        {"inventory_hostname": "app1", "checked": {"carried": carried(NEW)}},
        {"inventory_hostname": "app2"},
        {"inventory_hostname": "app3", "checked": {"unreachable": True}},
        {"inventory_hostname": "single", "langgraph_redis_server": "single", "langgraph_postgres_server": "single"},
        {
            "inventory_hostname": "half",
            "langgraph_redis_admin_uri": "rediss://u:p@r",
            "checked": {"carried": carried(OLD)},
        },
    ]
    found = rotation.credentials_in_use(hosts, "checked", "app1", groups)
    assert found == {"app1": carried(NEW), "app2": None, "app3": None, "half": carried(OLD)}
    assert rotation.credentials_in_use(hosts, "checked", "single", groups) == {"single": None}
    assert list(rotation.credentials_in_use(hosts, "checked", "half", {})) == ["half"]


def test_a_service_that_is_written_otherwise_is_the_same() -> None:
    """Else the passwords of another host would be revoked while it uses them."""
    uris = ("redis://a:b@r.example:6379", "redis://a:b@R.example", "redis://a:b@r.example:6380")
    hosts = [
        {"inventory_hostname": f"app{number}", "langgraph_redis_admin_uri": uri} for number, uri in enumerate(uris, 1)
    ]
    assert rotation.credentials_in_use(hosts, "checked", "app1", {}) == {"app1": None, "app2": None}


def test_sessions_of_the_oldest_container_on_any_host() -> None:
    use = {"app1": {**carried(NEW), "since": {"bot": 20}}, "app2": {**carried(NEW), "since": {"bot": 10, "other": 5}}}
    assert rotation.sessions_since("bot", use) == 10
    assert rotation.sessions_since("nobody", use) is None
    assert rotation.sessions_since("bot", {**use, "app3": None}) is None
    assert rotation.sessions_since("bot", None) is None
    deployment = {**BOT, "state": "present", **dict.fromkeys(REDIS_KEYS)}
    assert module_options.redis_databases([deployment], use)[0]["sessions_since"] == 10


def test_addresses_of_all_hosts() -> None:
    use = {"app1": carried(addresses=["10.0.0.1", "172.29.0.2"]), "app2": carried(addresses=["10.0.0.2", "172.29.0.2"])}
    assert rotation.live_addresses(use) == ["10.0.0.1", "10.0.0.2", "172.29.0.2"]
    assert rotation.live_addresses({**use, "app3": None}) is None
    assert rotation.live_addresses({}) is None


@pytest.mark.parametrize(("use", "logins", "alone", "_holders"), CASES.values(), ids=CASES)
def test_what_the_claim_modules_are_asked(
    use: dict[str, t.Any], logins: list[str] | None, alone: bool, _holders: list[str]
) -> None:
    more = ("state", "postgres_password", "connection_limit", "extensions", "aes_keys", "accept_new_aes_key")
    deployment = {**BOT, **dict.fromkeys((*REDIS_KEYS, *more)), "state": "present"}
    assert module_options.redis_databases([deployment], use)[0]["retire"] is alone
    postgres = module_options.postgres_databases([deployment], {"bot": {"number": 1}}, use=use)[0]
    assert (postgres["logins_in_use"], postgres["retire"]) == (logins, logins is not None)


def sized(*pools: str | None) -> dict[str, t.Any]:
    """A host on which revisions with these pools run."""
    entries = [{"revision": number, "login": "bot", "pool": pool} for number, pool in enumerate(pools, 1)]
    return {"deployments": {"bot": entries}, "addresses": []}


# What the hosts carry -> whether a limit of 96 may take the place of a higher one, where the pool is of 20.
LIMITS: dict[str, tuple[dict[str, t.Any], bool]] = {
    "nothing is known": ({}, False),
    "a host is down": ({"app1": sized("20"), "app2": None}, False),
    "nothing runs": ({"app1": sized()}, True),
    "all are of today": ({"app1": sized("20", "20", "20")}, True),
    "the pool was larger": ({"app1": sized("21")}, False),
    "it was, and that one drains": ({"app1": sized("100", "20")}, False),
    "it was smaller": ({"app1": sized("5", "20")}, True),
    "more run than may by now": ({"app1": sized("20", "20", "20", "20")}, False),
    "more run, on two hosts": ({"app1": sized("20", "20"), "app2": sized("20", "20")}, False),
    "one that sets none has that of the server": ({"app1": sized(None)}, True),
}


@pytest.mark.parametrize(("use", "fits"), LIMITS.values(), ids=LIMITS)
def test_a_limit_that_revisions_need_stays(use: dict[str, t.Any], fits: bool) -> None:
    deployment = {**BOT, "connection_limit": 96, "variables": {"LANGGRAPH_POSTGRES_POOL_MAX_SIZE": "20"}}
    assert rotation.fits_limit(deployment, use) is fits
