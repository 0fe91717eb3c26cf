# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook remove: it changes nothing without a confirmation, includes all hosts, and can be completed after a kill."""

from __future__ import annotations

import pytest
import yaml
from killing import killed_at

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.failpoints import REMOVAL_STAGES
from playbooks import run_playbook

NAME, PORT = "support-bot", 8123
THIRD = "a-third-one"


@pytest.fixture
def third(world, grown):
    """Deploy a third deployment, with a key of its own in Redis."""
    done = world.play(langgraph_deployments=grown)
    assert done.returncode == 0, done.stdout
    world.redis("-n", str(world.numbers()[THIRD]), "SET", f"{THIRD}:left-behind", "1")
    yield
    world.remove(THIRD, confirm=THIRD)


def gone(world, number):
    """Check that nothing of the third deployment is left."""
    assert THIRD not in world.numbers()
    assert f"user {THIRD} " not in world.redis("ACL", "LIST")
    assert world.redis("-n", str(number), "DBSIZE") == "0"
    assert world.sql("postgres", "SELECT count(*) FROM pg_database WHERE datname LIKE 'a_third_one%'") == "0"
    assert world.sql("postgres", "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'a_third_one%'") == "0"
    assert not world.host.file(f"/etc/langgraph/{THIRD}").exists
    assert not [name for name in world.containers() if THIRD in name]
    enabled = world.host.run(f"systemctl list-unit-files --state=enabled 'langgraph@{THIRD}*'").stdout
    assert enabled.count(".service") == 0


def line(done):
    """Return the whole output of a run as one line."""
    return " ".join((done.stdout + done.stderr).split())


@pytest.mark.essential("trixie")
@pytest.mark.usefixtures("untouched")
def test_nothing_changes_before_it_is_confirmed(world, tmp_path):
    with world.load(tmp_path, PORT, "--rate", "20", "--streams", "2", "--runs", "0") as load:
        preview = world.remove(NAME)
    assert preview.returncode == 0, preview.stdout
    assert "changed=0 " in preview.stdout
    text = line(preview)
    assert f"Nothing was changed. To remove the deployment '{NAME}' would lose about " in text
    assert " MB of the Postgres database 'support_bot', " in text
    assert f" keys of Redis number {world.numbers()[NAME]} and revision" in text
    assert f"It serves on {world.name}. " in text
    assert f"-e deployment={NAME} -e confirm={NAME}" in text
    assert "[WARNING]" not in text
    assert (load.failed, load.report["streams"]["cut"]) == (0, 0), load.errors


@pytest.mark.usefixtures("untouched")
def test_what_is_not_named_or_not_known_is_refused(world):
    wrong = world.remove(NAME, confirm="research-agent")
    unknown = world.remove("suport-bot")
    confirmed = world.remove("suport-bot", confirm="suport-bot")
    unnamed = world.remove("")
    rolled = world.rollback("")
    assert [done.returncode != 0 for done in (wrong, unknown, confirmed, unnamed, rolled)] == [True] * 5
    assert (
        f"deployment '{NAME}', option 'confirm': it says 'research-agent', which is not the deployment's name;"
        in line(wrong)
    )
    for done in (unknown, confirmed):
        assert (
            "deployment 'suport-bot', option 'deployment': no host has it, and neither Redis nor Postgres has"
            in line(done)
        )
    for done in (unnamed, rolled):
        assert "no deployment is named; say which: -e deployment=NAME" in line(done)


@pytest.fixture
def two_hosts(world, group_vars, tmp_path):
    """Use an inventory of this host and of one that is off, which uses the services of this host."""
    hosts = {world.name: {}, "off": {"ansible_host": "selfhost-langgraph-that-is-off"}}
    servers = {"langgraph_redis_server": world.name, "langgraph_postgres_server": world.name}
    connection = {"ansible_connection": "community.docker.docker", "ansible_python_interpreter": "/usr/bin/python3"}
    inventory = {
        "all": {"children": {"langgraph_hosts": {"hosts": hosts}}, "vars": {**group_vars, **servers, **connection}}
    }
    file = tmp_path / "hosts.yml"
    file.write_text(yaml.safe_dump(inventory))

    def remove(*arguments, **variables):
        variables = {"deployment": NAME, "confirm": NAME, **variables}
        return run_playbook(file, "selfhost.langgraph.remove", arguments, variables)

    return remove


@pytest.mark.essential("trixie")
@pytest.mark.usefixtures("untouched")
def test_a_host_that_does_not_take_part_may_still_serve(world, two_hosts):
    for done in (two_hosts("--limit", world.name), two_hosts()):
        assert done.returncode != 0, done.stdout
        assert (
            f"deployment '{NAME}', option 'confirm': it may serve on off of the group langgraph_hosts, which did not take part in"
            " this run; run it on all of them at once, without --limit," in line(done)
        )
    preview = two_hosts("--limit", world.name, confirm="")
    assert preview.returncode == 0, preview.stdout
    assert "off did not take part in this run, and has to" in line(preview)


@pytest.mark.usefixtures("third")
def test_keys_of_others_are_not_its_own(world, state):
    number = str(world.numbers()[THIRD])
    world.redis("-n", number, "SET", "lg:of-before", "1")
    before = state()
    refused = world.remove(THIRD, confirm=THIRD)
    assert refused.returncode != 0, refused.stdout
    assert f"its Redis number {number} holds 1 keys that match none of its key patterns;" in line(refused)
    assert state() == before
    done = world.remove(THIRD, confirm=THIRD, key_patterns=["lg:*"])
    assert done.returncode == 0, done.stdout
    gone(world, number)


@pytest.mark.essential("trixie")
@pytest.mark.usefixtures("third")
def test_what_is_confirmed_is_destroyed_and_nothing_else(world):
    number, containers = world.numbers()[THIRD], world.containers()
    predicted = world.remove(THIRD, "--check", confirm=THIRD)
    assert predicted.returncode == 0, predicted.stdout
    assert "changed=3 " in predicted.stdout
    assert world.containers() == containers
    done = world.remove(THIRD, confirm=THIRD)
    assert done.returncode == 0, done.stdout
    assert "changed=3 " in done.stdout
    assert f"The deployment '{THIRD}' is gone, and with it about " in line(done)
    assert f"1 keys of Redis number {number} and revision" in line(done)
    gone(world, number)
    assert world.containers() == {name: found for name, found in containers.items() if THIRD not in name}
    assert world.remove(THIRD, confirm=THIRD).returncode != 0


@pytest.mark.release("trixie")
@pytest.mark.usefixtures("third")
def test_a_removal_that_is_killed_at_each_stage_is_finished(world):
    """Each run continues where the previous one was killed, up to the next stage. The name is known until the last stage."""
    number = world.numbers()[THIRD]
    others = {name: found for name, found in world.containers().items() if THIRD not in name}
    for stage in REMOVAL_STAGES:
        with killed_at(stage):
            killed = world.remove(THIRD, confirm=THIRD)
        assert killed.returncode != 0, f"{stage}: {killed.stdout}"
    preview = world.remove(THIRD)
    assert preview.returncode == 0, preview.stdout
    assert f"Nothing was changed. To remove the deployment '{THIRD}' would lose" in line(preview)
    done = world.remove(THIRD, confirm=THIRD)
    assert done.returncode == 0, done.stdout
    gone(world, number)
    assert world.containers() == others


@pytest.mark.release("bookworm")
@pytest.mark.usefixtures("third")
def test_a_deployment_comes_back_where_nothing_was_dropped_yet(world, grown):
    with killed_at("release_locked_out"):
        assert world.remove(THIRD, confirm=THIRD).returncode != 0
    done = world.play(langgraph_deployments=grown)
    assert done.returncode == 0, done.stdout
    assert world.client("healthy", "30", "http://127.0.0.1:8125") < 30
