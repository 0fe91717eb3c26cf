# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook site with tags and with -e deployment, and the playbooks for daily work. On hosts with fake modules."""

from __future__ import annotations

import json
import os
import re
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.selfhost.langgraph.tests.unit.roles.fake_fleet import HOST, ROOT, Fleet

pytestmark = pytest.mark.skipif(not (ROOT / "build/collections").exists(), reason="ansible-test has no build/")

PLAYS = yaml.safe_load((ROOT / "playbooks/site.yml").read_text())
CHECKS = {"Check the inventory", "Check Redis", "Check Postgres", "Check all deployments"}
TAGS = ("docker", "redis", "postgres", "proxy", "deployments")
SITE = "selfhost.langgraph.site"
BOT = {"name": "bot", "image": "r.example.com/bot:1", "port": 8123, "edition": "none", "langsmith_tracing": False}
OTHER = {**BOT, "name": "other", "image": "r.example.com/other:1", "port": 8124}
VARIABLES = {"langgraph_secret_key": "planted" * 9, "langgraph_deployments": [BOT, OTHER], "langgraph_proxy": "none"}
# Without the role postgres, which would continue to configure the cluster of this machine.
DEPLOY = ("--check", "--tags", "deployments", "--skip-tags", "postgres")


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    """Return two hosts on which everything is installed, and both deployments are claimed."""
    found = Fleet(tmp_path, ["one", "two"])
    entry = {"size": 1, "architectures": ["amd64"]}
    images = {item["image"]: {**entry, "digest": f"{item['image'][:-2]}@sha256:{'a' * 64}"} for item in (BOT, OTHER)}
    names = [item["name"] for item in (BOT, OTHER)]
    found.answers |= {
        "redis_instance_info": {"refusal": "", "configured": True, "silent": "", "prepared": True},
        "postgres_cluster_info": {"problems": [], "ours": {"version": 17, "max_connections": 800}},
        "docker_engine_info": {"found": True, "running": True, "installed_for_deployments": True},
        "registry_image_info": {"images": images},
        "postgres_database_info": {"claims": [], "foreign": [], "unavailable": None},
        "redis_database": {
            "databases": {name: {"redis_db": number, "retiring": None} for number, name in enumerate(names, 1)},
            "server": "s",
            "address": "one:6379",
        },
        "postgres_database": {
            "databases": {name: {"database": name, "role": name, "login": name, "retiring": None} for name in names}
        },
        "deployment_rollout": {"deployments": [], "carried": {"deployments": {}}},
        "health": {"health": {}},
    }
    return found


def run(fleet: Fleet, *arguments: str, playbook: str = SITE, **variables: t.Any) -> tuple[int, str]:
    """Run a playbook; return its exit code and its output on one line."""
    done = fleet.run(playbook, "-e", json.dumps({**VARIABLES, **variables}), *arguments)
    return done.returncode, " ".join(done.stdout.split())


def asked_for(fleet: Fleet, module: str, option: str) -> list[list[str]]:
    """Return the names of the deployments in each call of a module."""
    return [[item["name"] for item in call[option]] for call in fleet.asked(module)]


def tags(play: dict[str, t.Any]) -> set[str]:
    """Return the tags of a play, of its roles and of its tasks."""
    parts = [play, *play.get("roles", ()), *play.get("tasks", ())]
    return {tag for part in parts for tag in part.get("tags", ())}


def test_every_play_has_a_tag_and_checks_always_run() -> None:
    by_name = {play["name"]: tags(play) for play in PLAYS}
    assert {name for name, found in by_name.items() if not found} == set()
    assert {name for name, found in by_name.items() if "always" in found} >= CHECKS
    assert set().union(*by_name.values()) >= set(TAGS)


def test_plays_with_facts_have_no_tag_themselves() -> None:
    """Ansible validates the options of every role, whatever the tags are, and some defaults need facts."""
    assert [play["name"] for play in PLAYS if play["gather_facts"] and "tags" in play] == []


@pytest.mark.parametrize("tag", ["docker", "redis", "proxy"])
def test_a_tag_works_alone(fleet: Fleet, tag: str) -> None:
    """The first run on a bare host, as a dry run: the role is reached and ends, and no other role runs."""
    fleet.answers |= {
        "redis_instance_info": {"refusal": "", "configured": False},
        "postgres_cluster_info": {"problems": [], "ours": None},
        "docker_engine_info": {"found": False, "running": False, "missing_commands": []},
        "packages_info": {
            "missing": [],
            "hold": [],
            "held": [],
            "files": {"/etc/needrestart/conf.d/langgraph.conf": None},
        },
    }
    code, output = run(fleet, "--check", "--tags", tag, "--skip-tags", "firewall,data_proxy", langgraph_proxy="haproxy")
    assert code == 0, output
    roles = set(re.findall(r"TASK \[selfhost\.langgraph\.(\w+) : (?!Validating)", output))
    assert tag in roles
    assert not roles & ({*TAGS, "image"} - {tag, "docker", "redis", "postgres", "proxy"})
    assert fleet.asked("deployment_rollout") == []


def test_deployments_alone(fleet: Fleet) -> None:
    code, output = run(fleet, *DEPLOY)
    assert code == 0, output
    assert asked_for(fleet, "deployment_rollout", "deployments") == [["bot", "other"]] * 2
    assert "is undefined" not in output


def test_deployments_alone_on_a_bare_host_are_refused(fleet: Fleet) -> None:
    fleet.answers["redis_instance_info"] = {"refusal": "", "configured": False}
    code, output = run(fleet, *DEPLOY)
    assert code != 0
    assert "one has no Redis yet, and the chosen tags install none" in output
    assert fleet.asked("deployment_rollout") == []


def test_one_deployment(fleet: Fleet) -> None:
    """Only its image is resolved, and only it is claimed and rolled out. All of the list are checked."""
    code, output = run(fleet, *DEPLOY, deployment="other")
    assert code == 0, output
    assert [[item["image"] for item in call["images"]] for call in fleet.asked("registry_image_info")] == [
        [OTHER["image"]]
    ]
    assert asked_for(fleet, "redis_database", "databases") == [["other"]] * 2
    assert asked_for(fleet, "postgres_database", "databases") == [["other"]] * 2
    assert asked_for(fleet, "deployment_rollout", "deployments") == [["other"]] * 2


def test_deployments_of_another_inventory_change_nothing(fleet: Fleet) -> None:
    """The roles of Docker, Redis and Postgres do not run either: their settings would be those of the wrong inventory."""
    line = "deployment 'bot', option 'name': its claim belongs to another inventory: its owner is them, ours is us; x"
    fleet.answers["postgres_database_info"] = {"claims": [], "foreign": [line], "unavailable": None}
    code, output = run(fleet)
    assert code != 0
    assert line in output
    (call, *_others) = fleet.asked("postgres_database_info")
    assert call["names"] == ["bot", "other"]
    assert call["owner"]
    assert call["fail_if_unavailable"] is False
    assert "Install the Docker engine" not in output


def test_a_postgres_that_is_unavailable_is_asked_again_for_the_claims(fleet: Fleet) -> None:
    fleet.answers["postgres_database_info"] = {"unavailable": "cannot use Postgres: no such socket"}
    run(fleet, *DEPLOY)
    assert [call.get("fail_if_unavailable") for call in fleet.asked("postgres_database_info")] == [False] * 2 + [
        None
    ] * 2


def test_several_deployments(fleet: Fleet) -> None:
    code, output = run(fleet, *DEPLOY, deployment="other, bot")
    assert code == 0, output
    assert asked_for(fleet, "deployment_rollout", "deployments") == [["bot", "other"]] * 2


def test_ports_of_the_others_count(fleet: Fleet) -> None:
    listed = [BOT, {**OTHER, "port": BOT["port"]}]
    code, output = run(fleet, *DEPLOY, deployment="bot", langgraph_deployments=listed)
    assert code != 0
    assert "deployment 'other', option 'port': port 8123 is also used by 'bot'" in output


def test_a_name_that_no_list_has(fleet: Fleet) -> None:
    code, output = run(fleet, *DEPLOY, deployment="bott,bot")
    assert code != 0
    assert "langgraph_deployments of no host has 'bott'; -e deployment takes the names of the list" in output
    assert fleet.asked("redis_database") == []


def test_an_inventory_without_the_group_is_refused(fleet: Fleet) -> None:
    fleet.groups = {"langgraph_hosts": "langraph_hosts"}
    code, output = run(fleet)
    assert code != 0
    assert (
        "the inventory has no host in the group langgraph_hosts; its groups are langgraph_postgres, langgraph_redis,"
        " langraph_hosts; name the inventory with -i" in output
    )


def test_a_healthy_run_prints_no_warning(fleet: Fleet) -> None:
    """Not for the group langgraph_registry either, which the inventory does not have."""
    done = fleet.run(SITE, "-e", json.dumps(VARIABLES), *DEPLOY)
    assert done.returncode == 0, done.stdout
    warnings = [line for line in done.stdout.splitlines() if "WARNING" in line]
    # The fake modules accept any option, and have no no_log.
    assert [line for line in warnings if "Module did not set no_log" not in line] == []


def described(name: str) -> dict[str, t.Any]:
    """Return a deployment as deployment_info reports it."""
    revision = {
        "number": 1,
        "state": "serving",
        "sessions": 0,
        "port": 8000,
        "at": None,
        "created": "then",
        "image": "bot:1",
        "created_by": "ann",
        "drain": None,
        "cause": None,
        "reasons": ["variable A", "variable B"],
    }
    address = {"proxy": "haproxy", "port": 8123, "bind_address": "127.0.0.1", "hostname": None, "prefix": None}
    health = {"name": name, "url": "http://127.0.0.1:8123", "host": None}
    return {
        "name": name,
        "serving": 1,
        "last": 1,
        "stopped": False,
        "since": "now",
        "tls": False,
        **address,
        "health": health,
        "revisions": [revision],
    }


@pytest.fixture
def status(fleet: Fleet) -> Fleet:
    """Return hosts with two deployments."""
    fleet.answers["deployment_info"] = {**HOST, "deployments": [described("bot"), described("other")]}
    fleet.answers["health"] = {"health": {"bot": {"ok": True}, "other": {"ok": True}}}
    return fleet


STATUS = "selfhost.langgraph.status"
LINE = re.compile(r"^ *\"?other +1 +serving +0 +now +healthy +bot:1 +ann +variable A, variable B\"?,?$", re.MULTILINE)


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_status_of_one_deployment(status: Fleet, form: str) -> None:
    """No callback folds the lines of the table."""
    done = status.run(STATUS, "-e", "deployment=other", ANSIBLE_CALLBACK_RESULT_FORMAT=form)
    assert done.returncode == 0, done.stdout
    assert len(LINE.findall(done.stdout)) == 2, done.stdout
    assert not re.search(r"^ *\"?bot ", done.stdout, re.MULTILINE)
    assert asked_for(status, "health", "deployments") == [["other"]] * 2


def test_status_of_an_unknown_deployment(status: Fleet) -> None:
    code, output = run(status, playbook=STATUS, deployment="othr")
    assert code != 0
    assert "no host has a deployment 'othr'; ansible-playbook selfhost.langgraph.status lists the deployments" in output


def test_status_as_a_file(status: Fleet) -> None:
    """The file contains only JSON, of all hosts, in the directory in which the command runs."""
    done = status.run(STATUS, "-e", "deployment=bot", "-e", "to=status.json", PWD=str(status.directory))
    assert done.returncode == 0, done.stdout
    written = json.loads((status.directory / "status.json").read_text())
    assert list(written) == ["one", "two"]
    assert [item["name"] for item in written["one"]["deployments"]] == ["bot"]
    assert written["two"]["health"]["bot"] == {"ok": True}
    assert "serving" not in done.stdout


def fake_programs(fleet: Fleet) -> str:
    """Install programs that print how they were called; return a PATH with them."""
    directory = fleet.directory / "bin"
    directory.mkdir()
    for name in ("journalctl", "docker"):
        (directory / name).write_text(f'#!/bin/sh\necho "{name} called with: $*"\n')
        (directory / name).chmod(0o755)
    return f"{directory}:{os.environ['PATH']}"


LOGS = "selfhost.langgraph.logs"
LOG_COMMANDS: dict[str, tuple[dict[str, str], str]] = {
    "everything": ({}, "--lines=100 --unit=langgraph@bot.* --unit=langgraph-drain@bot.*"),
    "of one revision": (
        {"revision": "3", "since": "-1h", "lines": "7"},
        "--lines=7 --since=-1h --unit=langgraph@bot.3 --unit=langgraph-drain@bot.3",
    ),
}


@pytest.mark.parametrize(("variables", "options"), LOG_COMMANDS.values(), ids=LOG_COMMANDS)
def test_the_log_of_a_deployment(status: Fleet, variables: dict[str, str], options: str) -> None:
    more = json.dumps({"deployment": "bot", **variables})
    done = status.run(LOGS, "-e", more, PATH=fake_programs(status))
    assert done.returncode == 0, done.stdout
    assert f"journalctl called with: --no-pager --output=short-iso {options}" in done.stdout


def test_following_a_log_is_a_command_for_the_user(status: Fleet) -> None:
    more = json.dumps({"deployment": "bot", "follow": True, "ansible_become": False})
    done = status.run(LOGS, "-e", more, PATH=fake_programs(status))
    assert done.returncode == 0, done.stdout
    assert "journalctl --no-pager --output=short-iso --lines=100 --follow '--unit=langgraph@bot.*'" in done.stdout
    assert "called with" not in done.stdout


def test_a_command_in_a_container(status: Fleet) -> None:
    more = json.dumps({"deployment": "bot", "command": "python -c 'print(1)'"})
    done = status.run("selfhost.langgraph.exec", "-e", more, PATH=fake_programs(status))
    assert done.returncode == 0, done.stdout
    assert "docker called with: exec langgraph-bot.1 python -c print(1)" in done.stdout


@pytest.mark.parametrize("playbook", ["logs", "exec", "restart", "rollback", "remove"])
def test_a_missing_name_is_one_line(status: Fleet, playbook: str) -> None:
    done = status.run(f"selfhost.langgraph.{playbook}", "-e", "command=true")
    assert done.returncode != 0
    failed = [line for line in done.stdout.splitlines() if line.startswith("fatal: ")]
    assert len(failed) == 1, done.stdout
    assert "no deployment is named; set -e deployment=NAME" in failed[0]
    assert "is undefined" not in done.stdout
