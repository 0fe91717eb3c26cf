# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What container_service decides, and what it says about it."""

from __future__ import annotations

import json
import typing as t
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.selfhost.langgraph.plugins.module_utils._services import (
    Found,
    Step,
    Wanted,
    container_file,
    differences,
    image_id,
    masked,
    plan,
    summary,
    variables,
)

SETTINGS = {"config_dir": "/etc/langgraph", "network": "langgraph", "start_timeout": 300}
DEPLOYMENT: dict[str, t.Any] = {
    "name": "bot",
    "image": "bot:1",
    "port": 8123,
    "bind_address": "127.0.0.1",
    "environment": "A=1\nB=2\n",
    "drain_seconds": 180,
    "memory": None,
    "cpus": None,
    "user": None,
    "read_only": False,
}


def wanted(**changes: t.Any) -> Wanted:
    deployment = {**DEPLOYMENT, **changes}
    content = container_file(deployment, changes.get("image_id", "sha256:one"), SETTINGS)
    return Wanted(deployment["name"], content, deployment["environment"])


def on_host(**changes: t.Any) -> Found:
    item = wanted(**changes)
    return Found(item.name, item.container, item.environment, "active", True)


RUNNING = on_host()
PLANS: dict[str, tuple[Wanted, Found | None, Step]] = {
    "new": (wanted(), None, Step("bot", "create", ("new",), True, True)),
    "nothing to do": (wanted(), RUNNING, Step("bot", "keep")),
    "not enabled": (wanted(), replace(RUNNING, enabled=False), Step("bot", "keep", (), False, True)),
    "starting already": (wanted(), replace(RUNNING, active="activating"), Step("bot", "wait")),
    "stopped by hand": (
        wanted(),
        replace(RUNNING, active="inactive"),
        Step("bot", "start", ("unit is inactive",), False, False),
    ),
    "failed": (wanted(), replace(RUNNING, active="failed"), Step("bot", "start", ("unit is failed",), False, False)),
    "variable": (wanted(environment="A=1\nB=3\n"), RUNNING, Step("bot", "restart", ("variable B",), True)),
    "variables come and go": (
        wanted(environment="A=1\nC=3\n"),
        RUNNING,
        Step("bot", "restart", ("variable B", "variable C"), True),
    ),
    "image": (
        wanted(image="bot:2", image_id="sha256:two"),
        RUNNING,
        Step("bot", "restart", ("image", "image_id"), True),
    ),
    "same name, other image": (wanted(image_id="sha256:two"), RUNNING, Step("bot", "restart", ("image_id",), True)),
    "port": (wanted(port=8124), RUNNING, Step("bot", "restart", ("ok_url", "port", "container options"), True)),
    "memory": (wanted(memory="1g"), RUNNING, Step("bot", "restart", ("container options",), True)),
    "changed while it was down": (
        wanted(memory="1g"),
        replace(RUNNING, active="failed"),
        Step("bot", "start", ("container options",), True),
    ),
    "drain needs no restart": (wanted(drain_seconds=60), RUNNING, Step("bot", "keep", ("drain_seconds",), True)),
    "container.json cut short": (
        wanted(),
        replace(RUNNING, container='{"arguments": ["--na'),
        Step("bot", "restart", ("drain_seconds", "image", "image_id", "ok_url", "port", "start_timeout"), True),
    ),
    "container.json is no mapping": (
        wanted(),
        replace(RUNNING, container="[]"),
        Step("bot", "restart", ("drain_seconds", "image", "image_id", "ok_url", "port", "start_timeout"), True),
    ),
    "environment cut short": (
        wanted(),
        replace(RUNNING, environment="A=1\nB="),
        Step("bot", "keep", ("variable B",), True),
    ),
    "environment gone": (
        wanted(),
        replace(RUNNING, environment=None),
        Step("bot", "keep", ("variable A", "variable B"), True),
    ),
    "environment in another order": (
        wanted(),
        replace(RUNNING, environment="B=2\nA=1\n"),
        Step("bot", "keep", ("environment file",), True),
    ),
    "folder deleted while it runs": (
        wanted(),
        Found("bot", active="active", enabled=True),
        Step("bot", "restart", ("new",), True),
    ),
    "to be gone": (Wanted("bot"), RUNNING, Step("bot", "remove")),
    "gone": (Wanted("bot"), None, Step("bot", "keep")),
    "half gone: still enabled": (Wanted("bot"), Found("bot", enabled=True), Step("bot", "remove")),
    "half gone: files": (Wanted("bot"), Found("bot", environment="A=1\n"), Step("bot", "remove")),
    "half gone: failed unit": (Wanted("bot"), Found("bot", active="failed"), Step("bot", "remove")),
}


@pytest.mark.parametrize(("item", "found", "expected"), PLANS.values(), ids=PLANS)
def test_plan(item: Wanted, found: Found | None, expected: Step) -> None:
    assert plan([item], {"bot": found} if found else {}) == [expected]


def test_only_keep_and_wait_change_nothing() -> None:
    unchanged = {name for name, (_item, _found, step) in PLANS.items() if not step.changed}
    assert unchanged == {"nothing to do", "starting already", "gone"}


def test_two_deployments_exchange_their_ports_and_a_third_is_kept() -> None:
    before = {name: on_host(name=name, port=port) for name, port in (("a", 1), ("b", 2), ("c", 3))}
    after = [wanted(name="a", port=2), wanted(name="b", port=1), wanted(name="c", port=3)]
    assert [step.action for step in plan(after, before)] == ["restart", "restart", "keep"]


def test_a_second_run_keeps() -> None:
    item = wanted(memory="1g", cpus=1.5, user="1000:1000", read_only=True)
    assert plan([item], {"bot": Found("bot", item.container, item.environment, "active", True)}) == [
        Step("bot", "keep")
    ]


def test_container_file() -> None:
    content = json.loads(
        wanted(memory="1g", cpus=0.5, user="7", read_only=True, bind_address="fd00::1").container or ""
    )
    arguments = " ".join(content["arguments"])
    assert "--publish [fd00::1]:8123:8000 --env-file /etc/langgraph/bot/environment" in arguments
    assert "--cap-drop ALL --security-opt no-new-privileges --memory 1g --memory-swap 1g --cpus 0.5" in arguments
    assert arguments.endswith("--user 7 --read-only --tmpfs /tmp sha256:one")
    assert content["ok_url"] == "http://[fd00::1]:8123/ok"


@pytest.mark.parametrize(("address", "url"), [("0.0.0.0", "http://127.0.0.1:8123/ok"), ("::", "http://[::1]:8123/ok")])
def test_the_host_asks_itself(address: str, url: str) -> None:
    assert json.loads(wanted(bind_address=address).container or "")["ok_url"] == url


def test_summary_and_image() -> None:
    assert summary(RUNNING.container) == {
        "image": "bot:1",
        "image_id": "sha256:one",
        "port": 8123,
        "drain_seconds": 180,
    }
    assert summary(None) == summary("{") == {"image": None, "image_id": None, "port": None, "drain_seconds": None}
    assert image_id(RUNNING.container) == "sha256:one"


def test_only_a_newline_ends_a_variable() -> None:
    assert variables("A=x\x0cB=y\u2028z\x85\nC=\n\nno variable\n") == {"A": "x\x0cB=y\u2028z\x85", "C": ""}


def test_masked_diff_marks_what_changes() -> None:
    before = masked(RUNNING.container, "A=1\nB=2\n", "A=1\nB=3\nC=4\n", "before")
    assert before.splitlines()[-2:] == ["A=********", "B=******** (before)"]
    assert '"image": "bot:1"' in before
    assert masked(None, None, "A=1\n", "before") == ""


SECRETS = st.text("0123456789", min_size=12, max_size=40)
ENVIRONMENTS = st.dictionaries(st.from_regex(r"[A-Z]{1,6}", fullmatch=True), SECRETS, max_size=4)
ENDS = st.sampled_from(["", "\x0b", "\u2028", "\x85", "\r"])


@given(ENVIRONMENTS, ENVIRONMENTS, ENDS, SECRETS)
def test_no_value_is_shown(old: dict[str, str], new: dict[str, str], end: str, tail: str) -> None:
    before = "".join(f"{name}={value}{end}{tail}\n" for name, value in old.items()) + tail
    after = "".join(f"{name}={value}\n" for name, value in new.items())
    found, item = replace(RUNNING, environment=before), wanted(environment=after)
    shown = masked(found.container, before, after, "before") + masked(item.container, after, before, "after")
    shown += " ".join((*differences(item, found), *plan([item], {"bot": found})[0].reasons))
    assert not [value for value in (*old.values(), *new.values(), tail) if value in shown]
