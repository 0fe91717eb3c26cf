# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles that observe the state of their service: a killed run loses its handlers, so these roles have none."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
OBSERVED = ("docker", "firewall", "proxy", "redis", "registry")


def tasks(role: str) -> t.Iterator[dict[str, t.Any]]:
    """Return all tasks of a role, including those in blocks."""
    waiting = [
        task for path in (ROOT / f"roles/{role}/tasks").glob("*.yml") for task in yaml.safe_load(path.read_text())
    ]
    while waiting:
        task = waiting.pop()
        yield task
        waiting += [*task.get("block", ()), *task.get("rescue", ())]


@pytest.mark.parametrize("role", OBSERVED)
def test_no_role_uses_handlers(role: str) -> None:
    assert not (ROOT / f"roles/{role}/handlers").exists()
    assert [task["name"] for task in tasks(role) if "notify" in task] == []
    assert not any(task.get("ansible.builtin.meta") == "flush_handlers" for task in tasks(role))


@pytest.mark.parametrize("role", OBSERVED)
def test_packages_are_installed_by_the_role_packages(role: str) -> None:
    modules = {key for task in tasks(role) for key in task if key.startswith("ansible.builtin.")}
    assert not modules & {"ansible.builtin.apt", "ansible.builtin.package", "ansible.builtin.handlers"}
    (installs,) = [
        task
        for task in tasks(role)
        if task.get("ansible.builtin.include_role", {}).get("name", "").endswith("packages")
    ]
    assert "packages_quiet_units" in installs["vars"]


def test_the_proxy_is_never_restarted() -> None:
    units = [
        task["ansible.builtin.systemd_service"] for task in tasks("proxy") if "ansible.builtin.systemd_service" in task
    ]
    assert {unit.get("state") for unit in units} == {None, "reloaded", "started"}


def test_only_its_module_restarts_the_engine() -> None:
    units = [
        task["ansible.builtin.systemd_service"] for task in tasks("docker") if "ansible.builtin.systemd_service" in task
    ]
    assert {unit.get("state") for unit in units} == {"started"}


def test_the_role_and_the_module_use_the_same_record() -> None:
    constants = yaml.safe_load((ROOT / "roles/docker/vars/main.yml").read_text())
    text = (ROOT / "plugins/module_utils/_host/engine_service.py").read_text()
    assert f'RECORD = "{constants["_docker_record"]}"\n' in text
