# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Environments that differ from the other tests: another Python, another locale, sudo, two plays at once."""

from __future__ import annotations

import concurrent.futures
import re
import subprocess

import pytest

from playbooks import PROJECT

DEPLOY = str(PROJECT / "molecule/tasks/deploy.yml")
APT = "DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get install -y -qq --no-install-recommends"
PYTHON = "/usr/local/bin/python-of-somebody"
# Without the distribution's libraries, and in an ASCII locale. Child processes inherit this.
OTHER_PYTHON = f"""set -e
python3 -m venv --without-pip /opt/other
printf '#!/bin/sh\\nexport LC_ALL=C PYTHONCOERCECLOCALE=0 PYTHONUTF8=0\\nexec /opt/other/bin/python3 "$@"\\n' > {PYTHON}
chmod 755 {PYTHON}
"""
USER = """set -e
id admin >/dev/null 2>&1 || useradd --create-home admin
echo admin:planted | chpasswd
echo 'admin ALL=(ALL:ALL) ALL' > /etc/sudoers.d/admin
"""


def with_variable(group_vars, value):
    """Return the list with a variable of the first deployment set."""
    first, *rest = group_vars["langgraph_deployments"]
    return [{**first, "env": {**first["env"], "GREETING": value}}, *rest]


@pytest.mark.release("trixie")
def test_somebody_with_sudo_another_python_another_locale_and_no_pipelining(test_host, group_vars):
    test_host.host.check_output(f"{APT} sudo")
    test_host.host.check_output(USER)
    test_host.host.check_output(OTHER_PYTHON)
    assert test_host.host.run(f"{PYTHON} -c 'import docker'").rc != 0
    variables = {
        "ansible_user": "admin",
        "ansible_become": True,
        "ansible_become_password": "planted",
        "ansible_python_interpreter": PYTHON,
    }
    greeting = "Grüße, 日本 €"
    listed = with_variable(group_vars, greeting)

    def play():
        return test_host._playbook(
            DEPLOY, (), {**variables, "langgraph_deployments": listed}, ANSIBLE_PIPELINING="false"
        )

    done = play()
    assert done.returncode == 0, done.stdout
    container = f"langgraph-{test_host.instance('support-bot')}"
    assert test_host.host.check_output(f"docker exec {container} printenv GREETING") == greeting
    again = play()
    assert re.findall(r"changed=(\d+)", again.stdout) == ["0"], again.stdout
    back = test_host.play()
    assert back.returncode == 0, back.stdout


@pytest.mark.release("bookworm")
def test_two_control_nodes_at_once(test_host, group_vars):
    """The second run waits for the first, and has nothing left to do."""
    before = test_host.settings("support-bot")["serving"]
    listed = with_variable(group_vars, "twice")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        plays = [pool.submit(test_host.play, langgraph_deployments=listed) for _control_node in range(2)]
        done = [play.result() for play in plays]
    assert [play.returncode for play in done] == [0, 0], done[0].stdout + done[1].stdout
    assert test_host.settings("support-bot")["serving"] == before + 1
    assert test_host.client("healthy", "60", "http://127.0.0.1:8123", "http://127.0.0.1:8124") < 60
    back = test_host.play()
    assert back.returncode == 0, back.stdout


def test_a_play_that_starts_behind_the_check_changes_nothing(test_host, untouched):
    done = test_host.play("--start-at-task", "Roll out new and changed deployments")
    assert done.returncode != 0
    assert "no check of the deployments has run in this play" in " ".join((done.stdout + done.stderr).split())


@pytest.mark.release("trixie")
def test_the_boot_waits_for_no_deployment(test_host):
    """A deployment that never becomes healthy has five minutes, and the others serve meanwhile."""
    slot = f"/etc/langgraph/research-agent/revisions/{test_host.settings('research-agent')['serving']}/slot.json"
    test_host.host.check_output(f'sed -i.kept \'s/"port": 8000/"port": 8001/\' {slot}')
    try:
        subprocess.run([PROJECT / "tests/tools/hosts.py", "restart", test_host.name], check=True, capture_output=True)
        reached = "systemctl is-active --quiet multi-user.target"
        assert test_host.wait_until(lambda: test_host.host.run(reached).rc == 0, 60)
        assert (
            test_host.host.run(f"systemctl is-active {test_host.unit('research-agent').name}").stdout.strip()
            == "activating"
        )
        assert test_host.client("healthy", "120", "http://127.0.0.1:8123") < 120
    finally:
        test_host.host.check_output(f"mv {slot}.kept {slot}")
        test_host.host.check_output(f"systemctl restart {test_host.unit('research-agent').name}")
    assert test_host.client("healthy", "120", "http://127.0.0.1:8123", "http://127.0.0.1:8124") < 120


@pytest.mark.release("trixie")
def test_needrestart_restarts_nothing_that_serves(test_host):
    test_host.host.check_output(f"{APT} needrestart")
    # Every running process now uses a deleted file.
    test_host.host.check_output(f"{APT} --reinstall libc6")
    before = test_host.containers()
    # The distribution's other services also use the C library: this shows that needrestart does restart services.
    shown = test_host.host.check_output("NEEDRESTART_MODE=a needrestart -r a 2>&1")
    restarted, _heading, deferred = shown.partition("Service restarts being deferred:")
    assert "systemctl restart" in restarted
    for unit in (test_host.unit("support-bot").name, test_host.unit("research-agent").name, "langgraph-proxy.service"):
        assert unit not in restarted
        assert unit in deferred
    assert test_host.containers() == before
