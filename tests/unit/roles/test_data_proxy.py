# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The configuration that the role data_proxy writes, and when it reloads the proxy."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROLE = Path(__file__).parents[3] / "roles/data_proxy"
# HAProxy's limit for one line.
MOST_WORDS = 64


def render(text: str, **given: t.Any) -> str:
    """Render a template with the defaults of the role and these variables."""
    variables = yaml.safe_load((ROLE / "defaults/main.yml").read_text())
    return str(Templar(loader=DataLoader(), variables=variables | given).template(trust_as_template(text)))


def task(name: str) -> dict[str, t.Any]:
    """Return the task of configure.yml whose name begins with this string."""
    tasks = yaml.safe_load((ROLE / "tasks/configure.yml").read_text())
    (found,) = [each for each in tasks if each["name"].startswith(name)]
    return t.cast("dict[str, t.Any]", found)


def section(sources: t.Sequence[str]) -> list[str]:
    """Return the lines, without comments, of a listener for other hosts."""
    listener = {
        "name": "redis-hosts",
        "address": "10.0.0.10",
        "port": 6379,
        "sources": list(sources),
        "server": "/run/langgraph-redis/redis.sock",
        "local": True,
    }
    text = render((ROLE / "templates/haproxy.cfg.j2").read_text(), _data_proxy_plan={"listeners": [listener]})
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]
    return lines[lines.index("listen redis-hosts from langgraph") + 1 :]


@pytest.mark.parametrize(
    ("sources", "let_in"),
    [
        (["10.0.0.11", "fd00::5"], ["10.0.0.11", "fd00::5"]),
        ([], ["127.0.0.1"]),
    ],
)
def test_only_hosts_of_the_inventory_are_allowed(sources: list[str], let_in: list[str]) -> None:
    assert section(sources) == [
        "bind 10.0.0.10:6379 transparent",
        *(f"acl inventory src {source}" for source in let_in),
        "tcp-request connection reject unless inventory",
        "server local unix@/run/langgraph-redis/redis.sock",
    ]


def test_a_fleet_of_any_size_fits_on_haproxys_lines() -> None:
    lines = section([f"10.0.{number // 250}.{number % 250}" for number in range(1000)])
    assert max(len(line.split()) for line in lines) <= MOST_WORDS
    assert sum(line.startswith("acl inventory src ") for line in lines) == 1000


@pytest.mark.parametrize(
    ("content", "given", "reloads"),
    [
        ({"content": "new"}, {}, False),
        # A worker that could not listen has left the old one running: systemd and the files do not show that.
        ({"content": "old"}, {}, True),
        ({}, {}, True),
        ({"content": "new"}, {"__data_proxy_written": {"changed": True}}, True),
        ({"content": "old"}, {"__data_proxy_restarted": {"changed": True}}, False),
        ({"skipped": True}, {"_data_proxy_is": {"active": False, "reload": False}}, False),
    ],
)
def test_it_is_reloaded_if_it_runs_with_another_configuration(
    content: dict[str, t.Any], given: dict[str, t.Any], reloads: bool
) -> None:
    known = {
        "_data_proxy_is": {"active": True, "reload": False},
        "_data_proxy_settings": "new",
        "__data_proxy_restarted": {"changed": False, "skipped": True},
        "__data_proxy_written": {"changed": False},
        "__data_proxy_runs": content,
    }
    assert render("{{ " + task("Reload the data proxy")["when"] + " }}", **known | given) == str(reloads)


def test_it_is_checked_before_and_after_the_reload_in_every_run() -> None:
    names = [each["name"] for each in yaml.safe_load((ROLE / "tasks/configure.yml").read_text())]
    asked, seen = task("Read the settings"), task("Verify that the data proxy runs")
    assert names.index(asked["name"]) < names.index(task("Reload the data proxy")["name"]) < names.index(seen["name"])
    assert asked["ansible.builtin.uri"] == seen["ansible.builtin.uri"]
    # A dry run predicts the reload, and has nothing to check afterwards.
    assert asked["check_mode"] is False
    assert seen["when"] == "not ansible_check_mode"
