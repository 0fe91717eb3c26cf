# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check mode reports exactly what the real run does to each deployment, according to containers and records."""

from __future__ import annotations

import json
import re
import typing as t

import pytest

from playbooks import late

pytestmark = pytest.mark.release("trixie")

NAME = "probed"
Item = dict[str, t.Any]
# Changes of the list, one after the other; each affects the last deployment.
CHANGES: list[tuple[str, t.Callable[[list[Item]], list[Item]], dict[str, t.Any]]] = []


def change(title: str, **variables: t.Any) -> t.Callable[..., t.Any]:
    """Add a change of the list, with variables of the role."""

    def add(function: t.Callable[[list[Item]], list[Item]]) -> t.Callable[[list[Item]], list[Item]]:
        CHANGES.append((title, function, variables))
        return function

    return add


def options(title: str, **changed: t.Any) -> None:
    """Add a change of the last deployment's options; None removes an option."""
    new = {key: value for key, value in changed.items() if value is not None}
    change(title)(
        lambda items: [
            *items[:-1],
            {key: v for key, v in {**items[-1], **new}.items() if key not in changed or key in new},
        ]
    )


change("added")(lambda items: [*items, {**items[0], "name": NAME, "port": 8126, "env": {"A": "1", "B": "2"}}])
options("one variable", env={"A": "1", "B": "3"})
options("a variable more", env={"A": "1", "B": "3", "C": "4"})
options("a variable less", env={"A": "1", "B": "3"})
options("image", image="demo-agent:other")
options("memory", memory="700m")
options("cpus", cpus=1.5)
options("read-only", read_only=True)
options("port", port=8127)
options("address", bind_address="127.0.0.2")
options("port and a variable", port=8128, env={"A": "1", "B": "4"})
options("host name", hostname="probed.example.com")
options("no host name", hostname=None)
options("mount prefix", mount_prefix="/probed")
options("option of the server", log_level="WARNING")
options("grace of runs", bg_job_shutdown_grace_period_secs=60)
options("pool", langgraph_postgres_pool_max_size=10)
options("new passwords", password_generation=2, postgres_password=None)
change("the same in other words")(
    lambda items: [
        *reversed(items[:-1]),
        {**items[-1], "memory": "700M", "image": "demo-agent:alias", "edition": "lite", "env": {"B": "4", "A": "1"}},
    ]
)
change("limits of the rollout", langgraph_drain_limit=30, langgraph_healthy_deadline=200)(lambda items: items)
change("two at once")(lambda items: [{**items[0], "env": {"X": "1"}}, *items[1:-1], {**items[-1], "memory": "800m"}])
change("renamed")(lambda items: [*items[:-1], {**items[-1], "state": "stopped"}, {**items[-1], "name": f"{NAME}-too"}])
change("stopped")(lambda items: [*items[:-2], {**items[-1], "state": "stopped"}])
change("stopped already")(lambda items: items)


def reported(done: t.Any) -> tuple[int, dict[str, str]]:
    """Return the number of changed tasks, and the action for each deployment, from the output of a run with -v."""
    assert done.returncode == 0, done.stdout + done.stderr
    results = re.findall(r"^(?:ok|changed): \[[^\]]+\] => (\{.+\})$", done.stdout, re.MULTILINE)
    found = [result for result in map(json.loads, results) if "action" in str(result.get("deployments", ""))]
    changed = int(re.search(r"changed=(\d+)", done.stdout)[1])
    return changed, {item["name"]: item["action"] for item in found[0]["deployments"]}


def seen(test_host: t.Any) -> dict[str, t.Any]:
    """Return the serving container and the public address of each deployment that is not stopped."""
    names = test_host.host.check_output("ls /etc/langgraph").split()
    keys = ("bind_address", "port", "hostname", "prefix", "tls")
    settings = {name: test_host.settings(name) for name in names}
    return {
        name: (test_host.container(name)["id"], *map(found.get, keys))
        for name, found in settings.items()
        if not found.get("stopped")
    }


def actual(before: dict[str, t.Any], after: dict[str, t.Any]) -> dict[str, str]:
    """Return the actions of a run, from the states before and after it."""
    done = {}
    for name in before.keys() | after.keys():
        if name not in before or name not in after:
            done[name] = "create" if name in after else "stop"
        elif before[name][0] != after[name][0]:
            done[name] = "roll"
        elif before[name] != after[name]:
            done[name] = "route"
    return done


def test_check_mode_reports_what_happens(test_host, play, group_vars, monkeypatch):
    assert len(CHANGES) >= 20
    test_host.build("demo-agent:other", "FROM demo-agent:1\nLABEL release=other\n")
    test_host.host.check_output("docker tag demo-agent:other demo-agent:alias")
    monkeypatch.setenv("ANSIBLE_CALLBACK_RESULT_FORMAT", "json")
    items = group_vars["langgraph_deployments"]
    variables: dict[str, t.Any] = {}
    wrong = []
    for number, (title, function, more) in enumerate(CHANGES):
        if late():
            assert wrong == []
            pytest.skip(f"left out, the gate is late, after {number} of {len(CHANGES)} changes")
        items, variables = function(items), {**variables, **more}
        # Check mode cannot predict the duration, and old passwords are revoked after it.
        test_host.drained(NAME)
        before = seen(test_host)
        predicted = reported(play(items, "-v", "--check", **variables))
        done = reported(play(items, "-v", **variables))
        happened = actual(before, seen(test_host))
        expected = {name: action for name, action in predicted[1].items() if action not in ("keep",)}
        print(f"{title:<40} {predicted[0]} tasks, {expected}")
        if predicted != done or happened != expected:
            wrong.append(f"{title}: predicted {predicted}, said {done}, happened {happened}")
    assert wrong == []
