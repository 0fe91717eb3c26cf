# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A disk that is full at any moment of any change: one revision serves, in one sentence, and the next run repairs."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._haproxy.reload import ProxyError
from ansible_collections.selfhost.langgraph.plugins.module_utils._host.systemd import SystemdError
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.state import RolloutError
from ansible_collections.selfhost.langgraph.tests.unit.plugins.module_utils._rollout.fake_host import (
    GONE,
    MOVED,
    OLD,
    ROTATED,
    Host,
    bot,
)
from ansible_collections.selfhost.langgraph.tests.unit.plugins.module_utils._rollout.test_properties import (
    check,
    new_host,
)

MOST_WRITES = 40


@dataclass
class Change:
    """From one list to another, by the modes of the proxy."""

    before: list[dict[str, t.Any]]
    after: list[dict[str, t.Any]]
    modes: tuple[str, str] = ("haproxy", "haproxy")
    # Earlier runs, so that there is something to prune.
    history: list[dict[str, t.Any]] = field(default_factory=list)


def two(first: dict[str, t.Any], second: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    return [bot(**{"port": 8123, **first}), bot("two", **{"port": 8124, **second})]


PLAIN = two({}, {})
CHANGES = {
    "the first one": Change([], [bot()]),
    "another image": Change([bot()], [bot(image="bot:2")]),
    "two at once": Change(PLAIN, two({"image": "bot:2"}, {"image": "bot:2"})),
    "one that fails beside one": Change(PLAIN, two({"image": "bot:2"}, {})),
    "another address": Change([bot()], [bot(port=8125)]),
    "addresses exchanged": Change(PLAIN, two({"port": 8124}, {"port": 8123})),
    "addresses exchanged with another image": Change(
        PLAIN, two({"port": 8124, "image": "bot:2"}, {"port": 8123, "image": "bot:2"})
    ),
    "one goes": Change(PLAIN, [bot(image="bot:2"), {**GONE, "name": "two"}]),
    "one comes in the place of another": Change([bot()], [GONE, bot("two")]),
    "pruned": Change([bot(image="bot:7")], [bot(image="bot:8")], history=[bot(image=f"bot:{n}") for n in range(1, 7)]),
    "a rotation": Change([bot(credentials=OLD)], [bot(credentials=ROTATED)]),
    "two rotations": Change(
        two({"credentials": OLD}, {"credentials": OLD}), two({"credentials": ROTATED}, {"credentials": MOVED})
    ),
    "the first credentials": Change([bot()], [bot(credentials=OLD)]),
    "a rotation without a proxy": Change([bot(credentials=OLD)], [bot(credentials=ROTATED)], ("none", "none")),
    "without a proxy": Change([bot()], [bot(image="bot:2")], ("none", "none")),
    "without a proxy, another address": Change([bot()], [bot(port=8125)], ("none", "none")),
    "without a proxy, exchanged": Change(PLAIN, two({"port": 8124}, {"port": 8123}), ("none", "none")),
    "without a proxy, exchanged on IPv6": Change(
        two({"bind_address": "::1"}, {"bind_address": "::1"}),
        two({"port": 8124, "bind_address": "::1"}, {"port": 8123, "bind_address": "::1"}),
        ("none", "none"),
    ),
    "from IPv4 to IPv6": Change([bot()], [bot(bind_address="::1")]),
    "behind a proxy from now on": Change(PLAIN, two({"image": "bot:2"}, {}), ("none", "haproxy")),
    "without a proxy from now on": Change(PLAIN, two({"image": "bot:2"}, {}), ("haproxy", "none")),
}


def begin(host: Host, change: Change) -> None:
    """The host before it."""
    for earlier in change.history:
        host.converge(earlier, proxy=change.modes[0])
        host.finish_drains()
    if change.before:
        assert host.converge(*change.before, proxy=change.modes[0])["failures"] == []


def run_on_a_full_disk(host: Host, change: Change, at: int, for_good: bool) -> bool:
    """Apply it; True if the disk refused something. It may only raise errors that a module reports in one line."""
    stay = {item["name"] for item in change.before} & {i["name"] for i in change.after if i["state"] == "present"}
    host.clients = stay if change.modes == ("haproxy", "haproxy") else set()
    host.full_at, host.full_for_good = at, for_good
    told = "nothing"
    try:
        result = host.converge(*change.after, proxy=change.modes[1])
        told = "; ".join(failure["cause"] for failure in result["failures"])
    except (RolloutError, ProxyError, SystemdError) as error:
        told = str(error)
    was_full = host.was_full
    host.full_at = None
    host.touch()
    assert (host.unanswered, host.lost_at_boot) == ([], [])
    host.clients.clear()
    if was_full:
        assert "No space left on device" in told or told in ("", "nothing"), told
        assert "\n" not in told
    for name in stay:
        serves_alone(host, name)
    return was_full


def reached(host: Host, name: str) -> int | None:
    """The revision that clients reach: by the proxy, else the one whose container has a public port itself."""
    public = (n for n in host.running(name) if is_public_port(host.unit(n, name).published))
    return host.answers(name) or next(public, None)


def is_public_port(published: tuple[str, int] | None) -> bool:
    return published is not None and published[0] in ("127.0.0.1", "::1")


def serves_alone(host: Host, name: str) -> None:
    """Clients reach one revision, and no other runs but to drain, or as the one that serves by the record."""
    answering = reached(host, name)
    assert answering is not None
    recorded = (host.deployment(name).settings or {}).get("serving")
    assert set(host.running(name)) - set(host.draining(name)) <= {answering, recorded}


@pytest.mark.parametrize("reboot", [False, True], ids=["", "and a reboot"])
@pytest.mark.parametrize("for_good", [False, True], ids=["once", "for good"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_full_at_any_moment(change: Change, for_good: bool, reboot: bool) -> None:
    for at in range(1, MOST_WRITES):
        with new_host() as host:
            begin(host, change)
            was_full = run_on_a_full_disk(host, change, at, for_good)
            if reboot:
                host.finish_drains()
                host.reboot()
                # A proxy that has let go of a port does not have it back at boot: the next run it is.
                for item in change.before if change.modes != ("haproxy", "none") else ():
                    if item["name"] in {i["name"] for i in change.after if i["state"] == "present"}:
                        assert reached(host, item["name"]) is not None
            assert host.converge(*change.after, proxy=change.modes[1])["failures"] == []
            check(host, change.after)
            host.finish_drains()
            host.reboot()
            check(host, change.after)
            host.converge(*change.after, proxy=change.modes[1])
            assert host.converge(*change.after, proxy=change.modes[1])["changed"] is False
            assert not list(host.folder.rglob("*.new"))
            if not was_full:
                assert at > 1
                return
    pytest.fail(f"more than {MOST_WRITES} writes")
