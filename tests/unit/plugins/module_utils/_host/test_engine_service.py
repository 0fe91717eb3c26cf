# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An engine's options carried out, and the same again after a run that was killed anywhere."""

from __future__ import annotations

import json
import subprocess
import typing as t
from pathlib import Path

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._host import engine_service
from ansible_collections.selfhost.langgraph.plugins.module_utils._host.engine_service import EngineServiceError

PARAMS: dict[str, t.Any] = {"live_restore": True, "registry_mirrors": [], "insecure_registries": [], "options": {}}
SHOP = {"data-root": "/srv/docker", "registry-mirrors": ["https://shop"]}


class Killed(BaseException):
    """The process is gone."""


class Daemon:
    """dockerd and its unit: what it runs with, and what it was asked."""

    def __init__(self, folder: Path) -> None:
        self.file, self.record = folder / "etc/daemon.json", folder / "lib/record.json"
        self.version, self.running, self.refuses, self.deaf = "26.1.5", True, "", False
        self.asked: list[str] = []
        self.found = True
        self.config: dict[str, t.Any] = {}
        self.now, self.started = 100.0, 50.0
        self.kill_at = ""

    def write(self, options: dict[str, t.Any]) -> None:
        self.file.parent.mkdir(exist_ok=True)
        self.file.write_text(json.dumps(options))

    def start(self) -> None:
        self.config = json.loads(self.file.read_text()) if self.file.exists() else {}
        self.running, self.started = True, self.now

    @property
    def written(self) -> dict[str, t.Any]:
        return json.loads(self.file.read_text())

    def ask(self, path: str) -> t.Any:
        if not self.running:
            return None
        if path == "/networks":
            return []
        return {
            "ServerVersion": self.version,
            "LiveRestoreEnabled": self.config.get("live-restore", False),
            "DockerRootDir": self.config.get("data-root", "/var/lib/docker"),
            "Driver": "overlay2",
            "RegistryConfig": {"Mirrors": [f"{one}/" for one in self.config.get("registry-mirrors", [])]},
        }

    def run(self, command: t.Sequence[str], **_more: t.Any) -> subprocess.CompletedProcess[str]:
        done = subprocess.CompletedProcess(list(command), 0, "", "")
        if command[:2] == ["systemctl", "show"]:
            state = ("loaded" if self.found else "not-found", "active" if self.running else "inactive")
            text = "LoadState={}\nActiveState={}\nMainPID={}\n".format(*state, 77 if self.running else 0)
            done.stdout = text + "ExecStart={ path=/usr/sbin/dockerd ; argv[]=/usr/sbin/dockerd -H fd:// ; x }\n"
        elif command[0] == "systemctl":
            self.asked.append(command[1])
            self.now += 10
            if command[1] in ("reload", "reload-or-restart") and self.running and not self.deaf:
                kept = {
                    key: value
                    for key, value in self.config.items()
                    if key not in engine_service.engine_options.RELOADED
                }
                new = {
                    key: value for key, value in self.written.items() if key in engine_service.engine_options.RELOADED
                }
                self.config = {**kept, **new}
            elif command[1] in ("restart", "reload-or-restart"):
                self.running = self.refuses not in self.written if self.refuses else True
                done.returncode = 0 if self.running else 1
                if self.running:
                    self.start()
        elif "--validate" in command:
            self.asked.append("validate")
            if self.refuses in json.loads(Path(command[-1]).read_text()):
                done.returncode, done.stderr = (
                    1,
                    f"unable to configure: unknown option {self.refuses} in {command[-1]}\n",
                )
        elif "--version" in command:
            done.stdout = f"Docker version {self.version}, build 1\n"
        return done

    def failpoint(self, stage: str) -> None:
        if stage == self.kill_at:
            raise Killed

    def look(self) -> engine_service.Look:
        return engine_service.look()

    def problems(self, **params: t.Any) -> list[str]:
        return list(engine_service.problems({**PARAMS, **params}, self.look()))

    def apply(self, **params: t.Any) -> bool:
        """One run of the module; whether it changed anything."""
        seen = self.look()
        assert list(engine_service.problems({**PARAMS, **params}, seen)) == []
        plan = engine_service.make_plan({**PARAMS, **params}, seen)
        engine_service.carry_out(plan, seen)
        return plan.changed


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Daemon:
    """An engine of a shop, with its own options."""
    daemon = Daemon(tmp_path)
    monkeypatch.setattr(engine_service, "run", daemon.run)
    monkeypatch.setattr(engine_service, "ask", daemon.ask)
    monkeypatch.setattr(engine_service, "failpoint", daemon.failpoint)
    monkeypatch.setattr(engine_service, "RECORD", str(daemon.record))
    monkeypatch.setattr(engine_service.engine_options, "FILE", str(daemon.file))
    monkeypatch.setattr(engine_service, "_command_of", lambda _process: ["/usr/sbin/dockerd", "-H", "fd://"])
    monkeypatch.setattr(engine_service, "_now", lambda: daemon.now)
    monkeypatch.setattr(engine_service, "_is_of", lambda _program, packages: "docker.io" in packages)
    monkeypatch.setattr(engine_service, "_started", lambda _process: daemon.started)
    monkeypatch.setattr(engine_service.time, "sleep", lambda _seconds: None)
    monkeypatch.setattr(engine_service, "_READ_AGAIN_SECONDS", 0)
    monkeypatch.setattr(engine_service, "_START_SECONDS", 1)
    daemon.write(SHOP)
    daemon.start()
    return daemon


def ours(daemon: Daemon) -> None:
    """The role installed it."""
    daemon.record.parent.mkdir(exist_ok=True)
    daemon.record.write_text('{"installed": true, "packages": ["docker.io"]}')
    daemon.file.unlink()
    daemon.start()


def test_a_stranger_gets_one_key_by_a_reload(daemon: Daemon) -> None:
    daemon.file.chmod(0o640)
    assert daemon.apply() is True
    assert daemon.written == {**SHOP, "live-restore": True}
    assert daemon.config["live-restore"] is True
    assert daemon.asked == ["validate", "reload"]
    assert oct(daemon.file.stat().st_mode & 0o777) == "0o640"
    assert [path.name for path in daemon.file.parent.iterdir()] == ["daemon.json"]
    assert daemon.apply() is False
    assert daemon.asked == ["validate", "reload"]


def test_a_file_that_has_it_all_stays_byte_by_byte(daemon: Daemon) -> None:
    text = '{"live-restore":true,\n\n "data-root":"/srv/docker"}'
    daemon.file.write_text(text)
    daemon.start()
    assert daemon.apply() is False
    assert daemon.file.read_text() == text
    # And is not taken back one day: it was never the role's.
    assert daemon.apply(live_restore=False) is False
    assert daemon.file.read_text() == text


def test_what_the_role_wrote_goes_again(daemon: Daemon) -> None:
    daemon.apply(registry_mirrors=["https://ours"])
    assert daemon.config["registry-mirrors"] == ["https://shop", "https://ours"]
    assert daemon.apply(registry_mirrors=[]) is True
    assert daemon.config["registry-mirrors"] == ["https://shop"]
    assert daemon.apply(registry_mirrors=[]) is False


@pytest.mark.parametrize("stage", ["recorded", "written", "noted"])
def test_killed_before_the_engine_has_read_it(daemon: Daemon, stage: str) -> None:
    daemon.kill_at = stage
    with pytest.raises(Killed):
        daemon.apply(registry_mirrors=["https://ours"])
    daemon.kill_at = ""
    # The next one may want something else: what the killed one has written is the role's all the same.
    assert daemon.apply(registry_mirrors=["https://other"]) is True
    assert daemon.written == {
        "data-root": "/srv/docker",
        "registry-mirrors": ["https://shop", "https://other"],
        "live-restore": True,
    }
    assert (daemon.config["live-restore"], daemon.config["registry-mirrors"]) == (
        True,
        ["https://shop", "https://other"],
    )
    assert daemon.apply(registry_mirrors=["https://other"]) is False


@pytest.mark.parametrize("stage", ["recorded", "written"])
def test_killed_before_or_after_the_file_both_values_are_the_roles(daemon: Daemon, stage: str) -> None:
    ours(daemon)
    daemon.apply(options={"log-level": "warn"})
    daemon.kill_at = stage
    with pytest.raises(Killed):
        daemon.apply(options={"log-level": "error"})
    daemon.kill_at = ""
    assert daemon.apply(options={"log-level": "debug"}) is True
    assert daemon.config["log-level"] == "debug"


@pytest.mark.parametrize("stage", ["", "recorded", "written", "noted", "read again"])
def test_one_of_the_roles_own_is_restarted_once_whenever_the_run_was_killed(daemon: Daemon, stage: str) -> None:
    ours(daemon)
    daemon.apply()
    daemon.asked.clear()
    if stage:
        daemon.kill_at = stage
        with pytest.raises(Killed):
            daemon.apply(options={"log-level": "warn"})
        assert "restart" not in daemon.asked
        daemon.kill_at = ""
    assert daemon.apply(options={"log-level": "warn"}) is True
    assert daemon.asked.count("restart") == 1
    assert daemon.config == {"live-restore": True, "log-level": "warn"}
    assert daemon.apply(options={"log-level": "warn"}) is False


def test_containers_go_on_before_the_engine_is_restarted(daemon: Daemon) -> None:
    ours(daemon)
    daemon.apply(options={"log-level": "warn"})
    assert daemon.asked == ["validate", "reload", "restart"]


def test_a_file_that_the_engine_does_not_take_never_takes_its_place(daemon: Daemon) -> None:
    ours(daemon)
    daemon.apply()
    before = daemon.file.read_bytes()
    daemon.refuses = "misspelt"
    with pytest.raises(
        EngineServiceError, match="nothing was changed: unable to configure: unknown option misspelt in .*daemon.json$"
    ):
        daemon.apply(options={"misspelt": 1})
    assert daemon.file.read_bytes() == before
    assert [path.name for path in daemon.file.parent.iterdir()] == ["daemon.json"]
    assert daemon.apply() is False


def test_one_that_cannot_judge_it_gets_its_file_back(daemon: Daemon) -> None:
    ours(daemon)
    daemon.version = "20.10.24+dfsg1"
    daemon.apply()
    before = daemon.file.read_bytes()
    daemon.refuses = "misspelt"
    with pytest.raises(EngineServiceError, match="does not start with the new options.* was restored"):
        daemon.apply(options={"misspelt": 1})
    assert (daemon.file.read_bytes(), daemon.running) == (before, True)
    assert daemon.apply() is False


def test_one_that_reads_nothing_again_gets_its_file_back(daemon: Daemon) -> None:
    daemon.deaf = True
    with pytest.raises(EngineServiceError, match="still runs without live-restore.* was restored"):
        daemon.apply()
    assert daemon.written == SHOP


def test_one_that_stands_still_gets_its_options_for_its_next_start(daemon: Daemon) -> None:
    ours(daemon)
    daemon.running = False
    assert daemon.apply(options={"data-root": "/mnt/docker"}) is True
    assert daemon.asked == ["validate"]
    daemon.start()
    assert daemon.apply(options={"data-root": "/mnt/docker"}) is False


def test_no_engine_and_no_file(daemon: Daemon) -> None:
    daemon.found = daemon.running = False
    assert daemon.problems() == []
    daemon.file.write_text("[]")
    (found,) = daemon.problems()
    assert "is not a JSON object; correct or remove it first" in found


def test_an_engine_that_another_package_brought_is_not_the_roles(daemon: Daemon) -> None:
    daemon.record.parent.mkdir()
    daemon.record.write_text('{"installed": true, "packages": ["other"]}')
    assert daemon.look().engine.ours is False
    daemon.record.write_text('{"installed": true, "packages": ["docker.io"]}')
    assert daemon.look().engine.ours is True


def test_a_package_of_one_version_is_found_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_service.apt, "LISTS", str(tmp_path))
    (tmp_path / "docker-ce.list").write_text(f"/.\n{tmp_path.resolve()}/dockerd\n")
    assert engine_service._is_of(f"{tmp_path}/dockerd", ["docker-ce=5:28*"])
    assert not engine_service._is_of(f"{tmp_path}/dockerd", ["docker.io=20*"])
