# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all scenarios' tests share: the deployments, the servers' APIs, and the databases as their administrators see them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).parent.parent
INVENTORY = PROJECT / "molecule/inventory"
DRIVER = PROJECT / "molecule/drive.py"
ADMIN = "redis-cli --no-auth-warning --user langgraph-admin -a $(cat /etc/redis/langgraph-admin.password)"


@pytest.fixture(scope="session")
def group_vars() -> dict[str, t.Any]:
    """The variables of the test hosts."""
    return yaml.safe_load((INVENTORY / "group_vars/all.yml").read_text())


@pytest.fixture(scope="session")
def deployments(group_vars) -> dict[str, dict[str, t.Any]]:
    """Name of each deployment with its options."""
    return {deployment["name"]: deployment for deployment in group_vars["langgraph_deployments"]}


class World:
    """One test host, seen by its administrators and by a client on it."""

    def __init__(self, host: t.Any) -> None:
        self.host = host
        self.name = host.backend.name

    @staticmethod
    def database(name: str) -> str:
        """The Postgres database of a deployment."""
        return name.replace("-", "_")

    def redis(self, *words: str) -> str:
        """One command to Redis as its administrator."""
        return self.host.check_output(f"{ADMIN} {' '.join(words)}")

    def sql(self, database_name: str, statement: str) -> str:
        """One statement to Postgres as its superuser."""
        command = ["docker", "exec", "-i", "-u", "postgres", self.name, "psql", "-qAtX", "-d", database_name]
        return subprocess.run(command, input=statement, capture_output=True, text=True, check=True).stdout.strip()

    def numbers(self) -> dict[str, int]:
        """Deployment -> Redis number, from the claims themselves."""
        text = self.redis("--json", "HGETALL", "selfhost.langgraph:claims")
        return {name: int(number) for name, number in json.loads(text).items()}

    def container(self, name: str) -> dict[str, str]:
        """Id and start time of a deployment's container."""
        shown = self.host.check_output(f"docker inspect --format '{{{{json .}}}}' langgraph-{name}")
        found = json.loads(shown)
        return {"id": found["Id"], "started": found["State"]["StartedAt"]}

    def containers(self) -> dict[str, dict[str, str]]:
        """Id and start time of every deployment's container."""
        names = self.host.check_output("docker ps --format '{{.Names}}' --filter name=langgraph-").split()
        return {name: self.container(name.removeprefix("langgraph-")) for name in names}

    def client(self, *arguments: str) -> t.Any:
        """Run drive.py in the network of the host, as a program on that machine would."""
        pid = subprocess.check_output(["docker", "inspect", "-f", "{{.State.Pid}}", self.name], text=True).strip()
        command = ["nsenter", "--net", "--target", pid, "--", sys.executable, str(DRIVER), *arguments]
        return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    def play(self, *arguments: str, **variables: t.Any) -> subprocess.CompletedProcess[str]:
        """Run the role langgraph on this host alone, with variables on top of the inventory's."""
        return self._playbook(str(PROJECT / "molecule/tasks/hold.yml"), arguments, variables)

    def site(self, *arguments: str, **variables: t.Any) -> subprocess.CompletedProcess[str]:
        """Run the playbook site on this host alone, with variables on top of the inventory's."""
        return self._playbook("selfhost.langgraph.site", arguments, variables)

    def remove(self, name: str, **variables: t.Any) -> subprocess.CompletedProcess[str]:
        """Run the playbook remove on this host alone."""
        return self._playbook("selfhost.langgraph.remove", (), {"deployment": name, **variables})

    def _playbook(
        self, playbook: str, arguments: t.Sequence[str], variables: t.Mapping[str, t.Any]
    ) -> subprocess.CompletedProcess[str]:
        command = ["ansible-playbook", "-i", str(INVENTORY), "--limit", self.name, playbook, *arguments]
        environment = {
            **os.environ,
            "ANSIBLE_PIPELINING": "true",
            # Molecule forces colours, which part the numbers that tests look for.
            "ANSIBLE_FORCE_COLOR": "false",
            "MOLECULE_PROJECT_DIRECTORY": str(PROJECT),
            "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml",
        }
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(variables, file)
            file.flush()
            command += ["--extra-vars", f"@{file.name}"]
            return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=PROJECT)


@pytest.fixture
def world(host) -> World:
    """The test host."""
    return World(host)
