# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each role has a Molecule scenario of its own, and the gate runs those that its essential tests need."""

from __future__ import annotations

import importlib.util
import typing as t
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).parents[3]
SCENARIOS = sorted(path.parent.name for path in PROJECT.glob("molecule/role_*/molecule.yml"))
# Roles that other scenarios apply.
ELSEWHERE = {"langgraph": "default", "data_proxy": "role_redis"}
HOSTS = {"selfhost-langgraph-role-bookworm", "selfhost-langgraph-role-trixie"}


def load(path: str) -> t.Any:
    return yaml.safe_load((PROJECT / "molecule" / path).read_text(encoding="utf-8"))


def applied(play: dict[str, t.Any]) -> list[str]:
    """Return the roles of a play."""
    steps = [step.get("ansible.builtin.import_role", {}).get("name") for step in play.get("tasks", ())]
    return [entry["role"] for entry in play.get("roles", ())] + [name for name in steps if name]


def gate(scenario: str) -> list[str]:
    """Return the hosts on which the gate runs a scenario."""
    return list(load(f"{scenario}/inventory/hosts.yml")["all"].get("children", {}).get("gate", {}).get("hosts", ()))


def test_every_role_has_a_scenario() -> None:
    roles = {path.parents[1].name for path in PROJECT.glob("roles/*/tasks/main.yml")}
    assert {f"role_{name}" for name in roles - set(ELSEWHERE)} == set(SCENARIOS)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_it_applies_its_role_to_all_its_hosts(scenario: str) -> None:
    (play,) = load(f"{scenario}/converge.yml")
    assert f"selfhost.langgraph.{scenario.removeprefix('role_')}" in applied(play)
    assert play["hosts"] == "all"


def test_the_data_proxy_is_applied_where_this_test_says() -> None:
    (play,) = load(f"{ELSEWHERE['data_proxy']}/converge.yml")
    assert "selfhost.langgraph.data_proxy" in applied(play)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_its_hosts_are_those_of_the_roles(scenario: str) -> None:
    """A scenario on hosts of other scenarios would find their services, and change them."""
    settings = load(f"{scenario}/molecule.yml")
    assert settings["shared_state"] is False
    assert settings["ansible"]["executor"]["args"]["ansible_playbook"] == [
        "--inventory=${MOLECULE_PROJECT_DIRECTORY}/molecule/role/inventory",
        f"--inventory=${{MOLECULE_PROJECT_DIRECTORY}}/molecule/{scenario}/inventory",
        "--limit=${SELFHOST_LANGGRAPH_ROLE_HOSTS:-all}",
    ]
    assert set(load("role/inventory/hosts.yml")["all"]["hosts"]) == HOSTS
    assert set(load(f"{scenario}/inventory/hosts.yml")["all"].get("hosts", ())) | set(gate(scenario)) <= HOSTS


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_playbooks_that_scenarios_share_exist(scenario: str) -> None:
    for playbook in load(f"{scenario}/molecule.yml")["ansible"]["playbooks"].values():
        assert (PROJECT / "molecule" / scenario / playbook).exists()


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_gate_runs_it_on_one_host_if_it_has_essential_tests(scenario: str) -> None:
    spec = importlib.util.spec_from_file_location("_tested_essential", PROJECT / "tests/tools/essential.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    essential = [name for name in module.essential() if name.startswith(f"molecule/{scenario}/")]
    assert len(gate(scenario)) == bool(essential)
