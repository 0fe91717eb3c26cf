# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The final table."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.selfhost.langgraph.plugins.filter.deployment_table import deployment_table
from ansible_collections.selfhost.langgraph.tests.unit.plugins.plugin_utils._deployments.checked_list import (
    CHECKED,
    NUMBERS,
)


def done(name: str, action: str, *reasons: str, revision: int | None = 1) -> dict[str, t.Any]:
    """Return an entry of deployment_rollout's result."""
    changed = action not in ("keep", "wait")
    common = {"changed": changed, "interrupts": False, "runs": {}}
    return {"name": name, "action": action, "reasons": reasons, "revision": revision, **common}


def test_deployment_table() -> None:
    health = {"support-bot": {"ok": True, "status": 200}, "research": {"ok": False, "status": None}}
    services = [
        done("support-bot", "roll", "image_id", "variable MODEL", revision=4),
        done("old", "remove", revision=None),
        done("research", "keep", revision=2),
    ]
    assert deployment_table(CHECKED, NUMBERS, health, services) == [
        "DEPLOYMENT   URL                                   REDIS DB  POSTGRES DATABASE  IMAGE  REVISION  HEALTH",
        "support-bot  https://support.example.com:8123/bot  1         support_bot        bot:1  4         healthy",
        "old          -                                     -         old                -      -         stopped",
        "research     http://127.0.0.1:8124                 7         research           r:1    2         UNHEALTHY",
        "support-bot: roll to revision 4 (image_id, variable MODEL)",
        "old: remove",
    ]


CHANGES: dict[str, tuple[dict[str, t.Any], str]] = {
    "create": (done("research", "create", "new"), "research: create revision 1 (new)"),
    "route": (done("research", "route", "port"), "research: route (port)"),
    "start": (done("research", "start", "unit is failed"), "research: start (unit is failed)"),
    "settings": ({**done("research", "keep", "drain_limit"), "changed": True}, "research: keep (drain_limit)"),
    "interrupting": (
        {**done("research", "roll", "image_id", revision=3), "interrupts": True},
        "research: roll to revision 3 (image_id), which interrupts it",
    ),
    "runs": (
        {
            **done("research", "roll", revision=3),
            "runs": {"before": {"running": 2}, "after": {"pending": 1, "running": 1}},
        },
        "research: roll to revision 3; runs in flight before: 2 running, after: 1 pending, 1 running",
    ),
    "no runs": (
        {**done("research", "roll", revision=3), "runs": {"before": {}, "after": {}}},
        "research: roll to revision 3; runs in flight before: none, after: none",
    ),
    "runs unknown": (
        {**done("research", "roll"), "runs": {"before": {}, "after": None}},
        "research: roll to revision 1",
    ),
    "without a reason": ({**done("research", "keep"), "changed": True}, "research: keep"),
}


def test_a_changed_image_is_reported_with_its_old_and_new_id() -> None:
    service = done("research", "roll", "image_id", "variable MODEL", revision=4)
    lines = deployment_table(CHECKED, NUMBERS, {}, [{**service, "image_change": "48b0ab8bb9a1 to 9c217d3f6a02"}])
    assert lines[4:] == ["research: roll to revision 4 (image 48b0ab8bb9a1 to 9c217d3f6a02, variable MODEL)"]
    lines = deployment_table(CHECKED, NUMBERS, {}, [{**service, "image_change": None}])
    assert lines[4:] == ["research: roll to revision 4 (image_id, variable MODEL)"]


@pytest.mark.parametrize(("service", "line"), CHANGES.values(), ids=CHANGES)
def test_changes_are_below_the_table(service: dict[str, t.Any], line: str) -> None:
    assert deployment_table(CHECKED, NUMBERS, {}, [service])[4:] == [line]


@pytest.mark.parametrize("action", ["keep", "wait"])
def test_unchanged_deployments_are_not_listed(action: str) -> None:
    assert len(deployment_table(CHECKED, NUMBERS, {}, [done("research", action)])) == 4


def test_table_in_check_mode() -> None:
    rows = deployment_table(CHECKED, {"research": {"redis_db": None}}, {})
    assert rows[3].split() == ["research", "http://127.0.0.1:8124", "-", "research", "r:1", "-", "-"]


def test_columns_in_check_mode_state_what_would_be() -> None:
    (head, *_rows) = deployment_table(CHECKED, NUMBERS, {}, [done("research", "create")], True, CONNECTION)
    assert head.endswith("POSTGRES DATABASE  IMAGE WOULD BE  REVISION WOULD BE  HEALTH")
    assert "ssh" not in "".join(_rows)


def at(deployment: t.Mapping[str, t.Any], **address: t.Any) -> dict[str, t.Any]:
    """Return a checked deployment with another address."""
    return {**deployment, "rollout": {**deployment["rollout"], **address}}


@pytest.mark.parametrize(
    ("port", "tls", "url"),
    [(443, True, "https://a.example.com"), (80, False, "http://a.example.com"), (80, True, "https://a.example.com:80")],
)
def test_url_of_a_host_name(port: int, tls: bool, url: str) -> None:
    item = at(CHECKED[0], hostname="a.example.com", port=port, tls=tls, prefix=None)
    assert deployment_table([item], NUMBERS, {})[1].split()[1] == url


CONNECTION = {"type": "ssh", "host": "192.0.2.10", "user": "admin", "port": 22}
REACHED: dict[str, tuple[dict[str, t.Any], dict[str, t.Any], str]] = {
    "as usual": ({}, {}, "ssh -L 8124:127.0.0.1:8124 admin@192.0.2.10, then open http://127.0.0.1:8124/docs"),
    "another port of sshd, and the user of ssh's own configuration": (
        {},
        {"user": "", "port": "2222"},
        "ssh -L 8124:127.0.0.1:8124 -p 2222 192.0.2.10, then open http://127.0.0.1:8124/docs",
    ),
    "a port that only root may use": (
        {"port": 443, "tls": True, "prefix": "/bot"},
        {},
        "ssh -L 8443:127.0.0.1:443 admin@192.0.2.10, then open https://127.0.0.1:8443/bot/docs",
    ),
    "IPv6": (
        {"bind_address": "::1"},
        {},
        "ssh -L 8124:[::1]:8124 admin@192.0.2.10, then open http://127.0.0.1:8124/docs",
    ),
}


@pytest.mark.parametrize(("deployment", "connection", "command"), REACHED.values(), ids=REACHED)
def test_how_to_reach_a_new_deployment(
    deployment: dict[str, t.Any], connection: dict[str, t.Any], command: str
) -> None:
    item, create = at(CHECKED[2], **deployment), [done("research", "create")]
    lines = deployment_table([item], NUMBERS, {}, create, connection={**CONNECTION, **connection})
    assert lines[-1] == f"to reach research from your machine: {command}"


def test_one_command_reaches_all_new_deployments() -> None:
    items = [CHECKED[2], {**at(CHECKED[2], name="second", port=8125), "name": "second"}]
    services = [done(item["name"], "create") for item in items]
    assert deployment_table(items, NUMBERS, {}, services, connection=CONNECTION)[-1] == (
        "to reach research, second from your machine: ssh -L 8124:127.0.0.1:8124 -L 8125:127.0.0.1:8125 admin@192.0.2.10,"
        " then open http://127.0.0.1:8124/docs"
    )


@pytest.mark.parametrize(
    ("deployment", "connection", "url"),
    [
        ({"bind_address": "0.0.0.0"}, CONNECTION, "http://192.0.2.10:8124"),
        (
            {"bind_address": "::", "tls": True, "port": 443},
            {**CONNECTION, "host": "2001:db8::1"},
            "https://[2001:db8::1]",
        ),
        ({"bind_address": "0.0.0.0", "hostname": "a.example.com"}, CONNECTION, "http://a.example.com:8124"),
        ({"bind_address": "0.0.0.0"}, {"type": "local", "host": "server"}, "http://127.0.0.1:8124"),
        ({"bind_address": "0.0.0.0"}, {}, "http://127.0.0.1:8124"),
        ({}, CONNECTION, "http://127.0.0.1:8124"),
    ],
)
def test_the_url_on_all_addresses_is_that_of_the_host(
    deployment: dict[str, t.Any], connection: dict[str, t.Any], url: str
) -> None:
    """The check itself asks the loopback."""
    row = deployment_table([at(CHECKED[2], **deployment)], NUMBERS, {}, connection=connection)[1]
    assert row.split()[1] == url


UNREACHED: dict[str, tuple[dict[str, t.Any], dict[str, t.Any], str]] = {
    "not new": ({}, CONNECTION, "roll"),
    "on another address": ({"bind_address": "0.0.0.0"}, CONNECTION, "create"),
    "by its host name": ({"hostname": "a.example.com"}, CONNECTION, "create"),
    "on this machine": ({}, {**CONNECTION, "type": "local"}, "create"),
    "connection unknown": ({}, {}, "create"),
}


@pytest.mark.parametrize(("deployment", "connection", "action"), UNREACHED.values(), ids=UNREACHED)
def test_no_ssh_command(deployment: dict[str, t.Any], connection: dict[str, t.Any], action: str) -> None:
    lines = deployment_table(
        [at(CHECKED[2], **deployment)], NUMBERS, {}, [done("research", action)], connection=connection
    )
    assert lines[-1].startswith(f"research: {action}")
