# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is missing and what apt would do, from what dpkg-query and apt-get print."""

from __future__ import annotations

import subprocess
import typing as t
from pathlib import Path

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._host import apt, systemd
from ansible_collections.selfhost.langgraph.plugins.module_utils._host.apt import Plan
from ansible_collections.selfhost.langgraph.plugins.modules import packages_info

QUERIED = """\
redis-server installed 5:8.0.2-3
redis-tools unpacked 5:8.0.2-3
haproxy config-files 3.0.11-1
docker.io not-installed\x20
libc6 installed 2.41-12
libc6 installed 2.41-12
man-db triggers-awaited 2.13.1-1
"""
# apt 2.6 (Debian 12), with the engine of docker.com installed.
CONFLICT = """\
Reading package lists...
The following additional packages will be installed:
  containerd runc
The following packages will be REMOVED:
  containerd.io docker-ce
The following NEW packages will be installed:
  containerd docker.io runc
0 upgraded, 3 newly installed, 2 to remove and 0 not upgraded.
Remv docker-ce [5:27.3.1-1]
Remv containerd.io [1.7.22-1]
Inst runc (1.1.5+ds1-1 Debian:12.5/stable [amd64])
Inst containerd (1.6.20~ds1-1 Debian:12.5/stable [amd64])
Inst docker.io (20.10.24+dfsg1-1 Debian:12.5/stable [amd64])
Conf runc (1.1.5+ds1-1 Debian:12.5/stable [amd64])
"""
DOWNGRADE = """\
The following packages will be DOWNGRADED:
  haproxy
  redis-tools
0 upgraded, 1 newly installed, 2 downgraded, 0 to remove and 0 not upgraded.
Inst redis-tools [5:8.0.2-3] (5:7.0.15-1 Debian:12.5/stable [amd64])
"""
UPGRADE = """\
The following packages will be upgraded:
  containerd redis-tools
Inst redis-tools [5:7.0.15-1~deb12u1] (5:7.0.15-1~deb12u5 Debian:12.11/stable [amd64])
Inst containerd [1.6.20~ds1-1] (1.6.20~ds1-1+deb12u2 Debian:12.11/stable [amd64])
Inst docker.io (20.10.24+dfsg1-1 Debian:12.5/stable [amd64])
Conf docker.io (20.10.24+dfsg1-1 Debian:12.5/stable [amd64])
"""
UNMET = """\
Some packages could not be installed.
The following packages have unmet dependencies:
 docker.io : Depends: containerd (>= 1.6) but it is not going to be installed
             Conflicts: docker-ce but 5:27 is to be installed
"""


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (["redis-server", "libc6", "man-db"], []),
        # What was removed or cut is missing, as is what dpkg has never heard of; each once.
        (["haproxy", "docker.io", "redis-tools", "nginx", "nginx"], ["haproxy", "docker.io", "redis-tools", "nginx"]),
        (["redis-server=5:8.*"], []),
        (["redis-server=5:7.*"], ["redis-server=5:7.*"]),
        (["redis-tools=5:8.0.2-3"], ["redis-tools=5:8.0.2-3"]),
    ],
)
def test_what_is_missing(wanted: list[str], expected: list[str]) -> None:
    assert apt.missing(wanted, QUERIED) == expected


def test_a_conflict_is_refused_by_name() -> None:
    plan = apt.read_simulation(CONFLICT, "", 0)
    assert plan == Plan(["containerd", "docker.io", "runc"], ["containerd.io", "docker-ce"], [], "")
    assert apt.refusal(["docker.io"], plan) == (
        "installing docker.io would make apt remove containerd.io, docker-ce, which other software of the host may need; nothing"
        " was installed; see 'apt-get --simulate install docker.io', and change these packages yourself if nothing needs them"
    )


def test_a_downgrade_is_refused_by_name() -> None:
    plan = apt.read_simulation(DOWNGRADE, "", 0)
    assert plan.downgrade == ["haproxy", "redis-tools"]
    assert "make apt downgrade haproxy, redis-tools, which" in apt.refusal(["redis-server"], plan)


def test_what_apt_cannot_do_is_told_in_its_own_words() -> None:
    plan = apt.read_simulation(
        "Reading package lists...\n", "W: stale\nE: Unable to locate package valkey-server\n", 100
    )
    assert apt.refusal(["valkey-server"], plan) == (
        "apt cannot install valkey-server: Unable to locate package valkey-server"
    )


def test_what_does_not_go_together_is_told_in_one_line() -> None:
    said = apt.refusal(["docker.io"], apt.read_simulation(UNMET, "E: Unable to correct problems.\n", 100))
    assert said == (
        "apt cannot install docker.io: docker.io : Depends: containerd (>= 1.6) but it is not going to be installed "
        "Conflicts: docker-ce but 5:27 is to be installed Unable to correct problems."
    )


def test_an_end_without_a_word_is_an_error_too() -> None:
    assert apt.read_simulation("", "", 100).error == "apt-get ended with 100"


def test_what_only_adds_is_no_trouble() -> None:
    plan = apt.read_simulation("Inst a (1 x)\nInst libc6 [1] (2 x)\nConf a (1 x)\n", "", 0)
    assert plan == Plan(["a", "libc6"], [], [], "", ["libc6"])
    assert apt.refusal(["a"], plan) == ""


FILES = {
    "containerd": ["/.", "/lib/systemd/system/containerd.service"],
    "postgresql-common": ["/usr/lib/systemd/system/postgresql@.service"],
    "exim4-base": ["/etc/init.d/exim4"],
    "redis-tools": ["/usr/bin/redis-cli", "/usr/share/doc/containerd.service"],
}


@pytest.mark.parametrize(
    ("running", "expected"),
    [
        (["containerd.service"], ["containerd"]),
        (["postgresql@15-main.service", "exim4.service"], ["postgresql-common", "exim4-base"]),
        (["redis.service", "containerd@.service"], []),
        ([], []),
    ],
)
def test_a_package_whose_service_runs_is_not_upgraded_in_passing(running: list[str], expected: list[str]) -> None:
    assert apt.disturbed(FILES, running) == expected


def test_an_upgrade_of_a_service_is_refused_with_the_remedy() -> None:
    plan = apt.read_simulation(UPGRADE, "", 0)
    assert plan.upgrade == ["containerd", "redis-tools"]
    assert apt.refusal(["docker.io"], plan, ["containerd"]) == (
        "installing docker.io would make apt upgrade containerd, whose services are running; nothing was changed; at a "
        "convenient time, run apt-get install --only-upgrade containerd first"
    )
    # Who names it, with a version, wants it.
    assert apt.refusal(["docker.io", "containerd=1.7*"], plan, ["containerd"]) == ""


def test_the_services_of_what_apt_would_upgrade_are_looked_at(
    host: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(command: list[str], **_more: t.Any) -> subprocess.CompletedProcess[str]:
        host.append(command)
        outputs = {"dpkg-query": "", "apt-get": UPGRADE, "systemctl": "containerd.service loaded active running x\n"}
        return subprocess.CompletedProcess(command, 0, outputs[command[0]], "")

    monkeypatch.setattr(packages_info, "run", run)
    monkeypatch.setattr(systemd, "run", run)
    monkeypatch.setattr(apt, "LISTS", str(tmp_path))
    for name, listed in (("containerd:amd64", "containerd"), ("redis-tools", "redis-tools")):
        (tmp_path / f"{name}.list").write_text("\n".join(FILES[listed]))
    found = packages_info.look(["docker.io"], [], str(tmp_path / "no"))
    assert "make apt upgrade containerd, whose" in found["refusal"]


def test_a_unit_that_exists_is_not_held_unless_it_is_by_us() -> None:
    units = {"new.service": False, "theirs.service": True, "masked-by-us.service": True}
    assert apt.to_hold(units, {"masked-by-us.service", "other.service"}) == ["new.service", "masked-by-us.service"]


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[str]]:
    """A host with redis-server's package half done and no unit of that name, dpkg cut; gives the commands that were run."""
    commands: list[list[str]] = []

    def run(command: list[str], **_more: t.Any) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        outputs = {"dpkg-query": QUERIED, "apt-get": CONFLICT, "systemctl": "LoadState=not-found\n\nLoadState=loaded\n"}
        return subprocess.CompletedProcess(command, 0, outputs[command[0]], "")

    (tmp_path / "journal").mkdir()
    (tmp_path / "journal/0000").touch()
    monkeypatch.setattr(apt, "JOURNAL", str(tmp_path / "journal"))
    monkeypatch.setattr(packages_info, "run", run)
    monkeypatch.setattr(systemd, "run", run)
    return commands


def test_where_all_is_there_one_command_is_run(host: list[list[str]], tmp_path: Path) -> None:
    (tmp_path / "a.service").touch()
    found = packages_info.look(["redis-server=5:8*"], ["a.service", "b.service"], str(tmp_path))
    assert found["missing"] == found["hold"] == found["install"] == []
    assert found["held"] == ["a.service"]
    assert [command[0] for command in host] == ["dpkg-query"]
    assert host[0][-1] == "redis-server"


def test_only_what_is_missing_is_asked_for(host: list[list[str]], tmp_path: Path) -> None:
    found = packages_info.look(["redis-server", "redis-tools"], ["a.service", "b.service"], str(tmp_path / "no"))
    assert host[1][-2:] == ["--", "redis-tools"]
    assert (found["missing"], found["hold"]) == (["redis-tools"], ["a.service"])
    assert found["listed"]
    assert found["interrupted"]
    assert found["refusal"].startswith("installing redis-tools would make apt remove")
