# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet of both hosts, with the registry on a third host."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import typing as t
from pathlib import Path

import yaml

from playbooks import PROJECT, run_playbook

HOSTS = ("selfhost-langgraph-bookworm", "selfhost-langgraph-trixie")
REGISTRY_HOST = "selfhost-langgraph-registry"
NOBODY = 65534
PASSWORD = "PLANTED-registry-password"
SCENARIO = PROJECT / "molecule/images"
APPLICATION = PROJECT / "examples/single-host/app"
BASE = "selfhost-langgraph/langgraph-api"


def command(*words: str, **options: t.Any) -> str:
    """Run a command on this machine; return its output."""
    done = subprocess.run(words, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


class Fleet:
    """Both hosts that run deployments, and the registry host."""

    def __init__(self) -> None:
        address = command(str(PROJECT / "tests/tools/hosts.py"), "address", REGISTRY_HOST)
        self.registry = f"{address}:5000"
        self.pushed = f"{self.registry}/team/pushed-bot"
        self.small = f"{self.registry}/team/small"
        text = (
            (SCENARIO / "inventory/group_vars/all.yml").read_text().replace("{{ registry_name }}:5000", self.registry)
        )
        self.variables = yaml.safe_load(text.replace("{{ project }}", str(PROJECT)))

        # Of an image that the scenario does not use.
        self.archive = PROJECT / "build/images/demo-agent.tar"

    @property
    def deployments(self) -> list[dict[str, t.Any]]:
        """Return the scenario's deployments."""
        return self.variables["langgraph_deployments"]

    def play(self, *arguments: str, hosts: t.Sequence[str] = HOSTS, tasks: str = "deploy", **variables: t.Any) -> t.Any:
        """Run the role langgraph over hosts, with variables on top of the inventory's."""
        playbook = str(PROJECT / f"molecule/tasks/{tasks}.yml")
        limit = ("--limit", ",".join(hosts))
        done = run_playbook(SCENARIO / "inventory", playbook, (*limit, *arguments), variables)
        # Molecule's settings send failures and details to stderr.
        done.stdout += done.stderr
        return done

    def play_as_user(self, home: Path, **variables: t.Any) -> t.Any:
        """Run it on one host, as a user who is not root on this machine and is in the group docker."""
        os.chown(home, NOBODY, NOBODY)
        plugins = json.dumps({"cliPluginsExtraDirs": [str(PROJECT / "build/docker/cli-plugins")]})
        (home / "docker").mkdir(exist_ok=True)
        os.chown(home / "docker", NOBODY, NOBODY)
        (home / "docker/config.json").write_text(plugins)
        group = Path("/var/run/docker.sock").stat().st_gid
        # The user may read all files, as the project or its Python may be in root's home, but not write.
        reads = ("--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search")
        done = run_playbook(
            SCENARIO / "inventory",
            str(PROJECT / "molecule/tasks/deploy.yml"),
            ("--limit", HOSTS[0]),
            variables,
            by=("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", f"--groups={group}", *reads),
            HOME=str(home),
            ANSIBLE_HOME=str(home / "ansible"),
            DOCKER_CONFIG=str(home / "docker"),
            # The user's home in /etc/passwd does not exist.
            ANSIBLE_REMOTE_TMP="/tmp/.langgraph-user",
            TMPDIR=str(home),
        )
        done.stdout += done.stderr
        return done

    def on(self, host: str, *words: str) -> str:
        """Run a command on a host."""
        return command("docker", "exec", host, *words)

    def images(self) -> dict[str, dict[str, str]]:
        """Return the image ids by host and image name."""
        form = "{{.Repository}}:{{.Tag}} {{.ID}}"
        return {
            host: dict(
                line.split() for line in self.on(host, "docker", "images", "--no-trunc", "--format", form).splitlines()
            )
            for host in HOSTS
        }

    def serving(self, name: str) -> dict[str, dict[str, t.Any]]:
        """Return the record of the serving revision of a deployment by host."""
        found = {}
        for host in HOSTS:
            number = json.loads(self.on(host, "cat", f"/etc/langgraph/{name}/deployment.json"))["serving"]
            found[host] = json.loads(self.on(host, "cat", f"/etc/langgraph/{name}/revisions/{number}/revision.json"))
        return found

    def containers(self) -> dict[str, str]:
        """Return the running containers by host, with their start time."""
        form = "{{.Names}} {{.ID}} {{.RunningFor}}"
        return {
            host: self.on(host, "docker", "ps", "--no-trunc", "--format", form.rpartition(" ")[0]) for host in HOSTS
        }

    @contextlib.contextmanager
    def unchanged(self) -> t.Iterator[None]:
        """Check that the block changes neither the containers nor the images of the hosts."""
        for host in HOSTS:
            # Replaced revisions of an earlier test are removed when they have drained.
            busy = "systemctl list-units --plain --no-legend --state=active,activating 'langgraph-drain@*' | grep -q ."
            self.on(host, "sh", "-c", f"for n in $(seq 90); do {busy} || exit 0; sleep 1; done; exit 1")
        before = self.containers(), self.images()
        yield
        assert (self.containers(), self.images()) == before

    def refused(self, *arguments: str, says: str, **variables: t.Any) -> str:
        """Run a play that must fail with one line and change nothing; return its output."""
        with self.unchanged():
            done = self.play(*arguments, **variables)
        assert done.returncode != 0, done.stdout
        assert re.search(says, flat(done.stdout)), done.stdout
        assert "changed=0 " in done.stdout
        assert re.search(r"changed=[1-9]", done.stdout) is None, done.stdout
        return done.stdout

    @contextlib.contextmanager
    def login(self, directory: Path) -> t.Iterator[dict[str, str]]:
        """Log this machine's client in to the registry; yield the environment that it needs."""
        environment = {**os.environ, "DOCKER_CONFIG": str(directory)}
        words = ["docker", "login", "--username", "langgraph", "--password-stdin", self.registry]
        command(*words, input=PASSWORD, env=environment)
        yield environment


def flat(text: str) -> str:
    """Return a text on one line: YAML output wraps long lines."""
    return " ".join(text.replace("''", "'").split())
