# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The helper that units run on the host; Molecule tests it with a real engine."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.selfhost.langgraph.plugins.module_utils._host import docker_engine
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.model import make_record
from ansible_collections.selfhost.langgraph.tests.unit.plugins.module_utils._rollout.fake_host import content_of
from ansible_collections.selfhost.langgraph.tests.unit.roles.helper import ROOT, load

SECONDS = {2: 1, 3: 2, 4: 4, 8: 60, 50: 60}
CONTENT = content_of(memory="1g")
ARGUMENTS = [
    *("--network", "langgraph", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
    *("--memory", "1g", "--memory-swap", "1g", "sha256:one"),
]
# The original function, before a test patches it.
run_program = subprocess.run
LABEL = f"{CONTENT.config} 127.0.0.1:30001"


class Engine:
    """The Docker client and systemctl: their calls, and the only container."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.found: dict[str, t.Any] | None = None
        self.answers = True
        self.restarts = 0

    def run(self, command: list[str], **more: t.Any) -> subprocess.CompletedProcess[str]:
        if command[0] == sys.executable:
            return run_program(command, check=more.pop("check", False), **more)
        if command[0] == "systemctl":
            return subprocess.CompletedProcess(command, 0, f"{self.restarts}\n", "")
        if command[1:3] != ["container", "inspect"]:
            self.calls.append(command[1:])
            return subprocess.CompletedProcess(command, 0, "", "")
        if not self.answers:
            return subprocess.CompletedProcess(command, 1, "", "Cannot connect to the Docker daemon")
        if self.found is None:
            return subprocess.CompletedProcess(command, 1, "", "Error: No such container: x")
        return subprocess.CompletedProcess(command, 0, json.dumps([self.found]), "")


@pytest.fixture
def helper(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> t.Any:
    """Return the helper as a module, with its files below ``tmp_path``."""
    module = load("langgraph-container", monkeypatch)
    monkeypatch.setattr(module, "CONFIG_DIR", str(tmp_path))
    monkeypatch.setattr(module, "LOG_FILE", str(tmp_path / "container-log.json"))
    monkeypatch.setattr(module.time, "sleep", lambda _seconds: None)
    return module


@pytest.fixture
def engine(helper: t.Any, monkeypatch: pytest.MonkeyPatch) -> Engine:
    engine = Engine()
    monkeypatch.setattr(helper.subprocess, "run", engine.run)
    return engine


@pytest.fixture
def revision(helper: t.Any, tmp_path: Path) -> t.Any:
    """Revision 3 of bot."""
    return written(helper, tmp_path)


def written(helper: t.Any, directory: Path, address: str = "127.0.0.1", **more: t.Any) -> t.Any:
    path = directory / "bot/revisions/3"
    path.mkdir(parents=True)
    record = make_record(CONTENT, 3, reasons=(), by="ann", at="now", schema=None)
    (path / "revision.json").write_text(json.dumps(record))
    (path / "slot.json").write_text(json.dumps({"address": address, "port": 30001, "healthy_deadline": 2, **more}))
    return helper.Revision("bot.3")


def state(running: bool = False, minute: int = 0, label: str = LABEL) -> dict[str, t.Any]:
    """Return a container that ended this many minutes after its start."""
    times = {"StartedAt": "2026-01-31T12:00:00.123456789Z", "FinishedAt": f"2026-01-31T12:{minute:02}:01Z"}
    labels = {"selfhost.langgraph.config": label}
    return {"State": {"Running": running, **times}, "Config": {"Labels": labels}}


# Restarts


@pytest.fixture
def slept(helper: t.Any, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> t.Callable[[int, t.Any], list[int]]:
    """Return how long the helper waits at the n-th restart."""

    def run(restarts: int, found: t.Any) -> list[int]:
        naps: list[int] = []
        engine.restarts = restarts
        monkeypatch.setattr(helper.time, "sleep", naps.append)
        helper.back_off("langgraph@bot.3.service", found)
        return naps

    return run


@pytest.mark.parametrize("restarts", [0, 1])
def test_the_first_restart_does_not_wait(slept: t.Any, restarts: int) -> None:
    assert slept(restarts, state()) == []


@pytest.mark.parametrize(("restarts", "seconds"), SECONDS.items())
def test_later_restarts_wait_longer_up_to_a_minute(slept: t.Any, restarts: int, seconds: int) -> None:
    assert slept(restarts, state()) == [seconds]


def test_a_server_that_had_recovered_starts_over(slept: t.Any) -> None:
    assert slept(9, state(minute=11)) == []
    assert slept(9, state(minute=9)) == [60]


def test_a_container_that_outlived_the_engine_is_attached_at_once(slept: t.Any) -> None:
    assert slept(9, state(running=True)) == []


def test_a_container_that_cannot_be_created_is_not_retried_every_second(slept: t.Any) -> None:
    assert slept(0, None) == []
    assert slept(9, None) == [60]


def test_a_container_that_never_started_counts_as_crashed(slept: t.Any) -> None:
    never = {"State": {"Running": False, "StartedAt": "0001-01-01T00:00:00Z", "FinishedAt": "0001-01-01T00:00:00Z"}}
    assert slept(2, never) == [1]


# Containers


def test_the_engine_keeps_as_much_log_as_the_role_configured(helper: t.Any) -> None:
    Path(helper.LOG_FILE).write_text('{"max-size": "1m", "max-file": "2"}')
    assert helper.log_options() == ["--log-driver", "json-file", "--log-opt", "max-size=1m", "--log-opt", "max-file=2"]


def test_the_label_of_our_containers_is_the_one_that_the_check_knows(helper: t.Any) -> None:
    assert helper.CONFIG_LABEL == docker_engine.LABEL


def test_the_role_and_the_helper_have_the_same_log_limits() -> None:
    defaults = yaml.safe_load((ROOT / "roles/docker/defaults/main.yml").read_text())
    constants = yaml.safe_load((ROOT / "roles/docker/vars/main.yml").read_text())
    text = (ROOT / "roles/langgraph/files/langgraph-container.py").read_text()
    options = {"max-size": defaults["docker_log_max_size"], "max-file": str(defaults["docker_log_max_files"])}
    assert f"LOG_OPTIONS = {json.dumps(options)}\n" in text
    assert f'LOG_FILE = "{constants["_docker_log_file"]}"\n' in text


@pytest.fixture
def create(helper: t.Any, revision: t.Any) -> list[str]:
    """Return the command that creates the container of a deployment without a credentials file."""
    return creation(helper)


def creation(helper: t.Any, credentials: str = "", file: str = "") -> list[str]:
    return [
        *("create", "--init", "--name", "langgraph-bot.3", "--hostname", "bot", "--restart", "no"),
        *("--label", f"selfhost.langgraph.config={LABEL}", "--publish", "127.0.0.1:30001:8000"),
        *("--label", f"selfhost.langgraph.credentials={digest(credentials) if credentials else ''}"),
        *("--log-driver", "json-file", "--log-opt", "max-size=10m", "--log-opt", "max-file=3"),
        *("--env-file", f"{helper.CONFIG_DIR}/bot/revisions/3/environment"),
        *(("--env-file", f"{helper.CONFIG_DIR}/bot/{file}") if file else ()),
        *ARGUMENTS,
    ]


def test_all_options_of_a_container(helper: t.Any) -> None:
    content = content_of(memory="1g", cpus=0.5, user="7:8", read_only=True)
    record = json.loads(json.dumps(make_record(content, 3, reasons=(), by="ann", at="now", schema=None)))
    assert helper.container_options(record) == [
        *ARGUMENTS[:-1],
        *("--cpus", "0.5", "--user", "7:8", "--read-only", "--tmpfs", "/tmp", "sha256:one"),
    ]


def test_a_container_of_an_earlier_version_is_created_as_it_was(helper: t.Any) -> None:
    assert helper.container_options({"image_id": "sha256:one", "arguments": ["--memory", "1g", "x"]}) == [
        "--memory",
        "1g",
        "x",
    ]


def test_prepare_creates_a_container(helper: t.Any, engine: Engine, revision: t.Any, create: list[str]) -> None:
    helper.prepare(revision)
    assert engine.calls == [create]


@pytest.mark.parametrize("running", [True, False])
def test_prepare_keeps_a_matching_container(helper: t.Any, engine: Engine, revision: t.Any, running: bool) -> None:
    engine.found = state(running)
    helper.prepare(revision)
    assert engine.calls == []


@pytest.mark.parametrize("label", [f"{CONTENT.config} 127.0.0.1:30002", f"{'0' * 64} 127.0.0.1:30001", ""])
def test_prepare_replaces_a_different_container(
    helper: t.Any, engine: Engine, revision: t.Any, create: list[str], label: str
) -> None:
    engine.found = state(True, label=label)
    helper.prepare(revision)
    stop = ["stop", "--time", "180", "langgraph-bot.3"]
    assert engine.calls == [stop, ["rm", "--force", "langgraph-bot.3"], create]


# Credentials


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def write_credentials(revision: t.Any, current: str, staged: str = "", recorded: str = "") -> None:
    """Write the credentials of the deployment, and record those of the revision in its endpoint."""
    directory = Path(revision.directory).parent.parent
    (directory / "credentials").write_text(current)
    if staged:
        (directory / "credentials.new").write_text(staged)
    if recorded:
        revision.endpoint["credentials"] = digest(recorded)


def test_prepare_passes_the_current_credentials_last(helper: t.Any, engine: Engine, revision: t.Any) -> None:
    """The engine uses the last of two files, so values that an earlier version wrote to the first do not count."""
    write_credentials(revision, "REDIS_URI=today\n")
    helper.prepare(revision)
    assert engine.calls == [creation(helper, "REDIS_URI=today\n", "credentials")]


@pytest.mark.parametrize(
    ("recorded", "file"), [("new", "credentials.new"), ("old", "credentials"), ("", "credentials")]
)
def test_staged_credentials_are_for_the_revision_that_records_them(
    helper: t.Any, engine: Engine, revision: t.Any, recorded: str, file: str
) -> None:
    write_credentials(revision, "old", staged="new", recorded=recorded)
    helper.prepare(revision)
    assert engine.calls == [creation(helper, "new" if file.endswith(".new") else "old", file)]


@pytest.mark.parametrize(
    ("running", "made_with", "kept"),
    [(True, "before", True), (False, "before", False), (False, "today", True), (True, "today", True)],
)
def test_other_credentials_replace_a_stopped_container(
    helper: t.Any, engine: Engine, revision: t.Any, running: bool, made_with: str, kept: bool
) -> None:
    write_credentials(revision, "today", recorded="today")
    engine.found = state(running)
    engine.found["Config"]["Labels"]["selfhost.langgraph.credentials"] = digest(made_with)
    helper.prepare(revision)
    assert [call[0] for call in engine.calls] == ([] if kept else ["stop", "rm", "create"])


@pytest.mark.parametrize(("recorded", "kept"), [("", True), ("today", False)])
def test_a_container_of_an_earlier_version_is_kept_until_its_slot_records_credentials(
    helper: t.Any, engine: Engine, revision: t.Any, recorded: str, kept: bool
) -> None:
    write_credentials(revision, "today", recorded=recorded)
    engine.found = state(False)
    helper.prepare(revision)
    assert (engine.calls == []) is kept


def test_an_engine_that_does_not_answer_does_not_mean_that_the_container_is_missing(
    helper: t.Any, engine: Engine, revision: t.Any
) -> None:
    engine.answers = False
    with pytest.raises(SystemExit, match="^Cannot connect to the Docker daemon$"):
        helper.prepare(revision)
    assert engine.calls == []


@pytest.mark.parametrize(
    ("address", "publish", "url"),
    [
        ("127.0.0.1", "127.0.0.1:30001", "http://127.0.0.1:30001"),
        ("0.0.0.0", "0.0.0.0:30001", "http://127.0.0.1:30001"),
        ("::", "[::]:30001", "http://[::1]:30001"),
        ("fd00::5", "[fd00::5]:30001", "http://[fd00::5]:30001"),
    ],
)
def test_published_address(helper: t.Any, tmp_path: Path, address: str, publish: str, url: str) -> None:
    revision = written(helper, tmp_path, address)
    assert (revision.place, revision.url) == (publish, url)
    assert revision.place_options == ["--publish", f"{publish}:8000"]


def test_a_containers_own_address_is_not_published(helper: t.Any, tmp_path: Path) -> None:
    revision = written(helper, tmp_path, "172.29.128.1", port=8000, network="langgraph")
    assert (revision.place, revision.url) == ("172.29.128.1:8000", "http://172.29.128.1:8000")
    assert revision.place_options == ["--ip", "172.29.128.1"]


def test_the_firewall_is_loaded_before_a_container_is_created(
    helper: t.Any, engine: Engine, revision: t.Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container whose traffic cannot be restricted does not start."""
    firewall = tmp_path / "langgraph-firewall.py"
    monkeypatch.setattr(helper, "FIREWALL", str(firewall))
    firewall.write_text("import sys; sys.exit('nft does not load the table')")
    with pytest.raises(SystemExit, match="^nft does not load the table$"):
        helper.prepare(revision)
    assert engine.calls == []
    firewall.write_text("")
    helper.prepare(revision)
    assert [call[0] for call in engine.calls] == ["create"]


DOCKER = """#!/bin/sh
echo "$@" >>"$0.calls"
case $1 in
  container) cat "$0.found" 2>/dev/null || { echo "Error: No such container: x" >&2; exit 1; } ;;
  start | attach)
    trap : TERM  # lost, as where the container does not run yet
    touch "$0.running"
    while [ -e "$0.running" ]; do sleep 0.01; done
    exit 7 ;;
  kill)
    signals=$(grep -c ^kill "$0.calls")
    [ "$signals" -lt 3 ] || rm "$0.running" ;;
  stop) rm "$0.running" ;;
esac
"""


class Run:
    """Run the step ``run`` as a separate process, with a Docker client that records its calls."""

    def __init__(self, helper: t.Any, directory: Path) -> None:
        self.docker = directory / "docker"
        self.docker.write_text(DOCKER)
        self.docker.chmod(0o755)
        environment = {"PATH": f"{directory}:{os.environ['PATH']}", "LANGGRAPH_CONFIG_DIR": helper.CONFIG_DIR}
        self.command, self.environment = [sys.executable, helper.__file__, "run", "bot.3"], environment

    def start(self) -> None:
        self.process = subprocess.Popen(self.command, env=self.environment)
        self.wait_for(self.running)

    @property
    def running(self) -> Path:
        return Path(f"{self.docker}.running")

    @property
    def calls(self) -> list[str]:
        return Path(f"{self.docker}.calls").read_text().splitlines()

    @staticmethod
    def wait_for(path: Path) -> None:
        deadline = time.monotonic() + 20
        while not path.exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)


@pytest.fixture
def run_process(helper: t.Any, revision: t.Any, tmp_path: Path) -> t.Iterator[Run]:
    """Start the step, and end it with the test."""
    run = Run(helper, tmp_path)
    yield run
    run.running.unlink(missing_ok=True)
    run.process.wait(20)


@pytest.mark.parametrize(("running", "verb"), [(True, "attach --no-stdin"), (False, "start --attach")])
def test_run_ends_as_the_container_does(run_process: Run, running: bool, verb: str) -> None:
    Path(f"{run_process.docker}.found").write_text(json.dumps([state(running)]))
    run_process.start()
    run_process.running.unlink()
    assert run_process.process.wait(20) == 7
    assert run_process.calls == ["container inspect langgraph-bot.3", f"{verb} langgraph-bot.3"]


def test_run_signals_the_container_until_it_ends(run_process: Run) -> None:
    """A container that does not run yet receives no signal, and one that was just started may lose it."""
    run_process.start()
    run_process.process.send_signal(signal.SIGTERM)
    assert run_process.process.wait(20) == 7
    assert run_process.calls[2:] == ["kill --signal TERM langgraph-bot.3"] * 3


def test_run_kills_a_container_that_does_not_end(run_process: Run, helper: t.Any) -> None:
    """After the full time that a server has to drain."""
    path = Path(helper.CONFIG_DIR) / "bot/revisions/3/revision.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "drain_seconds": 0}))
    run_process.start()
    run_process.process.send_signal(signal.SIGTERM)
    assert run_process.process.wait(20) == 7
    assert run_process.calls[2:] == ["stop --time 1 langgraph-bot.3"]


def answers(*healthy: bool) -> t.Callable[..., t.Any]:
    """The answers of the server in order; the last one repeats."""
    left = list(healthy)

    def ask(_url: str, timeout: float) -> t.Any:
        assert timeout == 5
        return type("Answer", (), {"ok": left.pop(0) if len(left) > 1 else left[0]})

    return ask


def test_wait_until_it_is_healthy(
    helper: t.Any, engine: Engine, revision: t.Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["_probe"], "ask", answers(False, False, True))
    helper.wait(revision)
    assert engine.calls == []


def test_wait_no_longer_than_the_deadline(
    helper: t.Any, engine: Engine, revision: t.Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter((0.0, 1.0, 2.0, 2.1))
    monkeypatch.setattr(sys.modules["_probe"], "ask", answers(False))
    monkeypatch.setattr(helper.time, "monotonic", lambda: next(times))
    with pytest.raises(SystemExit, match="^no healthy answer from http://127.0.0.1:30001/ok within 2 s$"):
        helper.wait(revision)
    assert engine.calls == [["stop", "--time", "10", "langgraph-bot.3"]]


def test_wait_ends_with_the_container(
    helper: t.Any, engine: Engine, revision: t.Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["_probe"], "ask", answers(False))
    monkeypatch.setenv("MAINPID", "4194304")
    with pytest.raises(SystemExit, match="^the container exited before it answered http://127.0.0.1:30001/ok$"):
        helper.wait(revision)


def test_stop_waits_for_the_server(
    helper: t.Any, engine: Engine, revision: t.Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAINPID", "1")
    helper.stop(revision)
    assert engine.calls == [["stop", "--time", "180", "langgraph-bot.3"]]


def test_stop_ignores_a_container_whose_client_has_ended(
    helper: t.Any, engine: Engine, revision: t.Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MAINPID", raising=False)
    helper.stop(revision)
    assert engine.calls == []


@pytest.mark.parametrize("words", [[], ["prepare"], ["remove", "bot.3"], ["prepare", "bot.3", "more"]])
def test_anything_else_is_refused(helper: t.Any, monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["langgraph-container.py", *words])
    with pytest.raises(SystemExit, match=r"; usage: langgraph-container.py prepare\|run\|wait\|stop NAME.N$"):
        helper.main()
