# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The check as users run it: real ansible-playbook runs at -vvv, one host per list, without Docker."""

from __future__ import annotations

import fcntl
import json
import os
import re
import socket
import subprocess
import sys
import typing as t
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import Problem, printable

ROOT = Path(__file__).parents[4]
# `ansible-test` runs this in the installed collection; in the repository it is a link in build/.
COLLECTIONS = ROOT / "build/collections" if (ROOT / "build/collections").exists() else ROOT.parents[2]
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

# The secrets of a build.
SECRETS = {"build_args": {"TOKEN": "planted-arg"}, "build_secrets": {"NPM": "planted-build-secret"}}
# Files of the directory app, next to the inventory.
APP = {
    "langgraph.json": {"graphs": {}, "env": "sub/.env"},
    "merged.json": {"graphs": {}, "env": {"MODEL": "planted-model", "LOG_LEVEL": "DEBUG", "REDIS_URI": "planted-uri"}},
    "pinned.json": {"graphs": {}, "api_version": "0.7.1"},
    "list.json": ["planted-item"],
    "no-env.json": {"env": ".none"},
    "bad-env.json": {"env": "../bad.env"},
    "bad-name.json": {"env": {"planted name": "planted-value"}},
    "spill.json": {"env": {"SPILL": "planted-one\nplanted-two"}},
    "sub/deep.json": {"graphs": {}, "env": ".env"},
    "text.json": "planted-text",
    "sub/.env": "FROM_SUB=planted-sub\n",
}

# Title: the host's variables, and the expected lines.
BAD: dict[str, tuple[dict[str, t.Any], list[str]]] = {
    "empty": (
        {"langgraph_deployments": []},
        [
            "deployment '-', option 'langgraph_deployments': the list is empty; add a deployment, "
            "or remove this host from the group langgraph_hosts"
        ],
    ),
    "null-inside": (
        {"langgraph_deployments": [None, BOT]},
        [
            "deployment 'entry 1', option '-': is not a mapping; write '- name: ...' with image and port below it, and check colons and indentation"
        ],
    ),
    "text-inside": (
        {"langgraph_deployments": ["LANGSMITH_API_KEY=planted-text"]},
        [
            "deployment 'entry 1', option '-': is not a mapping; write '- name: ...' with image and port below it, and check colons and indentation"
        ],
    ),
    "no-directory": (
        {"langgraph_deployments": [{**BOT, "build": "./nowhere"}]},
        [
            "deployment 'support-bot', option 'build': there is no directory './nowhere' on the control node; set the path of the "
            "application"
        ],
    ),
    "types": (
        {"langgraph_deployments": [{**BOT, "name": 5, "port": True, "env": ["planted-list"], "memory": {"a": 1}}]},
        [
            "deployment '5', option 'name': is a number (5); it must be a string",
            "deployment '5', option 'port': is true or false (True); it must be a whole number",
            "deployment '5', option 'memory': is a mapping; it must be a string",
            "deployment '5', option 'env': is a list; it must be a mapping",
        ],
    ),
    "nested": (
        {"langgraph_deployments": [{**BOT, "env": {"A": ["planted-item"], "B": {"c": "planted-deep"}}}]},
        [
            "deployment 'support-bot', option 'env.A': is a list; write it as a string",
            "deployment 'support-bot', option 'env.B': is a mapping; write it as a string",
        ],
    ),
    "date": (
        {"langgraph_deployments": [{**BOT, "langgraph_thread_ttl": {"from": "2026-01-01"}, "image": "2026-01-01"}]},
        ["deployment 'support-bot', option 'image': is a date; it must be a string"],
    ),
    "typo-and-spill": (
        {"langgraph_deployments": [{**BOT, **SPILL, "prot": 1}]},
        [
            "deployment 'support-bot', option 'prot': is not an option of a deployment; did you mean 'port'?",
            "deployment 'support-bot', option 'langgraph_aes_key': has 13 bytes; a key has 16, 24 or 32 bytes",
            "deployment 'support-bot', option 'env.A': has a line break; the engine's environment file cannot contain one: "
            "encode it, for example as base64",
        ],
    ),
    "owned": (
        {"langgraph_deployments": [{**BOT, "env": {"REDIS_URI": "redis://:planted-uri@x"}}]},
        [
            "deployment 'support-bot', option 'env.REDIS_URI': is set by the collection; remove it: the collection "
            "claims the Redis database and sets it"
        ],
    ),
    "port-taken": (
        {"langgraph_deployments": [{**BOT, "port": "{{ taken_port }}"}]},
        ["deployment 'support-bot', option 'port': port TAKEN of the host is taken by 'PROGRAM'; choose a free port"],
    ),
    "image-missing": (
        {"langgraph_deployments": [{**BOT, "image": "no/such:1"}], "image_pull": "never"},
        [
            "deployment 'support-bot', option 'image': the host has no image 'no/such:1'; load it there, list its "
            "archive in image_archives or its directory in image_builds, or set image_pull: always"
        ],
    ),
    "image-by-its-build": (
        {
            "langgraph_deployments": [BOT, {**OTHER, "image": "no/such:1"}],
            "image_builds": [{"image": "bot:1", "directory": "app", "api_version": "0.7.1"}],
            "image_pull": "never",
        },
        [
            "deployment 'research', option 'image': the host has no image 'no/such:1'; load it there, list its "
            "archive in image_archives or its directory in image_builds, or set image_pull: always"
        ],
    ),
    "builds-are-a-mapping": (
        {"langgraph_deployments": [BOT], "image_builds": {"bot:1": "app"}},
        ["deployment '-', option 'image_builds': is a mapping; write a list, one entry per directory"],
    ),
    "builds-types": (
        {
            "langgraph_deployments": [BOT],
            "image_builds": [
                "planted-text",
                {**SECRETS, "image": "bot", "directory": 5, "push": "yes"},
                {
                    "image": "bot:1",
                    "directory": "app",
                    "build_args": {"A": ["planted-list"]},
                    "build_secrets": "planted-s",
                },
                {"image": "bot:1", "directory": "app", "imoge": "x", "readable_build_args": ["TOKEN=planted-r"]},
            ],
        },
        [
            "image_builds entry 1, option '-': is not a mapping; write a mapping with at least image and directory",
            "image_builds entry 2, option 'directory': is a number; it must be a string",
            "image_builds entry 2, option 'push': is a string; it must be true or false",
            "image_builds entry 2, option 'image': 'bot' has no tag; give each release its own tag",
            "image_builds entry 3, option 'build_secrets': is a string; it must be a mapping of strings",
            "image_builds entry 3, option 'build_args': A is a list; it must be a string: write it in quotes",
            "image_builds entry 4, option 'imoge': is not an option of a build; did you mean 'image'?",
            "image_builds entry 4, option 'readable_build_args': 'TOKEN' is not among build_args; remove it or "
            "set it in build_args",
            "image_builds entry 4, option 'image': is built twice; give each directory its own image",
        ],
    ),
    "builds-files": (
        {
            "langgraph_deployments": [{**BOT, "prot": 1}],
            "image_builds": [
                {**SECRETS, "image": "a:1", "directory": "none"},
                {**SECRETS, "image": "b:1", "directory": "bad.env"},
                {**SECRETS, "image": "c:1", "directory": "app", "config": "none.json"},
                {**SECRETS, "image": "d:1", "directory": "app", "config": "text.json"},
                {**SECRETS, "image": "e:1", "directory": "app", "config": "list.json"},
                {**SECRETS, "image": "f:1", "directory": "app", "config": "no-env.json"},
                {**SECRETS, "image": "g:1", "directory": "app", "config": "bad-env.json"},
                {**SECRETS, "image": "h:1", "directory": "app", "config": "bad-name.json"},
            ],
        },
        [
            "image_builds entry 1, option 'directory': there is no directory 'none' on the control node; set the "
            "path of the application",
            "image_builds entry 2, option 'directory': there is no directory 'bad.env' on the control node; set "
            "the path of the application",
            "image_builds entry 3, option 'config': 'FOLDER/app' has no file 'none.json'; set its path in the directory",
            "image_builds entry 4, option 'config': text.json is not JSON (Expecting value: line 1 column 1 "
            "(char 0)); correct the file",
            "image_builds entry 5, option 'config': list.json is a list, not a mapping; correct the file",
            "image_builds entry 6, option 'config': no-env.json has '.none' as env, but there is no such "
            "file; correct the file",
            "image_builds entry 7, option 'config': bad-env.json has '../bad.env' as env: line 2 is not "
            "NAME=value; correct the file",
            "image_builds entry 8, option 'config': bad-name.json has a name in env that is not a valid variable "
            "name; correct the file",
            "deployment 'support-bot', option 'prot': is not an option of a deployment; did you mean 'port'?",
        ],
    ),
    "merged-env": (
        {
            "langgraph_deployments": [BOT],
            "image_builds": [{"image": "bot:1", "directory": "app", "config": "spill.json", "merge_env": True}],
        },
        [
            "deployment 'support-bot', option 'env.SPILL': has a line break; the engine's environment file cannot contain one: "
            "encode it, for example as base64"
        ],
    ),
    "env-file": (
        {"langgraph_deployments": [{**BOT, "env_file": "bad.env"}, {**OTHER, "env_file": "none.env"}]},
        [
            "deployment 'support-bot', option 'env_file': bad.env: line 2 is not NAME=value; write one NAME=value per line",
            "deployment 'research', option 'env_file': there is no file 'none.env'; set the path of a UTF-8 file on "
            "the control node",
        ],
    ),
    "shared-port": (
        {"langgraph_deployments": [{**BOT, "mount_prefix": "/bot"}, {**OTHER, "port": "18123"}]},
        [
            "deployment 'research', option 'port': port 18123 is also used by 'support-bot'; give each deployment its own "
            "port, or give every deployment on it a hostname or a mount_prefix"
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
            "and max_connections leaves 47; lower the pools (this is the largest), langgraph_max_running_revisions "
            "or langgraph_max_extra_revisions, or raise max_connections to 77",
        ],
    ),
    "numbers": (
        {"langgraph_deployments": [BOT, OTHER], "langgraph_redis_databases": "2", "langgraph_max_connections": "60"},
        [
            "deployment 'support-bot', option 'langgraph_postgres_pool_max_size': all deployments (2) need 192 connections, "
            "and max_connections leaves 47; lower the pools (this is the largest), langgraph_max_running_revisions "
            "or langgraph_max_extra_revisions, or raise max_connections to 205",
            "deployment 'research', option 'redis_db': the list has 2 deployments, and Redis has 1 database numbers besides the "
            "reserved 0; set redis_databases to 3 or more",
        ],
    ),
}
# Title: the host's variables, and a part of the only message.
REFUSED: dict[str, tuple[dict[str, t.Any], str]] = {
    "misspelled": (
        {"langgraph_deployments": [BOT], "langgraph_bind_adress": "planted-address", "redis_host": "of somebody else"},
        "'langgraph_bind_adress' is not a variable of the collection; did you mean 'langgraph_bind_address'?",
    ),
    "short-key": (
        {"langgraph_deployments": [BOT], "langgraph_secret_key": "planted-short-key"},
        "langgraph_secret_key is shorter than 32 characters; every password is derived from it: create one with "
        "'openssl rand -hex 32' and keep it in your vault",
    ),
    "short-previous-key": (
        {"langgraph_deployments": [BOT], "langgraph_previous_secret_key": "planted-short-key"},
        "langgraph_previous_secret_key is shorter than 32 characters, or the same as langgraph_secret_key; set it to the previous key",
    ),
    "same-previous-key": (
        {"langgraph_deployments": [BOT], "langgraph_previous_secret_key": KEY},
        "langgraph_previous_secret_key is shorter than 32 characters, or the same as langgraph_secret_key; set it to the previous key",
    ),
    "no-key": ({"langgraph_deployments": [BOT], "langgraph_secret_key": ""}, "langgraph_secret_key is shorter than 32"),
    "not-a-list": ({"langgraph_deployments": {"support-bot": BOT}}, "langgraph_deployments"),
    "data-proxy-port-taken": (
        {"langgraph_deployments": [BOT], "docker_network_gateway": "127.0.0.1", "postgres_port": "{{ taken_port }}"},
        "of data-proxy-port-taken; change postgres_port, or let that program listen elsewhere",
    ),
    "data-proxy-one-port-for-both": (
        {"langgraph_deployments": [BOT], "redis_port": 5432},
        "Redis and Postgres have the same port 5432; change redis_port or postgres_port",
    ),
    "no-archive": (
        {"langgraph_deployments": [BOT], "image_archives": ["none.tar"]},
        "image_archives: there is no file 'none.tar' on the control node",
    ),
}
BUILDS = [
    {
        **SECRETS,
        "image": "docker.io/library/bot:1",
        "directory": "app",
        "config": "merged.json",
        "api_version": "0.7.1",
        "merge_env": True,
    },
    {
        **SECRETS,
        "image": "r.example:5000/r:1",
        "directory": "{{ inventory_dir }}/app",
        "config": "pinned.json",
        "pull": False,
    },
    {**SECRETS, "image": "nobody:1", "directory": "app", "config": "pinned.json", "readable_build_args": ["TOKEN"]},
]
GOOD = {
    "good": {"langgraph_deployments": [BOT, OTHER, {"name": "gone", "state": "stopped"}]},
    "good-builds": {
        "langgraph_deployments": [{**BOT, "log_level": "INFO"}, {**OTHER, "image": "r.example:5000/r:1"}],
        "image_builds": BUILDS,
        "image_pull": "never",
    },
    "good-build": {
        "langgraph_deployments": [
            {**BOT, "build": "app"},
            {**BOT, "name": "twin", "port": 18125, "build": "app"},
            {"name": "gone", "image": "gone:1", "build": "nowhere", "state": "stopped"},
        ],
        "image_pull": "never",
    },
    "warned": {
        # No deployment has the images of entries 2, 4 and 5: no warning about their env can be meant for this host.
        "langgraph_deployments": [
            BOT,
            {**BOT, "name": "three", "image": "three:1", "port": 18125, "env": {"MODEL": "planted-own"}},
        ],
        "image_builds": [
            {**SECRETS, "image": "bot:1", "directory": "app"},
            {**SECRETS, "image": "two:1", "directory": "app", "config": "pinned.json"},
            {**SECRETS, "image": "three:1", "directory": "app", "config": "merged.json", "api_version": "0.7"},
            {**SECRETS, "image": "four:1", "directory": "app", "config": "sub/deep.json", "pull": False},
            {
                **SECRETS,
                "image": "five:1",
                "directory": "app",
                "base_image": "x/langgraph-server:0.2.18",
                "merge_env": True,
            },
        ],
    },
}
WARNINGS = [
    "image_builds entry 1, image 'bot:1': the base image is not pinned, a later build may use a newer server; set api_version to a "
    "full version",
    "image_builds entry 1, image 'bot:1': env of langgraph.json (FROM_SUB) is not part of an image; set merge_env: true "
    "or set it in env",
    "image_builds entry 3, image 'three:1': the base image is not pinned, a later build may use a newer server; set api_version to a "
    "full version",
    "image_builds entry 3, image 'three:1': env of merged.json (LOG_LEVEL) is not part of an image; set merge_env: true or set it "
    "in env",
]

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
          - __langgraph_checked.deployments[1].rollout.port == 18124
          - __langgraph_checked.deployments[1].rollout.environment.FROM_FILE == 'planted-' ~ 'file'
          - __langgraph_checked.deployments[1].rollout.environment.SHIFTS == '3'
          - __langgraph_checked.deployments[1].redis.password == 'planted-' ~ 'redis'
          - __langgraph_checked.deployments[1].rollout.environment.LANGGRAPH_CLOUD_LICENSE_KEY == 'planted-' ~ 'licence'
          - __langgraph_checked.images | map(attribute='image') == ['bot:1', 'r:1']
          - __langgraph_checked.images | map(attribute='deployments') == [['support-bot'], ['research']]
          - __langgraph_checked.deployments[1].postgres.connection_limit == 3 * 32
          - __langgraph_checked.longest_drain == 180
          - __langgraph_checked.owner == langgraph_secret_key | selfhost.langgraph.claim_owner('')
          - __langgraph_checked.previous_owners == []
          # Of what the units run, and of the units: none of them is on this host, or none is up to date.
          - __langgraph_checked.files | length == 8
          - "'/usr/local/lib/langgraph/langgraph-drain.py' in __langgraph_checked.files"
          - __langgraph_checked.missing_libraries is subset(['psycopg'])
        quiet: true
      when: inventory_hostname == 'good'
    - name: Use what the check gave of builds
      ansible.builtin.assert:
        that:
          - __langgraph_checked.images | map(attribute='image') == ['bot:1', 'r.example:5000/r:1']
          - __langgraph_checked.deployments[0].rollout.environment.MODEL == 'planted-' ~ 'model'
          - __langgraph_checked.deployments[0].rollout.environment.LOG_LEVEL == 'INFO'
          - "'REDIS_URI' not in __langgraph_checked.deployments[0].rollout.environment"
          - "'MODEL' not in __langgraph_checked.deployments[1].rollout.environment"
        quiet: true
      when: inventory_hostname == 'good-builds'
    - name: Use what the check gave of the directory of a deployment
      ansible.builtin.assert:
        that:
          - __langgraph_checked.images | map(attribute='image') == ['bot:1']
          - __langgraph_checked.images | map(attribute='build') == ['app']
          - __langgraph_checked.images[0].deployments | length == 2
        quiet: true
      when: inventory_hostname == 'good-build'
    - name: See that nothing is merged where that is not wished
      ansible.builtin.assert:
        that: "'FROM_SUB' not in __langgraph_checked.deployments[0].rollout.environment"
        quiet: true
      when: inventory_hostname == 'warned'
"""


VAULT_PASSWORD = "planted-vault-password"


def encrypted(text: str) -> str:
    """Return the string as ansible-vault encrypts it."""
    vault = VaultLib([("default", VaultSecret(VAULT_PASSWORD.encode()))])
    return vault.encrypt(text).decode()


@dataclass
class Run:
    """The output of one ansible-playbook run."""

    code: int
    output: str
    failed: dict[str, dict[str, t.Any]]
    taken: int  # a port of this host while it ran
    directory: str


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run the playbook once for all tests.

    `ansible-test` runs each test in its own process, with a directory for output of tests; there they share the result.
    """
    directory, kept = tmp_path_factory.mktemp("check"), ROOT / "tests/output"
    if not kept.exists() or "PYTEST_XDIST_TESTRUNUID" not in os.environ:
        return check(directory)
    with (kept / f"check-{os.environ['PYTEST_XDIST_TESTRUNUID']}.json").open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        output = file.read()
        if not output:
            json.dump(asdict(check(directory)), file)
            file.seek(0)
            output = file.read()
    return Run(**json.loads(output))


def check(directory: Path) -> Run:
    """Check every list; hosts are independent of each other. This test process listens on a port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return play(directory, server.getsockname()[1])


def play(directory: Path, taken: int) -> Run:
    hosts = {
        **{name: variables for name, (variables, _lines) in (BAD | REFUSED).items()},
        **GOOD,
    }
    every = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "ansible_pipelining": True,
        "langgraph_secret_key": KEY,
        "langgraph_config_dir": str(directory / "etc"),
        "taken_port": taken,
    }
    text = json.dumps({"all": {"vars": every, "hosts": hosts}})
    # JSON is YAML, but for what only YAML has.
    text = text.replace('"image": "2026-01-01"', '"image": 2026-01-01')
    (directory / "hosts.yml").write_text(
        text.replace('"VAULTED"', f"!vault {json.dumps(encrypted('planted-licence'))}")
    )
    (directory / "play.yml").write_text(PLAY)
    (directory / "bad.env").write_text("A=planted-a\nplanted-line-of-a-file\n")
    (directory / "good.env").write_text(encrypted("FROM_FILE=planted-file\n"))
    (directory / "app/sub").mkdir(parents=True)
    for name, content in APP.items():
        (directory / "app" / name).write_text(content if isinstance(content, str) else json.dumps(content))
    (directory / "vault-password").write_text(VAULT_PASSWORD)
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_HOME": str(directory / "home"),
        "ANSIBLE_VAULT_PASSWORD_FILE": "vault-password",
        "ANSIBLE_FORKS": "4",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
    }
    command = [sys.executable, "-m", "ansible.cli.playbook", "-vvv", "--diff", "-i", "hosts.yml", "play.yml"]
    done = subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    found = re.findall(r"^fatal: \[([\w-]+)\]: FAILED! => (\{\n.*?^\})", done.stdout, re.DOTALL | re.MULTILINE)
    failed = {host: json.loads(result) for host, result in found}
    return Run(done.returncode, done.stdout + done.stderr, failed, taken, str(directory))


@pytest.mark.parametrize("title", BAD)
def test_bad_list(title: str, run: Run) -> None:
    program = Path(f"/proc/{os.getpid()}/comm").read_text().strip()
    expected = [line.replace("TAKEN", str(run.taken)).replace("PROGRAM", program) for line in BAD[title][1]]
    expected = [line.replace("'FOLDER/app'", f"'{printable(f'{run.directory}/app')}'") for line in expected]
    result = run.failed[title]
    assert result["msg"].splitlines() == expected
    assert [str(Problem(**problem)) for problem in result["problems"]] == expected


@pytest.mark.parametrize("title", REFUSED)
def test_refused(title: str, run: Run) -> None:
    message = run.failed[title]["msg"]
    assert REFUSED[title][1] in message
    assert len(message.splitlines()) == 1


def test_good_list_passes_and_is_usable(run: Run) -> None:
    assert set(run.failed) == {*BAD, *REFUSED}, run.output[-3000:]
    for title in GOOD:
        assert re.search(rf"^{title}\s+: ok=\d+\s+changed=0\s+unreachable=0\s+failed=0", run.output, re.MULTILINE)


def test_warnings_are_printed_and_nothing_else(run: Run) -> None:
    """They are printed although the result of the task is hidden."""
    warned = re.findall(r"^\[WARNING\]: (.*(?:\n(?!\[WARNING\]|TASK|ok|fatal|$).*)*)", run.output, re.MULTILINE)
    printed = [" ".join(text.split()) for text in warned]
    assert sorted(text for text in printed if text.startswith("image_builds")) == sorted(WARNINGS)


def test_no_secret_is_printed(run: Run) -> None:
    assert "planted" not in run.output.replace("planted-' ~ '", "")
