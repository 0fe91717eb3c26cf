# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook remove: it changes nothing without a confirmation, includes all hosts, and can be completed after a kill."""

from __future__ import annotations

import pytest
import yaml
from killing import killed_at

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.failpoints import REMOVAL_FAILPOINTS
from playbooks import run_playbook

NAME, PORT = "support-bot", 8123
THIRD = "a-third-one"


@pytest.fixture
def third(test_host, grown):
    """Deploy a third deployment, with a key of its own in Redis."""
    done = test_host.play(langgraph_deployments=grown)
    assert done.returncode == 0, done.stdout
    test_host.redis("-n", str(test_host.numbers()[THIRD]), "SET", f"{THIRD}:left-behind", "1")
    yield
    test_host.remove(THIRD, confirm=THIRD)


def gone(test_host, number):
    """Check that nothing of the third deployment is left."""
    assert THIRD not in test_host.numbers()
    assert f"user {THIRD} " not in test_host.redis("ACL", "LIST")
    assert test_host.redis("-n", str(number), "DBSIZE") == "0"
    assert test_host.sql("postgres", "SELECT count(*) FROM pg_database WHERE datname LIKE 'a_third_one%'") == "0"
    assert test_host.sql("postgres", "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'a_third_one%'") == "0"
    assert not test_host.host.file(f"/etc/langgraph/{THIRD}").exists
    assert not [name for name in test_host.containers() if THIRD in name]
    enabled = test_host.host.run(f"systemctl list-unit-files --state=enabled 'langgraph@{THIRD}*'").stdout
    assert enabled.count(".service") == 0


def line(done):
    """Return the whole output of a run as one line."""
    return " ".join((done.stdout + done.stderr).split())


@pytest.mark.essential("trixie")
@pytest.mark.usefixtures("untouched")
def test_nothing_changes_before_it_is_confirmed(test_host, tmp_path):
    with test_host.load(tmp_path, PORT, "--rate", "20", "--streams", "2", "--runs", "0") as load:
        preview = test_host.remove(NAME)
    assert preview.returncode == 0, preview.stdout
    assert "changed=0 " in preview.stdout
    text = line(preview)
    assert f"Nothing was changed. Removing the deployment '{NAME}' would delete about " in text
    assert " MB of the Postgres database 'support_bot', " in text
    assert f" keys of Redis database {test_host.numbers()[NAME]} and revision" in text
    assert f"It serves on {test_host.name}. " in text
    assert f"-e deployment={NAME} -e confirm={NAME}" in text
    assert "[WARNING]" not in text
    assert (load.failed, load.report["streams"]["cut"]) == (0, 0), load.errors


@pytest.mark.usefixtures("untouched")
def test_what_is_not_named_or_not_known_is_refused(test_host):
    wrong = test_host.remove(NAME, confirm="research-agent")
    unknown = test_host.remove("suport-bot")
    confirmed = test_host.remove("suport-bot", confirm="suport-bot")
    unnamed = test_host.remove("")
    rolled = test_host.rollback("")
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
        assert "no deployment is named; set -e deployment=NAME" in line(done)


@pytest.fixture
def two_hosts(test_host, group_vars, tmp_path):
    """Use an inventory of this host and of one that is off, which uses the services of this host."""
    hosts = {test_host.name: {}, "off": {"ansible_host": "selfhost-langgraph-that-is-off"}}
    servers = {"langgraph_redis_server": test_host.name, "langgraph_postgres_server": test_host.name}
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
def test_a_host_that_does_not_take_part_may_still_serve(test_host, two_hosts):
    for done in (two_hosts("--limit", test_host.name), two_hosts()):
        assert done.returncode != 0, done.stdout
        assert (
            f"deployment '{NAME}', option 'confirm': it may run on off of the group langgraph_hosts, which did not take part in"
            " this run; run it on all of them at once, without --limit," in line(done)
        )
    preview = two_hosts("--limit", test_host.name, confirm="")
    assert preview.returncode == 0, preview.stdout
    assert "off did not take part in this run, but must" in line(preview)


@pytest.mark.usefixtures("third")
def test_keys_of_others_are_not_its_own(test_host, state):
    number = str(test_host.numbers()[THIRD])
    test_host.redis("-n", number, "SET", "lg:of-before", "1")
    before = state()
    refused = test_host.remove(THIRD, confirm=THIRD)
    assert refused.returncode != 0, refused.stdout
    assert f"its Redis database {number} holds 1 keys that match none of its key patterns;" in line(refused)
    assert state() == before
    done = test_host.remove(THIRD, confirm=THIRD, key_patterns=["lg:*"])
    assert done.returncode == 0, done.stdout
    gone(test_host, number)


@pytest.mark.essential("trixie")
@pytest.mark.usefixtures("third")
def test_what_is_confirmed_is_destroyed_and_nothing_else(test_host):
    number, containers = test_host.numbers()[THIRD], test_host.containers()
    predicted = test_host.remove(THIRD, "--check", confirm=THIRD)
    assert predicted.returncode == 0, predicted.stdout
    assert "changed=3 " in predicted.stdout
    assert test_host.containers() == containers
    done = test_host.remove(THIRD, confirm=THIRD)
    assert done.returncode == 0, done.stdout
    assert "changed=3 " in done.stdout
    assert f"The deployment '{THIRD}' was removed, and with it about " in line(done)
    assert f"1 keys of Redis database {number} and revision" in line(done)
    gone(test_host, number)
    assert test_host.containers() == {name: found for name, found in containers.items() if THIRD not in name}
    assert test_host.remove(THIRD, confirm=THIRD).returncode != 0


@pytest.mark.release("trixie")
@pytest.mark.usefixtures("third")
def test_a_removal_that_is_killed_at_each_stage_is_finished(test_host):
    """Each run continues where the previous one was killed, up to the next stage. The name is known until the last stage."""
    number = test_host.numbers()[THIRD]
    others = {name: found for name, found in test_host.containers().items() if THIRD not in name}
    for stage in REMOVAL_FAILPOINTS:
        with killed_at(stage):
            killed = test_host.remove(THIRD, confirm=THIRD)
        assert killed.returncode != 0, f"{stage}: {killed.stdout}"
    preview = test_host.remove(THIRD)
    assert preview.returncode == 0, preview.stdout
    assert f"Nothing was changed. Removing the deployment '{THIRD}' would delete" in line(preview)
    done = test_host.remove(THIRD, confirm=THIRD)
    assert done.returncode == 0, done.stdout
    gone(test_host, number)
    assert test_host.containers() == others


@pytest.mark.release("bookworm")
@pytest.mark.usefixtures("third")
def test_a_deployment_comes_back_where_nothing_was_dropped_yet(test_host, grown):
    with killed_at("release_locked_out"):
        assert test_host.remove(THIRD, confirm=THIRD).returncode != 0
    done = test_host.play(langgraph_deployments=grown)
    assert done.returncode == 0, done.stdout
    assert test_host.client("healthy", "30", "http://127.0.0.1:8125") < 30
