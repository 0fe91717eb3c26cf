# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files that the role redis writes, and the assumptions of its module and other roles about them."""

from __future__ import annotations

import shlex
import subprocess
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis import instance
from ansible_collections.selfhost.langgraph.plugins.modules import redis_instance_info

ROLE = Path(__file__).parents[3] / "roles/redis"


def trusted(value: t.Any) -> t.Any:
    """Return variables as Ansible reads them from a file."""
    if isinstance(value, dict):
        return {key: trusted(item) for key, item in value.items()}
    return trust_as_template(value) if isinstance(value, str) else value


def render(text: str, **given: t.Any) -> str:
    """Render a template of the role with its own variables and these ones."""
    variables: dict[str, t.Any] = {"ansible_managed": "Ansible managed"}
    for path in ("defaults/main.yml", "vars/main.yml"):
        variables |= trusted(yaml.safe_load((ROLE / path).read_text()))
    return str(Templar(loader=DataLoader(), variables=variables | given).template(trust_as_template(text)))


def config(**given: t.Any) -> dict[str, str]:
    """Return the directives of langgraph.conf as Redis reads them."""
    return instance.directives(render((ROLE / "templates/langgraph.conf.j2").read_text(), **given))


def test_redis_listens_only_on_its_socket() -> None:
    written = config()
    assert (written["port"], written["unixsocket"]) == ("0", "/run/langgraph-redis/redis.sock")
    assert not {"bind", "include"} & set(written)


def test_nothing_is_evicted_lost_or_written_to_another_database() -> None:
    written = config(redis_databases=64)
    wanted = ("appendonly", "maxmemory-policy", "propagation-error-behavior", "databases", "save")
    assert [written[name] for name in wanted] == ["yes", "noeviction", "panic", "64", ""]


def test_settings_of_the_inventory_take_precedence() -> None:
    text = render(
        (ROLE / "templates/langgraph.conf.j2").read_text(),
        redis_settings={"appendonly": False, "maxmemory": "2gb", "save": ["900 1", "300 10"]},
    )
    assert "appendonly no\n" in text
    assert "maxmemory 2gb\n" in text
    assert "save 900 1\nsave 300 10\n" in text


def test_the_paths_do_not_depend_on_the_implementation() -> None:
    assert config(redis_implementation="redis") == config(redis_implementation="valkey")
    paths = "{{ [redis_unix_socket, redis_admin_password_file, _redis_config, _redis_users] | join(' ') }}"
    assert render(paths, redis_implementation="valkey") == render(paths)
    unit = render((ROLE / "templates/unit.conf.j2").read_text(), redis_implementation="valkey")
    assert "ExecStart=/usr/bin/valkey-server /etc/langgraph-redis/langgraph.conf " in unit
    assert "redis-server" not in unit


@pytest.mark.parametrize("implementation", instance.IMPLEMENTATIONS)
def test_the_module_reads_the_files_that_the_role_writes(implementation: str) -> None:
    found = render("{{ [_redis_service, _redis_drop_in] | join(' ') }}", redis_implementation=implementation)
    assert found.split() == [instance.unit_of(implementation), instance.drop_in_of(implementation)]


def test_the_defaults_of_the_module_are_the_paths_of_the_role() -> None:
    options = yaml.safe_load(redis_instance_info.DOCUMENTATION)["options"]
    expected = render("{{ [_redis_config, _redis_users, redis_unix_socket, redis_admin_password_file] | join(' ') }}")
    names = ("config_file", "acl_file", "unix_socket", "password_file")
    assert [options[name]["default"] for name in names] == expected.split()


def test_the_distributions_user_is_not_ours() -> None:
    unit = render((ROLE / "templates/unit.conf.j2").read_text(), redis_unix_socket="/run/other/redis.sock")
    lines = unit.splitlines()
    assert {"User=langgraph-redis", "Group=langgraph-redis", "RuntimeDirectory=langgraph-redis"} <= set(lines)
    # Paths that the distribution's unit may write to are not for our instance.
    assert lines[-2:] == ["ReadWritePaths=", "ReadWritePaths=/var/lib/langgraph-redis /run/other"]


def test_a_restart_is_announced_before_it_happens() -> None:
    tasks = yaml.safe_load((ROLE / "tasks/configure.yml").read_text())
    names = [task["name"] for task in tasks]
    announced, made = (
        names.index("Announce the restart"),
        names.index("Enable Redis and run it with its settings"),
    )
    assert announced == made - 1
    text = "{{ _redis_restart_because | join(' ') }}"
    found = {"restart_because": ["databases", "/etc/langgraph-redis/langgraph.conf"]}
    same, other = {"changed": False}, {"changed": True}
    given = {"__redis_found": found, "__redis_unit_file": same, "__redis_config_file": other}
    assert render(text, **given) == "databases /etc/langgraph-redis/langgraph.conf"
    given["__redis_unit_file"] = other
    assert "/redis-server@langgraph.service.d/langgraph.conf" in render(text, **given)
    calm = {"__redis_found": {"restart_because": []}, "__redis_unit_file": same, "__redis_config_file": same}
    assert render(text, **calm) == ""
    said = tasks[announced]["ansible.builtin.debug"]["msg"]
    assert render(said, **given, ansible_check_mode=False).startswith(
        "Redis restarts, which interrupts all deployments"
    )
    assert render(said, **given, ansible_check_mode=True).startswith("Redis would restart, which interrupts all")


def test_a_redis_that_does_not_answer_is_queried_again_after_its_library_is_installed() -> None:
    names = [task["name"] for task in yaml.safe_load((ROLE / "tasks/main.yml").read_text())]
    again = names.index("Wait for a Redis that does not respond")
    assert names.index("Install Redis") < again < names.index("Configure Redis")


@pytest.mark.parametrize(
    ("silent", "starting", "goes_on"),
    [("", False, True), ("does not answer", False, False), ("does not answer", True, True)],
)
def test_a_silent_instance_is_not_changed_unless_it_is_starting(silent: str, starting: bool, goes_on: bool) -> None:
    tasks = {task["name"]: task for task in yaml.safe_load((ROLE / "tasks/silent.yml").read_text())}
    that = tasks["Fail if Redis runs and does not respond"]["ansible.builtin.assert"]["that"]
    found = {"silent": silent, "unit": {"starting": starting}}
    assert render("{{ " + that + " }}", __redis_found=found) == str(goes_on)
    assert list(tasks).index("Wait for a Redis that reads its data") < list(tasks).index(
        "Read the state of Redis again"
    )


@pytest.mark.parametrize(
    ("said", "code"),
    [
        # Output of Redis 7.0.15 for a valid file, and for two invalid ones.
        ("*** FATAL CONFIG FILE ERROR ***\n>>> 'langgraph-end \"yes\"'\nBad directive", 0),
        ("*** FATAL CONFIG FILE ERROR ***\n>>> 'no-such-directive 1'\nBad directive", 1),
        ("*** FATAL CONFIG FILE ERROR ***\n>>> 'maxmemory lots'\nargument must be a memory value", 1),
    ],
)
def test_an_invalid_file_is_not_written(tmp_path: Path, said: str, code: int) -> None:
    (tmp_path / "said").write_text(said)
    server = tmp_path / "fake-server"
    server.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\ncat {tmp_path}/said >&2\nexit 1\n')
    server.chmod(0o755)
    command = render("{{ _redis_validate }}", redis_implementation=f"../..{tmp_path}/fake")
    done = subprocess.run(shlex.split(command % "/tmp/new.conf"), check=False, capture_output=True, text=True)
    assert done.returncode == code
    assert done.stderr.strip() == (said if code else "")
    assert (tmp_path / "asked").read_text() == "/tmp/new.conf --langgraph-end yes\n"
    (writing,) = [
        task
        for task in yaml.safe_load((ROLE / "tasks/configure.yml").read_text())
        if task["name"] == "Write and validate the settings"
    ]
    assert writing["block"][0]["ansible.builtin.template"]["validate"] == "{{ _redis_validate }}"
