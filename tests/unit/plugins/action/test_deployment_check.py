# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The check as users meet it: real ansible-playbook runs at -vvv, one host for each list, no engine needed."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import typing as t
from dataclasses import dataclass
from pathlib import Path

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret

ROOT = Path(__file__).parents[4]
KEY = "planted-secret-key-0123456789abcdef"
BOT = {"name": "support-bot", "image": "bot:1", "port": 18123, "langsmith_api_key": "planted-api-key"}
OTHER = {
    "name": "research",
    "image": "r:1",
    "port": "{{ 18000 + 124 }}",
    "langgraph_cloud_license_key": "VAULTED",
    "langgraph_aes_key": "planted-aes-key!",
    "redis_password": "planted-redis",
    "postgres_password": "planted-postgres",
    "env": {"OPENAI_API_KEY": "planted-env", "SHIFTS": 3},
    "env_file": "good.env",
    "edition": "enterprise",
}
SPILL = {"env": {"A": "planted-env\nplanted-line"}, "langgraph_aes_key": "planted-short"}

# Title: the host's variables, and the lines to be seen.
BAD: dict[str, tuple[dict[str, t.Any], list[str]]] = {
    "empty": (
        {"langgraph_deployments": []},
        [
            "deployment '-', option 'langgraph_deployments': the list is empty; give at least one deployment, "
            "or leave this host out of the group langgraph_hosts"
        ],
    ),
    "null-inside": (
        {"langgraph_deployments": [None, BOT]},
        ["deployment 'number 1', option '-': is not a mapping; write a mapping with at least name, image and port"],
    ),
    "text-inside": (
        {"langgraph_deployments": ["LANGSMITH_API_KEY=planted-text"]},
        ["deployment 'number 1', option '-': is not a mapping; write a mapping with at least name, image and port"],
    ),
    "types": (
        {"langgraph_deployments": [{**BOT, "name": 5, "port": True, "env": ["planted-list"], "memory": {"a": 1}}]},
        [
            "deployment '5', option 'name': is a number (5); it must be text",
            "deployment '5', option 'port': is true or false (True); it must be a whole number",
            "deployment '5', option 'memory': is a mapping; it must be text",
            "deployment '5', option 'env': is a list; it must be a mapping",
        ],
    ),
    "nested": (
        {"langgraph_deployments": [{**BOT, "env": {"A": ["planted-item"], "B": {"c": "planted-deep"}}}]},
        [
            "deployment 'support-bot', option 'env.A': is a list; write it as text",
            "deployment 'support-bot', option 'env.B': is a mapping; write it as text",
        ],
    ),
    "date": (
        {"langgraph_deployments": [{**BOT, "langgraph_thread_ttl": {"from": "2026-01-01"}, "image": "2026-01-01"}]},
        ["deployment 'support-bot', option 'image': is a date; it must be text"],
    ),
    "typo-and-spill": (
        {"langgraph_deployments": [{**BOT, **SPILL, "prot": 1}]},
        [
            "deployment 'support-bot', option 'prot': is not an option of a deployment; did you mean 'port'?",
            "deployment 'support-bot', option 'langgraph_aes_key': has 13 bytes; a key has 16, 24 or 32 bytes",
            "deployment 'support-bot', option 'env.A': has a line break; the engine's environment file cannot hold one: "
            "encode it, as base64 say",
        ],
    ),
    "owned": (
        {"langgraph_deployments": [{**BOT, "env": {"REDIS_URI": "redis://:planted-uri@x"}}]},
        [
            "deployment 'support-bot', option 'env.REDIS_URI': belongs to the collection; remove it: the collection "
            "claims the Redis number and sets it"
        ],
    ),
    "port-taken": (
        {"langgraph_deployments": [{**BOT, "port": "{{ taken_port }}"}]},
        ["deployment 'support-bot', option 'port': port TAKEN of the host is taken by 'PROGRAM'; choose a free port"],
    ),
    "image-missing": (
        {"langgraph_deployments": [{**BOT, "image": "no/such:1"}], "langgraph_image_pull": "never"},
        [
            "deployment 'support-bot', option 'image': the host has no image 'no/such:1'; load it there, list its "
            "archive in langgraph_image_archives, or set langgraph_image_pull: missing"
        ],
    ),
    "env-file": (
        {"langgraph_deployments": [{**BOT, "env_file": "bad.env"}, {**OTHER, "env_file": "none.env"}]},
        [
            "deployment 'support-bot', option 'env_file': bad.env: line 2 is not NAME=value; write NAME=value, one a line",
            "deployment 'research', option 'env_file': there is no file 'none.env'; give the path of a file in UTF-8 on "
            "the control node",
        ],
    ),
    "shared-port": (
        {"langgraph_deployments": [{**BOT, "mount_prefix": "/bot"}, {**OTHER, "port": "18123"}]},
        [
            "deployment 'research', option 'port': port 18123 is also that of 'support-bot'; give each deployment its own "
            "port, or to each on it a hostname or a mount_prefix"
        ],
    ),
    "no-proxy": (
        {"langgraph_deployments": [{**BOT, "hostname": "support.example.com"}], "langgraph_proxy": "none"},
        [
            "deployment 'support-bot', option 'hostname': needs the proxy, and langgraph_proxy is none; remove it, or set "
            "langgraph_proxy: haproxy"
        ],
    ),
    "fewer-revisions": (
        {
            "langgraph_deployments": [BOT],
            "langgraph_max_connections": "{{ 60 }}",
            "langgraph_max_running_revisions": "{{ 2 }}",
        },
        [
            "deployment 'support-bot', option 'langgraph_postgres_pool_max_size': all deployments (1) need 64 connections, "
            "and max_connections leaves 47; lower the pools (this is the largest) or langgraph_max_running_revisions, or "
            "raise max_connections to 77",
        ],
    ),
    "numbers": (
        {"langgraph_deployments": [BOT, OTHER], "langgraph_redis_databases": "2", "langgraph_max_connections": "60"},
        [
            "deployment 'support-bot', option 'langgraph_postgres_pool_max_size': all deployments (2) need 192 connections, "
            "and max_connections leaves 47; lower the pools (this is the largest) or langgraph_max_running_revisions, or "
            "raise max_connections to 205",
            "deployment 'research', option 'redis_number': the list has 2 deployments, and Redis 1 numbers beside the "
            "reserved 0; set redis_databases to 3 or more",
        ],
    ),
}
# Title: the host's variables, and a text of the one message.
REFUSED: dict[str, tuple[dict[str, t.Any], str]] = {
    "short-key": (
        {"langgraph_deployments": [BOT], "langgraph_secret_key": "planted-short-key"},
        "langgraph_secret_key is shorter than 32 characters; every password is derived from it: make one with "
        "'openssl rand -hex 32' and keep it in your vault",
    ),
    "no-key": ({"langgraph_deployments": [BOT], "langgraph_secret_key": ""}, "langgraph_secret_key is shorter than 32"),
    "not-a-list": ({"langgraph_deployments": {"support-bot": BOT}}, "langgraph_deployments"),
    "no-archive": (
        {"langgraph_deployments": [BOT], "langgraph_image_archives": ["none.tar"]},
        "langgraph_image_archives: there is no file 'none.tar' on the control node",
    ),
}
GOOD = {"good": {"langgraph_deployments": [BOT, OTHER, {"name": "gone", "state": "absent"}]}}

PLAY = """
- hosts: all
  gather_facts: false
  tasks:
    - name: Check
      ansible.builtin.import_role:
        name: selfhost.langgraph.langgraph
        tasks_from: check.yml
    - name: Use what the check gave
      ansible.builtin.assert:
        that:
          - __langgraph_checked is not changed
          - __langgraph_checked.deployments | length == 3
          - __langgraph_checked.deployments[1].port == 18124
          - __langgraph_checked.deployments[1].variables.FROM_FILE == 'planted-' ~ 'file'
          - __langgraph_checked.deployments[1].variables.SHIFTS == '3'
          - __langgraph_checked.deployments[1].redis_password == 'planted-' ~ 'redis'
          - __langgraph_checked.deployments[1].variables.LANGGRAPH_CLOUD_LICENSE_KEY == 'planted-' ~ 'licence'
          - __langgraph_checked.pull == ['bot:1', 'r:1']
          - __langgraph_checked.deployments[1].connection_limit == 3 * 32
          - __langgraph_checked.longest_drain == 180
          # Of what the units run, and of the units: none of them is on this host, or none is up to date.
          - __langgraph_checked.files | length == 7
          - "'/usr/local/lib/langgraph/langgraph-drain.py' in __langgraph_checked.files"
          - __langgraph_checked.missing_libraries is subset(['psycopg'])
        quiet: true
"""


VAULT_PASSWORD = "planted-vault-password"


def encrypted(text: str) -> str:
    """What ansible-vault makes of a text."""
    vault = VaultLib([("default", VaultSecret(VAULT_PASSWORD.encode()))])
    return vault.encrypt(text).decode()


@dataclass
class Run:
    """What one ansible-playbook run said."""

    code: int
    output: str
    failed: dict[str, dict[str, t.Any]]


@pytest.fixture(scope="module")
def taken() -> t.Iterator[int]:
    """A port of this host that this very program holds."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, taken: int) -> Run:
    """Check every list in one run; hosts are independent of each other."""
    folder = tmp_path_factory.mktemp("check")
    hosts = {
        **{name: variables for name, (variables, _lines) in (BAD | REFUSED).items()},
        **GOOD,
    }
    every = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "ansible_pipelining": True,
        "langgraph_secret_key": KEY,
        "langgraph_config_dir": str(folder / "etc"),
        "taken_port": taken,
    }
    text = json.dumps({"all": {"vars": every, "hosts": hosts}})
    # JSON is YAML, but for what only YAML has.
    text = text.replace('"image": "2026-01-01"', '"image": 2026-01-01')
    (folder / "hosts.yml").write_text(text.replace('"VAULTED"', f"!vault {json.dumps(encrypted('planted-licence'))}"))
    (folder / "play.yml").write_text(PLAY)
    (folder / "bad.env").write_text("A=planted-a\nplanted-line-of-a-file\n")
    (folder / "good.env").write_text(encrypted("FROM_FILE=planted-file\n"))
    (folder / "vault-password").write_text(VAULT_PASSWORD)
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "build/collections"),
        "ANSIBLE_HOME": str(folder / "home"),
        "ANSIBLE_VAULT_PASSWORD_FILE": "vault-password",
        "ANSIBLE_FORKS": "4",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
    }
    command = [Path(sys.executable).with_name("ansible-playbook"), "-vvv", "--diff", "-i", "hosts.yml", "play.yml"]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    found = re.findall(r"^fatal: \[([\w-]+)\]: FAILED! => (\{\n.*?^\})", done.stdout, re.DOTALL | re.MULTILINE)
    failed = {host: json.loads(result) for host, result in found}
    return Run(done.returncode, done.stdout + done.stderr, failed)


@pytest.mark.parametrize("title", BAD)
def test_bad_list(title: str, run: Run, taken: int) -> None:
    program = Path(f"/proc/{os.getpid()}/comm").read_text().strip()
    expected = [line.replace("TAKEN", str(taken)).replace("PROGRAM", program) for line in BAD[title][1]]
    result = run.failed[title]
    assert result["msg"].splitlines() == expected
    told = [
        f"deployment '{p['deployment']}', option '{p['option']}': {p['finding']}; {p['remedy']}"
        for p in result["problems"]
    ]
    assert told == expected


@pytest.mark.parametrize("title", REFUSED)
def test_refused(title: str, run: Run) -> None:
    message = run.failed[title]["msg"]
    assert REFUSED[title][1] in message
    assert len(message.splitlines()) == 1


def test_good_list_passes_and_is_usable(run: Run) -> None:
    assert set(run.failed) == {*BAD, *REFUSED}, run.output[-3000:]
    assert re.search(r"good\s+: ok=\d+\s+changed=0\s+unreachable=0\s+failed=0", run.output)


def test_nothing_secret_is_shown(run: Run) -> None:
    assert "planted" not in run.output.replace("planted-' ~ '", "")
