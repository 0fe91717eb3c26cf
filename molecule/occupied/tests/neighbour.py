# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host with an existing shop: the shop's state as text, and the variables that this host needs."""

from __future__ import annotations

import difflib
import json
import subprocess
import typing as t
import urllib.request

import yaml
from conftest import TestHost

from playbooks import PROJECT, run_playbook

SCENARIO = PROJECT / "molecule/occupied"
LOOK = "/opt/shop/look.sh"
# Per host: conflicting option -> variables that resolve the conflict. A host needs all of them.
NEEDED: dict[str, dict[str, dict[str, t.Any]]] = {
    # The shop's cluster listens only on the loopback, but Debian's tools distinguish clusters by port.
    "bookworm": {"redis_port": {"redis_port": 6390}, "postgres_port": {"postgres_port": 5442}},
    "trixie": {
        "postgres_port": {"postgres_port": 5442},
        "docker_network_subnet": {"docker_network_subnet": "172.31.128.0/17", "docker_network_gateway": "172.31.128.1"},
    },
}


class Occupied(TestHost):
    """A host with an existing shop."""

    def __init__(self, host: t.Any) -> None:
        super().__init__(host)
        self.release = self.name.rpartition("-")[2]
        self.needed = NEEDED[self.release]

    @property
    def deployments(self) -> list[dict[str, t.Any]]:
        """Return the deployments of the inventory."""
        return yaml.safe_load((SCENARIO / "inventory/group_vars/all.yml").read_text())["langgraph_deployments"]

    @property
    def options(self) -> dict[str, t.Any]:
        """Return all variables that this host needs."""
        return {name: value for options in self.needed.values() for name, value in options.items()}

    def _playbook(
        self, playbook: str, arguments: t.Sequence[str], variables: t.Mapping[str, t.Any], **settings: str
    ) -> subprocess.CompletedProcess[str]:
        done = run_playbook(SCENARIO / "inventory", playbook, ("--limit", self.name, *arguments), variables, **settings)
        # Molecule's settings send failures and details to stderr.
        done.stdout += done.stderr
        return done

    def look(self) -> dict[str, str]:
        """Return the state of the shop: text by part."""
        # Not with testinfra, which would print all of it with each failed test.
        text = subprocess.check_output(["docker", "exec", self.name, LOOK], text=True)
        parts = (part.partition("\n") for part in text.split("=== ")[1:])
        return {name: text for name, _newline, text in parts} | self._from_outside()

    def _from_outside(self) -> dict[str, str]:
        """Return the shop's responses to another machine: of its HAProxy, and of its container."""
        address = subprocess.check_output([PROJECT / "tests/tools/hosts.py", "address", self.name], text=True).strip()
        return {f"from another machine, {port}": _page(f"http://{address}:{port}/index.html") for port in (8080, 8088)}

    def till_is_open(self) -> bool:
        """Return whether the shop's till has all its connections."""
        seen = self.host.run("cat /run/shop/till.json").stdout
        return bool(seen) and len(json.loads(seen)["asked"]) == 4

    def healthy(self, *names: str, seconds: float = 90) -> None:
        """Wait until deployments are healthy, and start a run on each of them."""
        ports = {"support-bot": 8123, "research-agent": 8124}
        urls = [f"http://127.0.0.1:{ports[name]}" for name in names]
        self.client("healthy", f"{seconds:g}", *urls)
        answers = self.client("run", *urls)
        assert {(answer["text"], answer["background"]) for answer in answers.values()} == {("HELLO", "success")}

    def clusters(self) -> dict[str, str]:
        """Return port, state and owner of each Postgres cluster on the host, by version and name."""
        lines = self.host.check_output("pg_lsclusters --no-header").splitlines()
        return {" ".join(words[:2]): " ".join(words[2:5]) for words in map(str.split, lines)}

    def server(self) -> str:
        """Return the unit and the invocation id of the deployments' Postgres."""
        return self.host.check_output("systemctl show --property Id,InvocationID 'postgresql@*-langgraph.service'")

    def left(self) -> list[str]:
        """Return the collection's files on the host, and packages that the shop did not have."""
        files = self.host.check_output("find /etc /usr/local /var/lib /run -xdev -name '*langgraph*' | sort").split()
        packages = self.host.run("dpkg-query -W -f '${Package}\\n' | grep -vFxf /opt/shop/packages").stdout.split()
        return [*files, *packages]


def _page(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return str(answer.read().decode())
    except OSError as error:
        return str(error)


def differences(before: t.Mapping[str, str], after: t.Mapping[str, str]) -> str:
    """Return the differences, part by part."""
    return "\n".join(
        line
        for part in before
        if before[part] != after.get(part, "")
        for line in difflib.unified_diff(
            before[part].splitlines(), after.get(part, "").splitlines(), part, "afterwards", n=0, lineterm=""
        )
    )
