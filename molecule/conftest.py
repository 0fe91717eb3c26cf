# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all scenarios' tests share: the deployments, the servers' APIs, and the databases as their administrators see them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest
import yaml
from plays import PROJECT, late, run_playbook

INVENTORY = PROJECT / "molecule/inventory"
DRIVER = PROJECT / "molecule/drive.py"
LOAD = PROJECT / "molecule/load.py"
LOGINS = PROJECT / "molecule/logins.py"
EVERYWHERE = "SELFHOST_LANGGRAPH_EVERYWHERE"
ADMIN = (
    "redis-cli -s /run/langgraph-redis/redis.sock --no-auth-warning --user langgraph-admin"
    " -a $(cat /etc/langgraph-redis/admin.password)"
)


@pytest.fixture(scope="session")
def group_vars() -> dict[str, t.Any]:
    """The variables of the test hosts."""
    return yaml.safe_load((INVENTORY / "group_vars/all.yml").read_text())


@pytest.fixture(scope="session")
def deployments(group_vars) -> dict[str, dict[str, t.Any]]:
    """Name of each deployment with its options."""
    return {deployment["name"]: deployment for deployment in group_vars["langgraph_deployments"]}


def wait_until(condition: t.Callable[[], t.Any], seconds: float = 60) -> bool:
    """Wait for a condition; tell whether it came true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.5)
    return False


class Load:
    """A load that runs: marks for its client, and its report once it has ended."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.report: dict[str, t.Any] = {}

    def mark(self, name: str) -> Path:
        """The file that tells the client, or is told by it."""
        return self.file.with_name(f"{self.file.name}.{name}")

    @property
    def errors(self) -> list[t.Any]:
        """What failed, over all phases."""
        return [text for phase in self.report["phases"].values() for text in phase["error_texts"]]

    @property
    def failed(self) -> int:
        """Requests that failed, over all phases."""
        return sum(phase["errors"] for phase in self.report["phases"].values())


class World:
    """One test host, seen by its administrators and by a client on it."""

    wait_until = staticmethod(wait_until)
    # Who is Postgres' superuser there, and how psql reaches it.
    postgres: t.ClassVar = ("langgraph-postgres", ("-h", "/run/langgraph-postgres"))

    def __init__(self, host: t.Any, redis_administrator: str = ADMIN) -> None:
        self.host = host
        self.name = host.backend.name
        self._redis = redis_administrator

    @staticmethod
    def database(name: str) -> str:
        """The Postgres database of a deployment."""
        return name.replace("-", "_")

    def redis(self, *words: str) -> str:
        """One command to Redis as its administrator."""
        return self.host.check_output(f"{self._redis} {' '.join(words)}")

    def sql(self, database_name: str, statement: str) -> str:
        """One statement to Postgres as its superuser."""
        user, way = self.postgres
        command = ["docker", "exec", "-i", "-u", user, self.name, "psql", "-qAtX", *way, "-d", database_name]
        return subprocess.run(command, input=statement, capture_output=True, text=True, check=True).stdout.strip()

    def numbers(self) -> dict[str, int]:
        """Deployment -> Redis number, from the claims themselves."""
        return {name: int(claim.split()[0]) for name, claim in self.claims().items() if not name.startswith(":")}

    def claims(self) -> dict[str, str]:
        """The record of Redis as it is: deployment -> number and owner, and what Redis says of itself."""
        return json.loads(self.redis("--json", "HGETALL", "selfhost.langgraph:claims"))

    def settings(self, name: str) -> dict[str, t.Any]:
        """The deployment's own record: which revision serves, where."""
        return json.loads(self.host.check_output(f"cat /etc/langgraph/{name}/deployment.json"))

    def instance(self, name: str) -> str:
        """NAME.N of the revision that serves."""
        return f"{name}.{self.settings(name)['serving']}"

    def unit(self, name: str) -> t.Any:
        """The unit of the revision that serves."""
        return self.host.service(f"langgraph@{self.instance(name)}")

    def container(self, name: str) -> dict[str, str]:
        """Id and start time of the container that serves a deployment."""
        return self._inspect(f"langgraph-{self.instance(name)}")

    def containers(self) -> dict[str, dict[str, str]]:
        """Container -> id and start time, of every revision that runs, draining ones too."""
        names = self.host.check_output("docker ps --format '{{.Names}}' --filter name=langgraph-").split()
        return {name: self._inspect(name) for name in names}

    def _inspect(self, container: str) -> dict[str, str]:
        found = json.loads(self.host.check_output(f"docker inspect --format '{{{{json .}}}}' {container}"))
        return {"id": found["Id"], "started": found["State"]["StartedAt"]}

    def revisions(self, name: str) -> list[int]:
        """The revisions that are kept, ascending."""
        return sorted(int(number) for number in self.host.check_output(f"ls /etc/langgraph/{name}/revisions").split())

    def drained(self, name: str = "*", seconds: float = 90) -> None:
        """Wait until no revision of a deployment, or of any, is being drained."""
        units = f"systemctl list-units --plain --no-legend --state=active,activating 'langgraph-drain@{name}.*'"
        assert wait_until(lambda: not self.host.run(units).stdout.strip(), seconds)

    def build(self, tag: str, dockerfile: str) -> None:
        """Build an image on the host from what it has, by its own engine."""
        command = [
            "docker",
            "exec",
            "-i",
            "-e",
            "DOCKER_BUILDKIT=0",
            self.name,
            "docker",
            "build",
            "-q",
            "-t",
            tag,
            "-",
        ]
        subprocess.run(command, input=dockerfile, text=True, check=True, capture_output=True)

    def client(self, *arguments: str) -> t.Any:
        """Run drive.py in the network of the host, as a program on that machine would."""
        command = [*self._in_network(), str(DRIVER), *arguments]
        return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    @contextlib.contextmanager
    def load(self, folder: Path, port: int, *arguments: str) -> t.Iterator[Load]:
        """Have load.py use a deployment while the block runs; its report is there afterwards."""
        load = Load(folder / f"load-{time.time_ns()}")
        command = [*self._in_network(), str(LOAD), f"http://127.0.0.1:{port}", "--report", str(load.file)]
        command += ["--until", str(load.mark("stop")), "--seconds", "1", *arguments]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            assert wait_until(load.mark("before").exists, 30)
            yield load
        finally:
            load.mark("stop").touch()
            process.wait(900)
        load.report = json.loads(load.file.read_text())

    def _in_network(self) -> list[str]:
        """How to run Python in the network of the host."""
        pid = subprocess.check_output(["docker", "inspect", "-f", "{{.State.Pid}}", self.name], text=True).strip()
        return ["nsenter", "--net", "--target", pid, "--", sys.executable]

    def play(self, *arguments: str, **variables: t.Any) -> subprocess.CompletedProcess[str]:
        """Run the role langgraph on this host alone, with variables on top of the inventory's."""
        return self._playbook(str(PROJECT / "molecule/tasks/deploy.yml"), arguments, variables)

    def site(self, *arguments: str, **variables: t.Any) -> subprocess.CompletedProcess[str]:
        """Run the playbook site on this host alone, with variables on top of the inventory's."""
        return self._playbook("selfhost.langgraph.site", arguments, variables)

    def rollback(self, name: str, **variables: t.Any) -> subprocess.CompletedProcess[str]:
        """Run the playbook rollback on this host alone."""
        return self._playbook("selfhost.langgraph.rollback", (), {"deployment": name, **variables})

    def rotate(self, name: str, **variables: t.Any) -> subprocess.CompletedProcess[str]:
        """Run the playbook rotate on this host alone."""
        return self._playbook("selfhost.langgraph.rotate", (), {"deployment": name, **variables})

    def credentials(self, name: str) -> str:
        """The addresses and passwords of the deployment's services, as its containers get them."""
        return self.host.check_output(f"cat /etc/langgraph/{name}/credentials") + "\n"

    def refused(self, credentials: str, seconds: float = 0) -> dict[str, float | None]:
        """Log in with credentials for so long: when Postgres and Redis each first refused, in seconds since 1970."""
        with self.logins(credentials, seconds) as answers:
            pass
        return answers

    @contextlib.contextmanager
    def logins(self, credentials: str, seconds: float) -> t.Iterator[dict[str, float | None]]:
        """Have logins.py log in with credentials while the block runs; what it yields is filled in at the end."""
        command = [*self._in_network(), str(LOGINS), str(seconds)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        answers: dict[str, float | None] = {}
        assert process.stdin is not None
        process.stdin.write(credentials)
        process.stdin.close()
        process.stdin = None
        yield answers
        answers.update(json.loads(process.communicate(timeout=seconds + 60)[0]))

    def status(self) -> dict[str, dict[str, t.Any]]:
        """What the playbook status tells as JSON: deployment -> description."""
        done = self._playbook(
            "selfhost.langgraph.status", (), {"format": "json"}, ANSIBLE_CALLBACK_RESULT_FORMAT="json"
        )
        assert done.returncode == 0, done.stdout
        shown = json.loads(re.search(r"^ok: .* => (\{\n.*?^\})", done.stdout, re.DOTALL | re.MULTILINE)[1])
        return {item["name"]: item for item in shown["msg"]["deployments"]}

    def remove(self, name: str, *arguments: str, **variables: t.Any) -> subprocess.CompletedProcess[str]:
        """Run the playbook remove on this host alone, which shares its services with no other."""
        return self._playbook("selfhost.langgraph.remove", arguments, {"deployment": name, **variables})

    def _playbook(
        self, playbook: str, arguments: t.Sequence[str], variables: t.Mapping[str, t.Any], **settings: str
    ) -> subprocess.CompletedProcess[str]:
        return run_playbook(INVENTORY, playbook, ("--limit", self.name, *arguments), variables, **settings)


@pytest.fixture(scope="module")
def world(host) -> World:
    """The test host."""
    return World(host)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers."""
    config.addinivalue_line("markers", "release(name): a long test that one release of Debian runs for both")
    config.addinivalue_line(
        "markers", "essential(name): a test that runs however late it is, of two releases of Debian on the named one"
    )


def essential(item: pytest.Item) -> bool:
    """Whether a test may not be left out on this host."""
    marker = item.get_closest_marker("essential")
    return marker is not None and all(release in item.config.getoption("hosts") for release in marker.args)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Essential tests first: nothing that has to run is left when the time is over."""
    items.sort(key=lambda item: not essential(item))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave a long test to the release that it is marked for, and out where the time of the gate is nearly over."""
    marker = item.get_closest_marker("release")
    if marker and marker.args[0] not in item.config.getoption("hosts") and not os.environ.get(EVERYWHERE):
        pytest.skip(f"{marker.args[0]} runs it")
    if late() and not essential(item):
        pytest.skip("left out, the gate is late; its scenario alone runs it")
