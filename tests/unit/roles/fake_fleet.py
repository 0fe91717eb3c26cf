# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays over several fake hosts: the collection's roles, filters and action plugins, with modules that only return answers.

What a module answers is a file of the test, and what it was asked is a line of a log.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[3]
# Returns the answer in answers.json for its name and host, and records the options.
MODULE = """#!{python}
import json, os, sys
from ansible.module_utils.basic import AnsibleModule, _load_params

directory, name = {directory!r}, {name!r}
# Accepts any options: other tests compare them with the documentation.
options = {{key: {{"type": "raw"}} for key in _load_params() if not key.startswith("_ansible_")}}
module = AnsibleModule(argument_spec=options, supports_check_mode=True)
asked = {{key: value for key, value in module.params.items() if value is not None}}
with open(os.path.join(directory, "asked"), "a") as log:
    log.write(json.dumps([name, asked]) + "\\n")
answers = json.load(open(os.path.join(directory, "answers.json")))
module.exit_json(**answers.get(name, {{}}))
"""
LINKED = ("roles", "playbooks", "meta", "galaxy.yml")
LINKED_PLUGINS = ("action", "doc_fragments", "filter", "module_utils", "plugin_utils")
# Collection -> its modules that the roles use.
OF_OTHERS = {
    "docker": (
        "docker_image_export",
        "docker_image_pull",
        "docker_image_push",
        "docker_image_tag",
        "docker_login",
        "docker_network",
    ),
    "crypto": ("openssl_csr_pipe", "openssl_privatekey", "x509_certificate", "x509_certificate_info"),
}
HOST = {
    "deployments": [],
    "images": {},
    "architecture": "amd64",
    "files": dict.fromkeys(f"/etc/systemd/system/{unit}@.service" for unit in ("langgraph", "langgraph-drain")),
    "missing_libraries": [],
    "listening": {},
    "sockets": [],
    "carried": {"deployments": {}},
    "aes_keys": {},
}
ENGINE = {"images": {}, "architecture": "amd64", "root": "/var/lib/docker", "free": 10**12, "certificates": {}}


class Fleet:
    """Fake hosts on this machine, each with its own variables."""

    def __init__(self, directory: Path, hosts: t.Sequence[str]) -> None:
        self.directory = directory
        self.hosts = hosts
        # Usual name of a group -> its name in the inventory.
        self.groups: dict[str, str] = {}
        self.answers: dict[str, t.Any] = {"deployment_info": HOST, "image_info": {"engine": ENGINE}}
        own = directory / "collections/ansible_collections/selfhost/langgraph"
        (own / "plugins").mkdir(parents=True)
        for name in LINKED:
            (own / name).symlink_to(ROOT / name)
        for name in LINKED_PLUGINS:
            (own / "plugins" / name).symlink_to(ROOT / "plugins" / name)
        names = [path.stem for path in (ROOT / "plugins/modules").glob("*.py")]
        self._modules(own / "plugins/modules", names)
        for collection, modules in OF_OTHERS.items():
            other = directory / "collections/ansible_collections/community" / collection
            self._modules(other / "plugins/modules", modules)
            (other / "galaxy.yml").write_text(f"namespace: community\nname: {collection}\nversion: 4.0.0\n")

    def _modules(self, place: Path, names: t.Iterable[str]) -> None:
        place.mkdir(parents=True)
        for name in names:
            text = MODULE.format(python=sys.executable, directory=str(self.directory), name=name)
            (place / f"{name}.py").write_text(text)

    def play(
        self, plays: t.Sequence[t.Mapping[str, t.Any]], *arguments: str, **settings: str
    ) -> subprocess.CompletedProcess[str]:
        """Run plays; the output of both streams is in ``stdout``."""
        (self.directory / "play.yml").write_text(yaml.safe_dump([{"gather_facts": False, **play} for play in plays]))
        return self.run(str(self.directory / "play.yml"), *arguments, **settings)

    def run(self, playbook: str, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run a playbook on the hosts."""
        (self.directory / "answers.json").write_text(json.dumps(self.answers))
        (self.directory / "asked").write_text("")
        local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        # Without this, Ansible discovers the interpreter of each host, which takes seconds.
        hosts = {name: {"data_proxy_address": f"192.0.2.{number}"} for number, name in enumerate(self.hosts, 1)}
        # As in a real fleet: the first host has the data.
        data = {"hosts": {self.hosts[0]: {}}}
        groups = {"langgraph_hosts": {"hosts": hosts}, "langgraph_redis": data, "langgraph_postgres": data}
        children = {self.groups.get(name, name): group for name, group in groups.items()}
        inventory = {"all": {"hosts": hosts, "vars": local, "children": children}}
        (self.directory / "hosts.yml").write_text(yaml.safe_dump(inventory))
        command = [
            sys.executable,
            "-m",
            "ansible",
            "playbook",
            "-i",
            str(self.directory / "hosts.yml"),
            playbook,
            *arguments,
        ]
        environment = {
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(self.directory / "collections"),
            "ANSIBLE_HOME": str(self.directory / "home"),
            "ANSIBLE_NOCOLOR": "true",
            **settings,
        }
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=self.directory)
        done.stdout += done.stderr
        return done

    def asked(self, module: str) -> list[dict[str, t.Any]]:
        """Return the options of each call of a module in the last play."""
        calls = [json.loads(line) for line in (self.directory / "asked").read_text().splitlines()]
        return [options for name, options in calls if name == module]
