# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shared fixtures of all scenarios: the deployments, the servers' APIs, and administrators' access to the databases."""

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

from playbooks import PROJECT, late, run_playbook

INVENTORY = PROJECT / "molecule/inventory"
API_CLIENT = PROJECT / "molecule/api_client.py"
LOAD_GENERATOR = PROJECT / "molecule/load_generator.py"
LOGINS = PROJECT / "molecule/logins.py"
EVERYWHERE = "SELFHOST_LANGGRAPH_EVERYWHERE"
ADMIN = (
    "redis-cli -s /run/langgraph-redis/redis.sock --no-auth-warning --user langgraph-admin"
    " -a $(cat /etc/langgraph-redis/admin.password)"
)


@pytest.fixture(scope="session")
def group_vars() -> dict[str, t.Any]:
    """Return the variables of the test hosts."""
    return yaml.safe_load((INVENTORY / "group_vars/all.yml").read_text())


@pytest.fixture(scope="session")
def deployments(group_vars) -> dict[str, dict[str, t.Any]]:
    """Return each deployment's options by its name."""
    return {deployment["name"]: deployment for deployment in group_vars["langgraph_deployments"]}


def wait_until(condition: t.Callable[[], t.Any], seconds: float = 60) -> bool:
    """Wait for a condition; return whether it became true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.5)
    return False


class Load:
    """A running load generator: marker files for it, and its report once it has ended."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.report: dict[str, t.Any] = {}

    def mark(self, name: str) -> Path:
        """Return the path of a marker file, which the load generator or the test creates."""
        return self.file.with_name(f"{self.file.name}.{name}")

    @property
    def errors(self) -> list[t.Any]:
        """Return the errors of all phases."""
        return [text for phase in self.report["phases"].values() for text in phase["error_texts"]]

    @property
    def failed(self) -> int:
        """Return the number of failed requests in all phases."""
        return sum(phase["errors"] for phase in self.report["phases"].values())


class TestHost:
    """A test host, with access as administrator of its services and as a client on it."""

    __test__ = False  # pytest must not collect it where a test module imports it

    wait_until = staticmethod(wait_until)
    # The superuser of Postgres on the host, and psql's options to connect to it.
    postgres: t.ClassVar = ("langgraph-postgres", ("-h", "/run/langgraph-postgres"))

    def __init__(self, host: t.Any, redis_administrator: str = ADMIN) -> None:
        self.host = host
        self.name = host.backend.name
        self._redis = redis_administrator

    @staticmethod
    def database(name: str) -> str:
        """Return the name of the Postgres database of a deployment."""
        return name.replace("-", "_")

    def redis(self, *words: str) -> str:
        """Run one command in Redis as its administrator."""
        return self.host.check_output(f"{self._redis} {' '.join(words)}")

    def sql(self, database_name: str, statement: str) -> str:
        """Run one statement in Postgres as its superuser."""
        user, way = self.postgres
        command = ["docker", "exec", "-i", "-u", user, self.name, "psql", "-qAtX", *way, "-d", database_name]
        return subprocess.run(command, input=statement, capture_output=True, text=True, check=True).stdout.strip()

    def numbers(self) -> dict[str, int]:
        """Return the Redis database number of each deployment, from the claims."""
        return {name: int(claim.split()[0]) for name, claim in self.claims().items() if not name.startswith(":")}

    def claims(self) -> dict[str, str]:
        """Return the raw record in Redis: number and owner per deployment, and the fields about the server."""
        return json.loads(self.redis("--json", "HGETALL", "selfhost.langgraph:claims"))

    def settings(self, name: str) -> dict[str, t.Any]:
        """Return the deployment's record, with its serving revision and its address."""
        return json.loads(self.host.check_output(f"cat /etc/langgraph/{name}/deployment.json"))

    def instance(self, name: str) -> str:
        """Return NAME.N of the serving revision."""
        return f"{name}.{self.settings(name)['serving']}"

    def unit(self, name: str) -> t.Any:
        """Return the unit of the serving revision."""
        return self.host.service(f"langgraph@{self.instance(name)}")

    def container(self, name: str) -> dict[str, str]:
        """Return id and start time of the serving container of a deployment."""
        return self._inspect(f"langgraph-{self.instance(name)}")

    def containers(self) -> dict[str, dict[str, str]]:
        """Return id and start time of the container of every running revision, including draining ones."""
        names = self.host.check_output("docker ps --format '{{.Names}}' --filter name=langgraph-").split()
        return {name: self._inspect(name) for name in names}

    def _inspect(self, container: str) -> dict[str, str]:
        found = json.loads(self.host.check_output(f"docker inspect --format '{{{{json .}}}}' {container}"))
        return {"id": found["Id"], "started": found["State"]["StartedAt"]}

    def revisions(self, name: str) -> list[int]:
        """Return the numbers of the kept revisions, ascending."""
        return sorted(int(number) for number in self.host.check_output(f"ls /etc/langgraph/{name}/revisions").split())

    def drained(self, name: str = "*", seconds: float = 90) -> None:
        """Wait until no revision of a deployment, or of any deployment, drains."""
        units = f"systemctl list-units --plain --no-legend --state=active,activating 'langgraph-drain@{name}.*'"
        assert wait_until(lambda: not self.host.run(units).stdout.strip(), seconds)

    def build(self, tag: str, dockerfile: str) -> None:
        """Build an image on the host from its existing images, with the engine's own builder."""
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
        """Run api_client.py in the network of the host, like a program on that machine."""
        command = [*self._in_network(), str(API_CLIENT), *arguments]
        return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    @contextlib.contextmanager
    def load(self, directory: Path, port: int, *arguments: str) -> t.Iterator[Load]:
        """Run load_generator.py against a deployment while the block runs; the report is available afterwards."""
        load = Load(directory / f"load-{time.time_ns()}")
        command = [*self._in_network(), str(LOAD_GENERATOR), f"http://127.0.0.1:{port}", "--report", str(load.file)]
        command += ["--until", str(load.mark("stop")), "--seconds", "1", *arguments]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            assert wait_until(load.mark("before").exists, 30)
            yield load
        finally:
            load.mark("stop").touch()
            process.wait(900)
        load.report = json.loads(load.file.read_text())

    def nothing_lost(self, load: Load) -> None:
        """Check that no request failed, no stream was cut, and every run succeeded exactly once.

        The messages are strings: pytest prints them whole, and the end of a gate's log is often all that is kept.
        """
        assert load.failed == 0, str(load.errors)
        streams, runs = load.report["streams"], load.report["runs"]
        assert streams["cut"] == 0, str(streams)
        assert runs["success"] == runs["asked"] > 0, self._history(runs)

    def _history(self, runs: dict[str, t.Any]) -> str:
        """Return what is known of lost runs: their results, and what the servers logged of the first one."""
        lines = [f"{key}: {runs[key]}" for key in ("asked", "created", "statuses", "not_created", "lost_runs")]
        for run in runs["lost_runs"][:1]:
            logged = self.host.run("journalctl --unit 'langgraph@*' --output short-precise | grep -F %s", run["run"])
            lines += [line[:280] for line in logged.stdout.splitlines()[-6:]]
        return "\n".join(lines)

    def _in_network(self) -> list[str]:
        """Return the command that runs Python in the network of the host."""
        pid = subprocess.check_output(["docker", "inspect", "-f", "{{.State.Pid}}", self.name], text=True).strip()
        return ["nsenter", "--net", "--target", pid, "--", sys.executable]

    def play(self, *arguments: str, **variables: t.Any) -> subprocess.CompletedProcess[str]:
        """Run the role langgraph only on this host, with variables on top of the inventory's."""
        return self._playbook(str(PROJECT / "molecule/tasks/deploy.yml"), arguments, variables)

    def site(self, *arguments: str, **variables: t.Any) -> subprocess.CompletedProcess[str]:
        """Run the playbook site only on this host, with variables on top of the inventory's."""
        return self._playbook("selfhost.langgraph.site", arguments, variables)

    def rollback(self, name: str, **variables: t.Any) -> subprocess.CompletedProcess[str]:
        """Run the playbook rollback only on this host."""
        return self._playbook("selfhost.langgraph.rollback", (), {"deployment": name, **variables})

    def rotate(self, name: str, **variables: t.Any) -> subprocess.CompletedProcess[str]:
        """Run the playbook rotate only on this host."""
        return self._playbook("selfhost.langgraph.rotate", (), {"deployment": name, **variables})

    def credentials(self, name: str) -> str:
        """Return the addresses and passwords of the deployment's services, in the form its containers get them."""
        return self.host.check_output(f"cat /etc/langgraph/{name}/credentials") + "\n"

    def refused(self, credentials: str, seconds: float = 0) -> dict[str, float | None]:
        """Log in repeatedly; return when Postgres and Redis first refused the credentials, in seconds since 1970."""
        with self.logins(credentials, seconds) as answers:
            pass
        return answers

    @contextlib.contextmanager
    def logins(self, credentials: str, seconds: float) -> t.Iterator[dict[str, float | None]]:
        """Run logins.py with credentials while the block runs; the yielded mapping is filled at the end."""
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
        """Return the playbook status's JSON output: description per deployment."""
        done = self._playbook(
            "selfhost.langgraph.status", (), {"format": "json"}, ANSIBLE_CALLBACK_RESULT_FORMAT="json"
        )
        assert done.returncode == 0, done.stdout
        shown = json.loads(re.search(r"^ok: .* => (\{\n.*?^\})", done.stdout, re.DOTALL | re.MULTILINE)[1])
        return {item["name"]: item for item in shown["msg"]["deployments"]}

    def remove(self, name: str, *arguments: str, **variables: t.Any) -> subprocess.CompletedProcess[str]:
        """Run the playbook remove only on this host, which shares its services with no other host."""
        return self._playbook("selfhost.langgraph.remove", arguments, {"deployment": name, **variables})

    def _playbook(
        self, playbook: str, arguments: t.Sequence[str], variables: t.Mapping[str, t.Any], **settings: str
    ) -> subprocess.CompletedProcess[str]:
        return run_playbook(INVENTORY, playbook, ("--limit", self.name, *arguments), variables, **settings)


@pytest.fixture(scope="module")
def test_host(host) -> TestHost:
    """Return the test host."""
    return TestHost(host)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers."""
    config.addinivalue_line("markers", "release(name): a long test that one release of Debian runs for both")
    config.addinivalue_line(
        "markers", "essential(name): a test that always runs; of two releases of Debian, on the named one"
    )


def essential(item: pytest.Item) -> bool:
    """Return whether a test must not be skipped on this host."""
    marker = item.get_closest_marker("essential")
    return marker is not None and all(release in item.config.getoption("hosts") for release in marker.args)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run essential tests first, so that all of them have run when the time is over."""
    items.sort(key=lambda item: not essential(item))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a long test on other releases than the marked one, and if the time of the gate is nearly over."""
    marker = item.get_closest_marker("release")
    if marker and marker.args[0] not in item.config.getoption("hosts") and not os.environ.get(EVERYWHERE):
        pytest.skip(f"{marker.args[0]} runs it")
    if late() and not essential(item):
        pytest.skip("left out, the gate is late; its scenario alone runs it")
