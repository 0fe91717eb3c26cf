# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pure parts of the small tools behind noxfile.py, and of the tool for test hosts."""

from __future__ import annotations

import sys
import typing as t
from pathlib import Path

import pytest
import yaml

Tool = t.Callable[[str], t.Any]


def test_wheels_for_another_python(tool: Tool) -> None:
    options = tool("wheels").target("3.13", "aarch64")
    assert options[:5] == ["--only-binary=:all:", "--python-version", "3.13", "--implementation", "cp"]
    assert [options[number + 1] for number, word in enumerate(options) if word == "--abi"] == ["cp313", "abi3", "none"]
    assert "manylinux_2_36_aarch64" in options


def test_files_of_collections_in_the_wheel(tool: Tool) -> None:
    files = ["ansible_collections/community/docker/a", "ansible_collections/community/dockerish/b", "ansible/c"]
    assert tool("dependencies").files_of(["community.docker"], files) == files[:1]


def test_pins_without_other_packages(tool: Tool) -> None:
    found = tool("project").pins("ansible-core")
    assert [pin.partition("==")[0] for pin in found] == ["ansible-core", "ansible-core"]
    assert "python_version <" in found[0]


def test_a_result_is_fresh_until_an_input_changes(tool: Tool, tmp_path: Path) -> None:
    project = tool("project")
    stamp, file = tmp_path / "stamp", tmp_path / "input"
    file.write_text("one")
    value = project.fingerprint("3.13", file)
    assert not project.is_fresh(stamp, value)
    stamp.write_text(value)
    assert project.is_fresh(stamp, project.fingerprint("3.13", file))
    file.write_text("two")
    assert not project.is_fresh(stamp, project.fingerprint("3.13", file))
    assert not project.is_fresh(stamp, project.fingerprint("3.14", file))


def test_output_is_shown_and_logged(tool: Tool, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "log/one.log"
    script = "import os, sys; print(os.environ['WORD']); print('error', file=sys.stderr); sys.exit(3)"
    assert tool("project").logged([sys.executable, "-c", script], log, cwd=tmp_path, WORD="shown") == 3
    assert sorted(log.read_text().split()) == ["error", "shown"]
    assert capsys.readouterr().out == log.read_text()


def test_dependencies_of_dependencies(tool: Tool) -> None:
    graph = {"a": ["b", "c"], "b": ["c"], "c": ["a"], "d": []}
    assert tool("smoke").dependencies(["a"], graph.__getitem__) == ["a", "b", "c"]


def test_public_names(tool: Tool, tmp_path: Path) -> None:
    for name in ("health.py", "_private.py", "site.yml"):
        (tmp_path / name).touch()
    names = tool("smoke").names
    assert names(tmp_path, ".py") == ["selfhost.langgraph.health"]
    assert names(tmp_path) == ["selfhost.langgraph.health.py", "selfhost.langgraph.site.yml"]


def test_a_core_of_this_machine(tool: Tool, tmp_path: Path) -> None:
    core = tool("ansible_test").Core("oldest", "3.11", Path("/home"), "/bin")
    assert core.command(tmp_path, "ansible-test", "units") == [
        "env",
        "HOME=/home",
        "PATH=/bin",
        "ansible-test",
        "units",
    ]


def test_a_core_in_a_container(tool: Tool, tmp_path: Path) -> None:
    """It has no network, and leaves no files of root to another user."""
    command = (
        tool("ansible_test").Core("newest", "3.13", Path("/home"), "/bin", "rootfs:trixie").command(tmp_path, "true")
    )
    assert command[:3] == ["docker", "run", "--rm"]
    assert command[-4:] == ["rootfs:trixie", "env", "HOME=/home", "PATH=/bin", "true"][-4:]
    assert command[command.index("--network") + 1] == "none"
    assert command[command.index("--workdir") + 1] == str(tmp_path)
    assert "--user" in command


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("ansible_test/_data/requirements/sanity.pylint.txt", True),
        ("ansible_test/_data/requirements/units.txt", True),
        ("ansible_test/_data/requirements/constraints.txt", False),
        ("ansible_test/_data/requirements/sanity.pylint.in", False),
        ("ansible/requirements/units.txt", False),
    ],
)
def test_requirements_of_ansible_test(tool: Tool, name: str, wanted: bool) -> None:
    assert tool("ansible_test").is_requirements(name) is wanted


def test_a_host_that_boots(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = tool("hosts")
    states = iter(["", "starting", "degraded"])
    monkeypatch.setattr(hosts, "run", lambda *_command: None)
    monkeypatch.setattr(hosts, "_state", lambda _name: next(states))
    hosts.reboot("one")
    assert list(states) == []


def test_a_host_that_does_not_boot(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = tool("hosts")
    monkeypatch.setattr(hosts, "BOOT_SECONDS", 0)
    monkeypatch.setattr(hosts, "run", lambda *_command: None)
    monkeypatch.setattr(hosts, "_state", lambda _name: "starting")
    with pytest.raises(SystemExit, match="one does not boot: systemctl reports 'starting'"):
        hosts.reboot("one")


def test_a_host_is_started_with_options_of_the_command() -> None:
    """Only docker's command knows systempaths; the API of the engine refuses it as an invalid --security-opt."""
    tasks = yaml.safe_load((Path(__file__).parents[2] / "hosts/tasks/up.yml").read_text(encoding="utf-8"))
    by_module = [task for task in tasks if "community.docker.docker_container" in task]
    assert [task["name"] for task in by_module if "systempaths" in str(task)] == []
    (created,) = [task for task in tasks if "systempaths" in str(task)]
    assert "'docker', 'run'" in created["ansible.builtin.command"]["argv"]
