# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One deployment of the list, tags, misspelled names, and the playbooks logs, exec and restart."""

from __future__ import annotations

import json
import re

import pytest


def with_variable(group_vars, value):
    """Return the list with a variable of both deployments set."""
    return [{**item, "env": {**item.get("env", {}), "ROUND": value}} for item in group_vars["langgraph_deployments"]]


@pytest.mark.release("trixie")
def test_only_the_named_deployment_changes(test_host, group_vars):
    """Both have changed in the list; the other one waits for a run without a name."""
    listed = with_variable(group_vars, "one")
    before = test_host.containers()
    other = test_host.instance("research-agent")
    predicted = test_host.site("--check", deployment="support-bot", langgraph_deployments=listed)
    done = test_host.site(deployment="support-bot", langgraph_deployments=listed)
    assert done.returncode == 0, done.stdout
    for output in (predicted.stdout, done.stdout):
        assert "support-bot: roll to revision" in " ".join(output.split())
        assert "research-agent: roll" not in output
    assert test_host.instance("research-agent") == other
    after = test_host.containers()
    assert after[f"langgraph-{other}"] == before[f"langgraph-{other}"]
    assert test_host.client("healthy", "30", "http://127.0.0.1:8123", "http://127.0.0.1:8124") < 30
    back = test_host.play()
    assert back.returncode == 0, back.stdout


@pytest.mark.parametrize("tag", ["docker", "redis", "postgres", "proxy", "deployments"])
def test_a_tag_alone_changes_nothing_on_an_installed_host(test_host, tag):
    before = test_host.containers()
    done = test_host.site("--tags", tag)
    assert done.returncode == 0, done.stdout
    assert set(re.findall(r"changed=(\d+)", done.stdout)) == {"0"}, done.stdout
    assert test_host.containers() == before


@pytest.mark.release("bookworm")
def test_a_healthy_run_prints_no_warning(test_host):
    done = test_host.site()
    assert done.returncode == 0, done.stdout
    assert "WARNING" not in done.stdout + done.stderr


@pytest.mark.release("bookworm")
def test_misspelled_names_are_refused(test_host):
    before = test_host.containers()
    done = test_host.site(langgraph_keep_revision=3, redis_host="of somebody else")
    output = " ".join((done.stdout + done.stderr).split())
    assert done.returncode != 0
    assert (
        "'langgraph_keep_revision' is not a variable of the collection; did you mean 'langgraph_keep_revisions'?"
        in output
    )
    assert "redis_host" not in output
    assert test_host.containers() == before


@pytest.mark.essential("trixie")
@pytest.mark.release("trixie")
def test_log_command_and_restart(test_host):
    name = {"deployment": "support-bot"}
    log = test_host._playbook("selfhost.langgraph.logs", (), name)
    assert log.returncode == 0, log.stdout
    assert "support-bot." in log.stdout
    ran = test_host._playbook("selfhost.langgraph.exec", (), {**name, "command": "sh -c 'echo it-is-$((40 + 2))'"})
    assert ran.returncode == 0, ran.stdout
    assert "it-is-42" in ran.stdout
    before, other = test_host.container("support-bot"), test_host.container("research-agent")
    done = test_host._playbook("selfhost.langgraph.restart", (), name)
    assert done.returncode == 0, done.stdout
    assert test_host.container("support-bot")["started"] != before["started"]
    assert test_host.container("research-agent") == other
    assert test_host.client("healthy", "5", "http://127.0.0.1:8123") < 5


@pytest.mark.release("trixie")
def test_status_as_a_file(test_host, tmp_path):
    file = tmp_path / "status.json"
    done = test_host._playbook("selfhost.langgraph.status", (), {"to": str(file), "deployment": "support-bot"})
    assert done.returncode == 0, done.stdout
    (found,) = json.loads(file.read_text())[test_host.name]["deployments"]
    assert found["name"] == "support-bot"
