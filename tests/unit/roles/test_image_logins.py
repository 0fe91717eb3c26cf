# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Registry logins of a play on a host: in its own directory, so that no other play removes them; old ones are deleted."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.skipif(not (ROOT / "build/collections").exists(), reason="ansible-test has no build/")


def log_in(play: int, where: str = "login") -> dict[str, object]:
    """Return the role's tasks that log in."""
    return {
        "ansible.builtin.include_role": {"name": "selfhost.langgraph.image", "tasks_from": f"{where}.yml"},
        "vars": {"__image_play": play},
    }


def log_out(play: int) -> dict[str, object]:
    """Return the role's tasks that log out."""
    tasks = yaml.safe_load((ROOT / "roles/image/tasks/pull.yml").read_text())[0]["always"]
    (task,) = tasks
    return {
        "ansible.builtin.file": task["ansible.builtin.file"],
        "vars": {"__image_play": play},
    }


REGISTRIES = [
    {"registry": "r.example.com", "credential_helper": "pass"},
    {"registry": "s.example.com:5000", "username": "deploy", "password": 'planted "pass:word'},
    {"registry": "docker.io", "username": "somebody", "password": 1234},
    {"registry": "open.example.com", "ca_certificate": "planted-certificate"},
]


def run(directory: Path, *tasks: dict[str, object]) -> None:
    play = {
        "hosts": "host",
        "gather_facts": False,
        "vars": {
            "image_login_dir": str(directory / "registries"),
            "image_registries": REGISTRIES,
            "image_build_host": "host",
        },
        # Later tasks need its variables.
        "tasks": [
            {"ansible.builtin.include_vars": {"file": str(ROOT / "roles/image/vars/main.yml")}},
            *tasks,
        ],
    }
    (directory / "play.yml").write_text(yaml.safe_dump([play]))
    inventory = f"[all]\nhost ansible_connection=local ansible_python_interpreter={sys.executable}\n"
    (directory / "hosts").write_text(inventory)
    words = ("-i", str(directory / "hosts"), str(directory / "play.yml"), "--diff", "-vvv")
    command = [sys.executable, "-m", "ansible", "playbook", *words]
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "build/collections")}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "planted" not in done.stdout + done.stderr


def test_logging_out_keeps_the_logins_of_other_plays(tmp_path: Path) -> None:
    registries = tmp_path / "registries"
    for name in ("langgraph-registries-7", "langgraph-registries-8", "of-somebody"):
        (registries / name).mkdir(parents=True)
        (registries / name / "config.json").touch()
        if name != "langgraph-registries-8":
            os.utime(registries / name, (0, 0))
    run(tmp_path, log_in(1), log_in(2), log_out(1))
    assert sorted(path.name for path in registries.iterdir()) == [
        "langgraph-registries-2",
        "langgraph-registries-8",
        "of-somebody",
    ]
    assert (registries / "langgraph-registries-2").stat().st_mode & 0o777 == 0o700
    assert (registries / "langgraph-registries-2/config.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("where", ["login", "login_build_host"])
def test_the_file_is_that_of_docker_login(tmp_path: Path, where: str) -> None:
    """The engine's client and its library read it (docs: docker login, config.json)."""
    (tmp_path / "registries").mkdir()
    run(tmp_path, log_in(3, where))
    found = json.loads((tmp_path / "registries/langgraph-registries-3/config.json").read_text())
    assert found["credHelpers"] == {"r.example.com": "pass"}
    assert {name: base64.b64decode(login["auth"]).decode() for name, login in found["auths"].items()} == {
        "s.example.com:5000": 'deploy:planted "pass:word',
        "https://index.docker.io/v1/": "somebody:1234",
    }
