# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files, units and containers of container_service, on folders of this machine and with systemd and the engine faked."""

from __future__ import annotations

import stat
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils import _container_service, _docker, _failures, _systemd
from ansible_collections.selfhost.langgraph.plugins.module_utils._container_service import (
    BadName,
    ImageMissing,
    converge,
    deployed,
    read_host,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._systemd import UnitState

INACTIVE = UnitState("inactive", False, "success", 0)
SECRET = "s3cr3t-of-the-environment"


@dataclass
class Host:
    """What systemd and the engine would hold, and in which order they were asked for changes."""

    folder: Path
    units: dict[str, UnitState] = field(default_factory=dict)
    images: dict[str, str] = field(default_factory=lambda: {"bot:1": "sha256:one", "bot:2": "sha256:two"})
    calls: list[tuple[str, ...]] = field(default_factory=list)
    journal: list[str] = field(default_factory=list)
    starts_as: str = "active"

    def states(self, units: t.Sequence[str]) -> dict[str, UnitState]:
        return {unit: self.units.get(unit, INACTIVE) for unit in units}

    def change(self, verb: str, units: t.Sequence[str], active: str | None, enabled: bool | None = None) -> None:
        if units:
            self.calls.append((verb, *(unit.partition("@")[2].removesuffix(".service") for unit in units)))
        for unit in units:
            old = self.units.get(unit, INACTIVE)
            self.units[unit] = UnitState(active or old.active, old.enabled if enabled is None else enabled, "", 1)

    def converge(self, *deployments: dict[str, t.Any], check_mode: bool = False, parallel: int = 8) -> dict[str, t.Any]:
        self.calls.clear()
        params = {
            "deployments": deployments,
            "config_dir": str(self.folder),
            "network": "langgraph",
            "start_timeout": 300,
            "coming_images": {},
            "parallel": parallel,
        }
        return converge(params, check_mode=check_mode)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    host = Host(tmp_path)
    monkeypatch.setattr(_docker, "connect", lambda: None)
    monkeypatch.setattr(_docker, "image_ids", lambda _client: host.images)
    monkeypatch.setattr(_docker, "remove_container", lambda _client, name: host.calls.append(("rm", name)))
    monkeypatch.setattr(_systemd, "unit_states", host.states)
    monkeypatch.setattr(_systemd, "enable", lambda units: host.change("enable", units, None, True))
    monkeypatch.setattr(_systemd, "disable_now", lambda units: host.change("disable", units, "inactive", False))
    monkeypatch.setattr(_systemd, "stop", lambda units: host.change("stop", units, "inactive"))
    monkeypatch.setattr(_systemd, "start", lambda units: host.change("start", units, host.starts_as))
    monkeypatch.setattr(_systemd, "journal", lambda _unit, _lines: host.journal)
    return host


def bot(name: str = "bot", **changes: t.Any) -> dict[str, t.Any]:
    return {
        "name": name,
        "state": "present",
        "image": "bot:1",
        "port": 8123,
        "bind_address": "127.0.0.1",
        "environment": f"API_KEY={SECRET}\n",
        "drain_seconds": 180,
        "memory": None,
        "cpus": None,
        "user": None,
        "read_only": False,
        **changes,
    }


def actions(result: dict[str, t.Any]) -> list[str]:
    return [item["action"] for item in result["deployments"]]


def test_create_then_nothing(host: Host) -> None:
    first = host.converge(bot(), bot("two", port=8124))
    assert (first["changed"], actions(first)) == (True, ["create", "create"])
    assert host.calls == [("enable", "bot", "two"), ("start", "bot", "two")]
    second = host.converge(bot(), bot("two", port=8124))
    assert (second["changed"], actions(second), second["diff"]) == (False, ["keep", "keep"], [])
    assert host.calls == []


def test_files_are_for_root_alone(host: Host) -> None:
    host.converge(bot())
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (host.folder / "bot").iterdir()}
    assert modes == {"container.json": 0o600, "environment": 0o600}
    assert stat.S_IMODE((host.folder / "bot").stat().st_mode) == 0o700


def test_check_mode_tells_the_same_and_does_nothing(host: Host) -> None:
    told = host.converge(bot(), check_mode=True)
    assert list(host.folder.iterdir()) == host.calls == []
    done = host.converge(bot())
    assert {key: told[key] for key in ("changed", "deployments", "diff")} == {
        key: done[key] for key in ("changed", "deployments", "diff")
    }


def test_ports_are_exchanged_by_stopping_both_first(host: Host) -> None:
    host.converge(bot(), bot("two", port=8124))
    assert actions(host.converge(bot(port=8124), bot("two"))) == ["restart", "restart"]
    assert host.calls == [("stop", "bot", "two"), ("start", "bot", "two")]


def test_only_the_changed_one_restarts(host: Host) -> None:
    host.converge(bot(), bot("two", port=8124))
    assert actions(host.converge(bot(image="bot:2"), bot("two", port=8124))) == ["restart", "keep"]
    assert host.calls == [("stop", "bot"), ("start", "bot")]


def test_starts_in_groups(host: Host) -> None:
    host.converge(*(bot(name, port=port) for port, name in enumerate("abc", 8123)), parallel=2)
    assert host.calls[1:] == [("start", "a", "b"), ("start", "c")]


def test_remove_twice(host: Host) -> None:
    host.converge(bot(), bot("two", port=8124))
    gone = {"name": "bot", "state": "absent"}
    assert actions(host.converge(gone)) == ["remove"]
    assert host.calls == [("disable", "bot"), ("rm", "langgraph-bot")]
    assert [path.name for path in host.folder.iterdir()] == ["two"]
    assert host.converge(gone)["changed"] is False


def test_killed_between_two_files(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.converge(bot())
    replace, written = _container_service.os.replace, []

    def killed_at_the_second(source: str, target: str) -> None:
        written.append(target)
        if len(written) == 2:
            raise KeyboardInterrupt
        replace(source, target)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(_container_service.os, "replace", killed_at_the_second)
        host.converge(bot(environment="API_KEY=other-value\n"))
    again = host.converge(bot(environment="API_KEY=other-value\n"))
    assert actions(again) == ["start"]  # it is stopped by then
    assert host.converge(bot(environment="API_KEY=other-value\n"))["changed"] is False


@pytest.mark.parametrize("moment", ["enable", "stop"])
def test_killed_before_the_old_container_is_stopped(host: Host, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    host.converge(bot())

    def killed(_units: t.Sequence[str]) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(_systemd, moment, killed)
        host.converge(bot(environment="API_KEY=other-value\n"))
    assert actions(host.converge(bot(environment="API_KEY=other-value\n"))) == ["restart"]
    assert sorted(path.name for path in (host.folder / "bot").iterdir()) == ["container.json", "environment"]


def test_a_full_disk_stops_nobody(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.converge(bot(), bot("two", port=8124))

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
        patch.setattr(_container_service.os, "fsync", full)
        host.converge(bot(image="bot:2"), bot("two", port=8124))
    assert host.calls == []
    assert actions(host.converge(bot(image="bot:2"), bot("two", port=8124))) == ["restart", "keep"]


def test_image_that_the_host_lacks(host: Host) -> None:
    with pytest.raises(ImageMissing, match="deployment 'bot', option 'image': the host has no image 'no:1'"):
        host.converge(bot(image="no:1"))
    assert actions(host.converge(bot(image="no:1"), check_mode=True)) == ["create"]
    assert list(host.folder.iterdir()) == []


@pytest.mark.parametrize("name", ["", ".", "..", "../etc", "a/b", "A"])
def test_a_name_is_no_path(host: Host, name: str) -> None:
    with pytest.raises(BadName, match="option 'name'"):
        host.converge({"name": name, "state": "absent"})


def test_image_under_its_long_name(host: Host) -> None:
    assert actions(host.converge(bot(image="docker.io/library/bot:1"))) == ["create"]


def test_failure_is_explained_without_a_secret(host: Host) -> None:
    host.starts_as = "failed"
    host.journal = ["\x1b[31mstart\x1b[0m", f"redis.exceptions.ResponseError: WRONGPASS {SECRET}", f"bye {SECRET}"]
    (failure,) = host.converge(bot())["failures"]
    assert (failure["code"], failure["line"]) == ("redis_auth", "redis.exceptions.ResponseError: WRONGPASS ********")
    assert failure["log"][0] == "start"
    assert SECRET not in str(failure)
    assert "; it logged: redis.exceptions.ResponseError: WRONGPASS ********" in _failures.sentence([failure])


def test_no_value_in_a_result(host: Host) -> None:
    first = host.converge(bot())
    second = host.converge(bot(environment="API_KEY=another-secret-value\n"))
    assert SECRET not in f"{first}{second}"
    assert "another-secret-value" not in str(second)
    assert second["deployments"][0]["reasons"] == ["variable API_KEY"]


def test_deployed_lists_deployments_and_nothing_else(host: Host) -> None:
    host.converge(bot())
    (host.folder / "lost+found").mkdir()
    (host.folder / "-n").mkdir()
    (host.folder / "notes").write_text("")
    (found,) = deployed(str(host.folder))
    assert found == {
        "name": "bot",
        "image": "bot:1",
        "image_id": "sha256:one",
        "port": 8123,
        "drain_seconds": 180,
        "active": "active",
        "enabled": True,
    }
    assert deployed("/no/such/folder") == []


def test_a_host_without_anything(host: Host) -> None:
    found = read_host(str(host.folder), ["bot"])["bot"]
    assert (found.container, found.environment, found.active, found.enabled) == (None, None, "inactive", False)
