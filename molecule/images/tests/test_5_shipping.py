# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An interrupted transfer continues with the part where it stopped; a damaged part is sent again."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from fleet import HOSTS, SCENARIO, command, flat

from playbooks import PROJECT

HOST = HOSTS[0]
SPOOL = "/var/lib/langgraph/spool"


@pytest.fixture(scope="module")
def large(fleet, tmp_path_factory):
    """Create an archive of an image that needs several parts; return the variables that deploy it."""
    tag, path = "shipped-bot:large", tmp_path_factory.mktemp("large") / "large.tar"
    line = "RUN head -c 330000000 /dev/urandom >/srv/random"
    command("docker", "build", "-q", "-t", tag, "-", input=f"FROM demo-agent:1\n{line}\n")
    command("docker", "save", "-o", str(path), tag)
    yield {
        "image_builds": [],
        "image_archives": [str(path)],
        "langgraph_deployments": [{**fleet.deployments[1], "image": tag}],
    }
    command("docker", "rmi", "-f", tag)


def parts(fleet):
    """Return names and times of the parts on the host."""
    found = fleet.on(HOST, "sh", "-c", f"find {SPOOL} -name 'part-*' -printf '%p %T@\\n' 2>/dev/null | sort")
    return dict(line.split() for line in found.splitlines())


def test_it_continues_where_it_stopped(fleet, large):
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(large, file)
        file.flush()
        words = ["ansible-playbook", "-i", str(SCENARIO / "inventory"), "--limit", HOST, "-e", f"@{file.name}"]
        environment = {**os.environ, "MOLECULE_PROJECT_DIRECTORY": str(PROJECT), "ANSIBLE_PIPELINING": "true"}
        process = subprocess.Popen(
            [*words, str(PROJECT / "molecule/tasks/deploy.yml")],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=PROJECT,
        )
        deadline = time.monotonic() + 120
        while len(parts(fleet)) < 2 and time.monotonic() < deadline:
            time.sleep(0.2)
        # By name, as Ansible's workers have their own sessions.
        command("pkill", "-KILL", "-f", file.name)
        process.wait()
    first = parts(fleet)
    assert 2 <= len(first) < 5
    damaged = min(first)
    fleet.on(HOST, "sh", "-c", f"echo damaged >>{damaged}")

    done = fleet.play("-vvv", hosts=(HOST,), **large)
    assert done.returncode == 0, done.stdout
    sent = {name for name in first if re.search(rf"PUT \S+/{Path(name).name}", done.stdout)}
    assert sent == {damaged}
    assert parts(fleet) == {}
    assert f"{HOST}: shipped-bot:large: 330 MB of 330 MB transferred" in done.stdout


def test_nothing_is_copied_twice(fleet, large):
    done = fleet.play(hosts=(HOST,), **large)
    assert done.returncode == 0, done.stdout
    assert "MB transferred" not in done.stdout


PLANTED = {
    "of another user": "install -d -o nobody -m 0755 {spool}",
    "a link": "install -d -o nobody /var/tmp/planted && ln -s /var/tmp/planted {spool}",
    "open to others": "install -d -m 0777 {spool}",
    "in one of another user": "install -d -o nobody /var/lib/langgraph && install -d {spool}",
}


@pytest.mark.parametrize("plant", PLANTED.values(), ids=PLANTED)
def test_a_spool_directory_that_another_user_has_made_is_refused(fleet, large, plant):
    """It is refused in one line, before any data is copied."""
    parent = SPOOL.rpartition("/")[0]
    fleet.on(HOST, "sh", "-c", f"rm -rf {parent} && install -d {parent} && {plant.format(spool=SPOOL)}")
    try:
        says = f"the directory '{SPOOL}' cannot be trusted"
        done = fleet.play(hosts=(HOST,), **large)
        assert done.returncode != 0
        assert says in flat(done.stdout), done.stdout
        assert fleet.on(HOST, "sh", "-c", f"find {SPOOL}/ /var/tmp/planted -type f 2>/dev/null; true") == ""
    finally:
        fleet.on(HOST, "rm", "-rf", parent, "/var/tmp/planted")
