# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that no other scenario uses: variables from a vault-encrypted file, waiting times before and after the switch."""

from __future__ import annotations

import subprocess

import pytest

# The tests do not depend on the release.
pytestmark = pytest.mark.release("trixie")

NAME, PORT = "with-options", 8126
PATIENCE = {"langgraph_min_healthy_time": 6, "langgraph_wait_for_drain": True}


@pytest.fixture
def encrypted(tmp_path, monkeypatch):
    """Return a .env file that is encrypted with a vault password on the control node."""
    password, path = tmp_path / "password", tmp_path / "bot.env"
    password.write_text("of-the-vault\n")
    path.write_text('FROM_FILE="PLANTED in a file"\nBOTH=file\n')
    monkeypatch.setenv("ANSIBLE_VAULT_PASSWORD_FILE", str(password))
    subprocess.run(["ansible-vault", "encrypt", str(path)], check=True, capture_output=True)
    assert path.read_text().startswith("$ANSIBLE_VAULT;")
    return path


@pytest.fixture
def entry(test_host, group_vars, encrypted):
    """Return a deployment that uses the file, and remove it afterwards."""
    first, *_others = group_vars["langgraph_deployments"]
    wanted = {**first, "name": NAME, "port": PORT, "env_file": str(encrypted), "env": {"BOTH": "inventory"}}
    del wanted["postgres_password"]
    yield wanted
    gone = test_host.play(langgraph_deployments=[{**wanted, "state": "stopped"}])
    assert gone.returncode == 0, gone.stdout
    removed = test_host.remove(NAME, confirm=NAME)
    assert removed.returncode == 0, removed.stdout


def test_a_file_of_variables_and_patience(test_host, entry):
    def roll(*arguments: str, **env: str) -> str:
        wanted = {**entry, "env": {**entry["env"], **env}}
        done = test_host.play("--diff", "-v", *arguments, langgraph_deployments=[wanted], **PATIENCE)
        assert done.returncode == 0, done.stdout
        assert "PLANTED in a file" not in done.stdout + done.stderr
        return done.stdout

    roll()
    environment = test_host.host.check_output(f"docker exec langgraph-{test_host.instance(NAME)} env").splitlines()
    assert "FROM_FILE=PLANTED in a file" in environment
    assert "BOTH=inventory" in environment
    assert "changed=0 " in roll()

    roll(RELEASE="2")
    # The play waits for the drain, so the test does not have to.
    running = test_host.host.check_output(f"docker ps --format '{{{{.Names}}}}' --filter name=langgraph-{NAME}").split()
    assert running == [f"langgraph-{NAME}.2"]
    assert test_host.settings(NAME)["serving"] == 2
    started, switched = (
        float(test_host.host.check_output(f'date +%s.%N --date="$({command})"'))
        for command in (
            f"docker inspect --format '{{{{.State.StartedAt}}}}' langgraph-{NAME}.2",
            f"stat --format %y /etc/langgraph/{NAME}/deployment.json",
        )
    )
    assert switched - started > PATIENCE["langgraph_min_healthy_time"]
