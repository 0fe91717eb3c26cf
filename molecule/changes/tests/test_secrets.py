# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One change affects only one deployment, and no secret is visible anywhere meanwhile."""

from __future__ import annotations

import re

import pytest

from playbooks import READABLE

pytestmark = pytest.mark.essential("trixie")
PLANTED_FILES = ("/usr/local/share/langgraph-planted", "/run/langgraph-planted")
SECRETS = (
    "PLANTED-secret-key",
    "PLANTED-langsmith-key",
    "PLANTED-licence-key",
    "PLANTED-openai-key",
    "PLANTED-new-openai-key",
    "PLANTED p@ss",
    "PLANTED%20p",
)
# The server itself prints this one; only Ansible's output must not contain it.
PRINTED = "PLANTED-graphs-that-the-server-prints"


def found_in(text: str) -> list[str]:
    """Return the planted values that a text contains."""
    return [secret for secret in SECRETS if secret in text]


@pytest.fixture(scope="module")
def outputs():
    """Collect the output of this file's plays."""
    return []


# Essential tests run first: those of other files need the original list of the scenario.
@pytest.fixture(scope="module", autouse=True)
def restored(test_host):
    """Restore the inventory's deployments after the tests of this file, and wait for drains."""
    yield
    done = test_host.play()
    assert done.returncode == 0, done.stdout
    test_host.drained("support-bot")


@pytest.fixture
def changed(group_vars):
    """Return the list with one changed variable of the first deployment."""
    first, second = group_vars["langgraph_deployments"]
    return [{**first, "env": {**first["env"], "OPENAI_API_KEY": "PLANTED-new-openai-key"}}, second]


def test_check_mode_predicts_the_one_restart(test_host, changed, outputs):
    before = test_host.containers()
    done = test_host.play("--check", "--diff", "-vvv", langgraph_deployments=changed)
    outputs.append(done.stdout + done.stderr)
    assert done.returncode == 0, done.stdout
    assert "changed=1 " in done.stdout
    assert re.search(r"\+OPENAI_API_KEY=\*{8} \(after\)", done.stdout)
    assert test_host.containers() == before


def test_one_variable_restarts_one_container(test_host, changed, outputs):
    before = test_host.containers()
    done = test_host.play("--diff", "-vvv", langgraph_deployments=changed)
    outputs.append(done.stdout + done.stderr)
    assert done.returncode == 0, done.stdout
    assert "changed=1 " in done.stdout
    after = test_host.containers()
    other = f"langgraph-{test_host.instance('research-agent')}"
    assert after[other] == before[other]
    assert test_host.container("support-bot") not in before.values()
    environment = test_host.host.check_output(f"docker exec langgraph-{test_host.instance('support-bot')} env")
    assert "PLANTED-new-openai-key" in environment


def test_a_failure_reports_the_cause_and_no_secret(test_host, changed, outputs):
    broken = [{**changed[0], "env": {**changed[0]["env"], "LANGSERVE_GRAPHS": PRINTED}}, changed[1]]
    done = test_host.play("--diff", "-vvv", langgraph_deployments=broken)
    outputs.append(done.stdout + done.stderr)
    assert done.returncode != 0
    assert "deployment 'support-bot' is not healthy" in done.stdout + done.stderr
    assert test_host.client("healthy", "1", "http://127.0.0.1:8123") < 1
    repaired = test_host.play("--diff", "-vvv", langgraph_deployments=changed)
    outputs.append(repaired.stdout + repaired.stderr)
    assert repaired.returncode == 0, repaired.stdout


def test_no_secret_in_any_output(outputs):
    assert len(outputs) >= 4
    assert "EXEC" in outputs[0]
    assert found_in("".join(outputs)) == []
    assert PRINTED not in "".join(outputs)


@pytest.mark.parametrize(
    "command",
    [
        "ps -ewwo args",
        "systemctl cat 'langgraph*'",
        "systemctl show 'langgraph*'",
        "journalctl --no-pager",
        READABLE,
    ],
)
def test_no_secret_on_the_host(test_host, command):
    shown = test_host.host.run(command).stdout
    assert found_in(shown) == []
    assert command != READABLE or shown == ""
    # A command without output would prove nothing.
    assert command == READABLE or shown


def test_a_planted_secret_is_found_on_the_host(test_host):
    """A secret in a readable file is found, so the absence of findings is meaningful."""
    planted = " ".join(PLANTED_FILES)
    test_host.host.check_output(f"for file in {planted}; do echo {SECRETS[0]} >$file; chmod 644 $file; done")
    try:
        assert sorted(test_host.host.run(READABLE).stdout.split()) == sorted(PLANTED_FILES)
    finally:
        test_host.host.check_output(f"rm {planted}")


def test_postgres_never_saw_a_password(test_host):
    assert (
        test_host.sql("postgres", "SELECT count(*) FROM pg_authid WHERE rolpassword NOT LIKE 'SCRAM-SHA-256$%'") == "0"
    )
