# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways to run plays: in batches, out of step, from a task in the middle. On hosts with fake modules."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.selfhost.langgraph.tests.unit.roles.fake_fleet import ROOT, Fleet

pytestmark = pytest.mark.skipif(not (ROOT / "build/collections").exists(), reason="ansible-test has no build/")

PULLED, BUILT = "r.example.com/bot:1", "made:1"
DIGEST = f"r.example.com/bot@sha256:{'a' * 64}"
BOT = {"name": "bot", "image": PULLED, "port": 8123, "edition": "none", "langsmith_tracing": False}
MADE = {**BOT, "name": "made", "image": BUILT, "port": 8124}
HOLD: dict[str, t.Any] = {
    "hosts": "langgraph_hosts",
    "vars": {"langgraph_secret_key": "planted" * 9, "langgraph_deployments": [BOT]},
    "roles": [{"role": "selfhost.langgraph.langgraph"}],
}
# The tasks before a host's files are written, which no test may do on this machine.
BRING = [
    {"import_role": {"name": "selfhost.langgraph.langgraph", "tasks_from": "check.yml"}},
    {"import_role": {"name": "selfhost.langgraph.langgraph", "tasks_from": "build.yml"}},
    {
        "import_role": {"name": "selfhost.langgraph.image"},
        "vars": {"image_needs": "{{ __langgraph_checked.images }}"},
    },
]


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    """Return two hosts, one of them with the data; the registry has the image, and all deployments are claimed."""
    found = Fleet(tmp_path, ["one", "two"])
    entry = {"digest": DIGEST, "size": 1, "architectures": ["amd64"]}
    found.answers |= {
        "registry_image_info": {"images": {PULLED: entry}},
        "postgres_database_info": {"claims": []},
        "redis_database": {
            "databases": {"bot": {"redis_db": 1, "retiring": None}},
            "server": "s",
            "address": "one:6379",
        },
        "postgres_database": {
            "databases": {"bot": {"database": "bot", "role": "bot", "login": "bot", "retiring": None}}
        },
        "deployment_rollout": {
            "deployments": [{"name": "bot", "action": "keep", "changed": False, "revision": 1}],
            "carried": {"deployments": {}},
        },
    }
    return found


def recap(output: str) -> dict[str, int]:
    """Return host -> number of failed tasks."""
    lines = output.rpartition("PLAY RECAP")[2].splitlines()
    return {line.split()[0]: int(line.partition("failed=")[2].split()[0]) for line in lines if "failed=" in line}


def test_a_whole_play_one_host_at_a_time(fleet: Fleet) -> None:
    done = fleet.play([{**HOLD, "serial": 1}], "--check")
    assert recap(done.stdout) == {"one": 0, "two": 0}, done.stdout
    rollouts = fleet.asked("deployment_rollout")
    assert [call["image_ids"] for call in rollouts] == [{PULLED: DIGEST}] * 2


def test_each_module_receives_its_part_of_a_checked_deployment(fleet: Fleet) -> None:
    """From the list to the options of the last module: claims, credentials, health."""
    done = fleet.play([HOLD], "--check", "--limit", "two")
    assert recap(done.stdout) == {"two": 0}, done.stdout
    (redis,), (postgres,) = fleet.asked("redis_database"), fleet.asked("postgres_database")
    assert [entry["name"] for entry in redis["databases"]] == ["bot"]
    (entry,) = postgres["databases"]
    assert (entry["redis_db"], entry["redis_server"], entry["redis_address"]) == (1, "s", "one:6379")
    (rollout,) = fleet.asked("deployment_rollout")
    (sent,) = rollout["deployments"]
    uris = json.loads(sent["credentials"])
    assert uris["REDIS_URI"].startswith(f"redis://bot:{redis['databases'][0]['password']}@")
    assert uris["REDIS_URI"].endswith(":6379/1")
    assert uris["DATABASE_URI"].startswith(f"postgres://bot:{entry['password']}@")
    assert json.loads(sent["environment"])["REDIS_KEY_PREFIX"] == "bot:"
    # Passwords and the claims stay on the control node.
    assert not {"redis", "postgres"} & rollout.keys()
    assert not {"redis_password", "postgres_password"} & sent.keys()


def test_batches_run_one_image(fleet: Fleet) -> None:
    """The first batch resolves the tag in the registry; a new image with that tag is for the next play."""
    done = fleet.play([{**HOLD, "roles": [], "tasks": BRING, "serial": 1}])
    assert recap(done.stdout) == {"one": 0, "two": 0}, done.stdout
    assert len(fleet.asked("registry_image_info")) == 1
    assert [call["name"] for call in fleet.asked("docker_image_pull")] == [DIGEST, DIGEST]


def test_an_image_built_by_one_batch_is_not_built_again(fleet: Fleet) -> None:
    (fleet.directory / "app").mkdir()
    (fleet.directory / "app/langgraph.json").write_text('{"graphs": {"agent": "./agent.py:graph"}}')
    made = {"image_id": f"sha256:{'b' * 64}", "action": "build", "digests": [], "architecture": "amd64", "content": "c"}
    fleet.answers["image_build"] = {"images": {BUILT: made}}
    variables = {
        **HOLD["vars"],
        "langgraph_deployments": [MADE],
        "image_builds": [{"image": BUILT, "directory": str(fleet.directory / "app")}],
    }
    play = {**HOLD, "vars": variables, "roles": [], "tasks": BRING, "serial": 1}
    done = fleet.play([play], "--check", DOCKER_HOST="unix:///nowhere")
    assert recap(done.stdout) == {"one": 0, "two": 0}, done.stdout
    assert len(fleet.asked("image_build")) == 1


def test_a_limit_and_a_tag_on_the_role(fleet: Fleet) -> None:
    """Other hosts are not needed. Dynamically included tasks have the tag too, and so has the check."""
    role = {"role": "selfhost.langgraph.langgraph", "tags": "bots"}
    other = {"debug": {"msg": "not asked for"}}
    done = fleet.play([{**HOLD, "roles": [role], "post_tasks": [other]}], "--check", "--tags", "bots", "--limit", "two")
    assert recap(done.stdout) == {"two": 0}, done.stdout
    assert "not asked for" not in done.stdout
    assert len(fleet.asked("deployment_rollout")) == 1
    assert "TASK [selfhost.langgraph.langgraph : Create the directory of the helpers]" in done.stdout


def test_hosts_out_of_step_are_refused_first(fleet: Fleet) -> None:
    strategy = "ansible.builtin.host_pinned"
    done = fleet.play([{**HOLD, "strategy": strategy}])
    assert recap(done.stdout) == {"one": 1, "two": 1}, done.stdout
    assert f"the play has the strategy '{strategy}', in which hosts do not wait for each other" in done.stdout
    assert (fleet.directory / "asked").read_text() == ""


@pytest.mark.parametrize("playbook", ["remove", "rollback", "rotate", "site", "status"])
def test_playbooks_run_in_step_whatever_is_configured(playbook: str) -> None:
    plays = yaml.safe_load((ROOT / f"playbooks/{playbook}.yml").read_text())
    assert {play["strategy"] for play in plays} == {"linear"}


def test_playbooks_gather_facts_whatever_is_configured() -> None:
    """With `gathering = explicit` a play that does not set it gathers no facts, and some roles read the release."""
    plays = [play for path in (ROOT / "playbooks").glob("*.yml") for play in yaml.safe_load(path.read_text())]
    assert {type(play.get("gather_facts")) for play in plays} == {bool}
    gathers = {play["name"] for play in plays if play["gather_facts"]}
    assert gathers == {play["name"] for play in plays if "gather_subset" in play}
    read = (
        path
        for path in (ROOT / "roles").rglob("*")
        if path.suffix in (".yml", ".j2") and "ansible_facts" in path.read_text()
    )
    readers = {f"selfhost.langgraph.{path.relative_to(ROOT / 'roles').parts[0]}" for path in read}
    whole = {play["name"]: {role["role"] for role in play.get("roles", ())} for play in plays}
    assert readers
    # The name of a registry may be a fact, and its host may be in no other play.
    readers.add("selfhost.langgraph.registry")
    assert gathers == {name for name, roles in whole.items() if roles & readers}


@pytest.mark.parametrize(
    "task",
    [
        "Publish the images that this host needs",
        "Claim a Redis database for each deployment",
        "Roll out new and changed deployments",
    ],
)
def test_a_play_that_starts_after_the_check_is_refused(fleet: Fleet, task: str) -> None:
    done = fleet.play([HOLD], "--start-at-task", task)
    assert set(recap(done.stdout).values()) == {1}, done.stdout
    (line,) = {line.partition("=> ")[2] for line in done.stdout.splitlines() if line.startswith("fatal: ")}
    assert "no check of the deployments has run in this play" in line
    assert "omit --start-at-task" in line
    assert fleet.asked("redis_database") + fleet.asked("deployment_rollout") == []
