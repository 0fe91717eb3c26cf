# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reachability on the network: from a deployment's container, from another machine, from a foreign container.

Listeners are started on every address that could answer, and the deployments listen on every address. A port counts as
reached if there is any response, including a refusal.
"""

from __future__ import annotations

import subprocess
import typing as t
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[3]
PROBE = (Path(__file__).parent / "probe.py").read_text()
GATEWAY, DOCKER0 = "172.29.0.1", "172.17.0.1"
METADATA = ("169.254.169.254", "169.254.170.2", "168.63.129.16", "100.100.100.200")
# Listeners: on every address like sshd, on the deployments' network like a careless service, DNS; a foreign container.
SSHD, CARELESS, UDP, DNS, THEIRS, OUTSIDE = 2222, 2224, 2226, 53, 18080, 8080
MINE, OTHER = "support-bot", "research-agent"
LABEL = "selfhost.langgraph=1"


def docker(*words: str, text: str = "") -> str:
    return subprocess.run(["docker", *words], input=text, capture_output=True, text=True, check=True).stdout.strip()


class Stage:
    """A test host with listeners, and a second machine on its network."""

    def __init__(self, test_host: t.Any) -> None:
        self.test_host, self.neighbour = test_host, f"{test_host.name}-neighbour"
        self.address = self._address(test_host.name)

    def _restore_resolver(self) -> None:
        """Restore the rules by which the engine under the test hosts answers DNS inside them, if a flush has removed them.

        The ports are read, not remembered: a reboot changes them. A real host has no such rules.
        """
        if "127.0.0.11" in self._on_host("iptables-save", "-t", "nat"):
            return
        sockets = self._on_host("ss", "--tcp", "--udp", "--listening", "--numeric", "--no-header", "src", "127.0.0.11")
        rules = [":DOCKER_OUTPUT - [0:0]", ":DOCKER_POSTROUTING - [0:0]"]
        rules += [f"-A {hook} -d 127.0.0.11/32 -j DOCKER_{hook}" for hook in ("OUTPUT", "POSTROUTING")]
        for fields in map(str.split, sockets.splitlines()):
            kind, port = fields[0], fields[4].rpartition(":")[2]
            rules += [
                f"-A DOCKER_OUTPUT -d 127.0.0.11/32 -p {kind} --dport 53 -j DNAT --to-destination 127.0.0.11:{port}",
                f"-A DOCKER_POSTROUTING -s 127.0.0.11/32 -p {kind} --sport {port} -j SNAT --to-source :53",
            ]
        text = "\n".join(["*nat", *rules, "COMMIT", ""])
        docker("exec", "-i", self.test_host.name, "iptables-restore", "--noflush", text=text)

    @staticmethod
    def _address(name: str) -> str:
        return docker("inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", name)

    def plant(self) -> None:
        """Start the second machine, with routes to all networks of the host, and a foreign container."""
        docker("rm", "--force", self.neighbour)
        network = docker(
            "inspect",
            "--format",
            "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}}{{end}}",
            self.test_host.name,
        )
        # Required for sending packets for 127.0.0.1 to another machine.
        localnet = [
            word for name in ("all", "default", "lo") for word in ("--sysctl", f"net.ipv4.conf.{name}.route_localnet=1")
        ]
        docker(
            *("run", "--detach", "--name", self.neighbour, "--label", LABEL, "--network", network, *localnet),
            *("--cap-add", "NET_ADMIN", "--entrypoint", "sleep", "selfhost-langgraph/host:trixie", "infinity"),
        )
        self.outside = self._address(self.neighbour)
        routes = [f"ip route replace {target} via {self.address}" for target in ("172.29.0.0/16", "172.17.0.0/16")]
        routes += [f"ip address add {address}/32 dev eth0" for address in METADATA]
        routes += ["ip address flush dev lo", f"ip route replace 127.0.0.0/8 via {self.address}"]
        docker("exec", self.neighbour, "sh", "-c", " && ".join(routes))
        self._listen(
            self.neighbour, f"tcp:0.0.0.0:{OUTSIDE}", "tcp:0.0.0.0:80", f"tcp:0.0.0.0:{DNS}", f"udp:{METADATA[0]}:{DNS}"
        )
        theirs = [
            "-p",
            f"{THEIRS}:{THEIRS}",
            "--restart",
            "always",
            "--entrypoint",
            "python3",
            "demo-agent:1",
            "-c",
            PROBE,
        ]
        self._on_host("docker", "run", "--detach", "--name", "theirs", *theirs, "listen", f"tcp:0.0.0.0:{THEIRS}")
        self.plant_on_host()

    def plant_on_host(self) -> None:
        """Start the listeners, which do not survive a reboot of the host."""
        for address in METADATA:
            self._on_host("ip", "route", "replace", f"{address}/32", "via", self.outside)
        places = (f"tcp:0.0.0.0:{SSHD}", f"tcp:{GATEWAY}:{CARELESS}", f"udp:0.0.0.0:{UDP}", f"tcp:0.0.0.0:{DNS}")
        self._listen(self.test_host.name, *places)

    def remove(self) -> None:
        """Remove the listeners and machines, and restore DNS."""
        self._restore_resolver()
        docker("rm", "--force", self.neighbour)
        self._on_host("sh", "-c", "docker rm --force theirs; pkill -f '[l]isten tcp:0.0.0.0:2222'; true")
        for address in METADATA:
            self._on_host("sh", "-c", f"ip route del {address}/32 || true")

    def _on_host(self, *words: str) -> str:
        return docker("exec", self.test_host.name, *words)

    @staticmethod
    def _listen(name: str, *places: str) -> None:
        docker("exec", "--detach", name, "python3", "-c", PROBE, "listen", *places)

    def container(self, name: str) -> str:
        """Return the address of the serving container of a deployment."""
        shown = "{{.NetworkSettings.Networks.langgraph.IPAddress}}"
        return self._on_host("docker", "inspect", "--format", shown, f"langgraph-{self.test_host.instance(name)}")

    def theirs(self) -> str:
        """Return the address of the foreign container."""
        return self._on_host(
            "docker", "inspect", "--format", "{{.NetworkSettings.Networks.bridge.IPAddress}}", "theirs"
        )

    def reached(self, place: str, targets: t.Iterable[str]) -> list[str]:
        """Return the targets (tcp:ADDRESS:PORT) that respond in any way, from ``deployment NAME``, ``outside``, ``theirs`` or ``host``."""
        kind, _space, name = place.partition(" ")
        inner = {
            "deployment": lambda: ["docker", "exec", "-i", f"langgraph-{self.test_host.instance(name)}"],
            "theirs": lambda: ["docker", "exec", "-i", "theirs"],
            "host": list,
            "outside": list,
        }[kind]()
        machine = self.neighbour if kind == "outside" else self.test_host.name
        return docker("exec", "-i", machine, *inner, "python3", "-", "probe", *targets, text=PROBE).split()

    # Forbidden and allowed connections

    def forbidden(self) -> dict[str, list[str]]:
        """Return the targets that must not be reachable, by source."""
        theirs, containers = self.theirs(), [f"tcp:{self.container(name)}:8000" for name in (MINE, OTHER)]
        host = (GATEWAY, DOCKER0, self.address)
        return {
            f"deployment {MINE}": [
                *(f"tcp:{address}:{port}" for address in host for port in (8124, 8123, SSHD, THEIRS, 22)),
                *(f"tcp:{address}:{port}" for address in host[1:] for port in (6379, 5432)),
                *(f"tcp:{address}:80" for address in METADATA),
                *(f"udp:{address}:{UDP}" for address in (*host, "172.29.255.255", "255.255.255.255", "224.0.0.1")),
                *(f"tcp:{GATEWAY}:{CARELESS}", f"tcp:{theirs}:{THEIRS}", containers[1], "tcp:[fd00:ec2::254]:80"),
            ],
            f"deployment {OTHER}": [f"tcp:{GATEWAY}:8124", f"tcp:{GATEWAY}:{SSHD}", containers[0]],
            "outside": [
                *containers,
                *(f"tcp:127.0.0.1:{port}" for port in (8123, 8124, 6379, 5432)),
                *(f"tcp:{GATEWAY}:{port}" for port in (8123, 8124, 6379, 5432, CARELESS, SSHD)),
                f"udp:{GATEWAY}:{UDP}",
            ],
            "theirs": [*containers, f"tcp:{GATEWAY}:6379", f"tcp:{GATEWAY}:5432", f"tcp:{GATEWAY}:8124"],
        }

    def allowed_on_host(self) -> dict[str, list[str]]:
        """Return the targets that must be reachable even without the engine's own rules, by source."""
        services = [f"tcp:{GATEWAY}:6379", f"tcp:{GATEWAY}:5432", f"tcp:{GATEWAY}:{DNS}"]
        return {
            f"deployment {MINE}": services,
            # It may reach the first deployment, which the others may not.
            f"deployment {OTHER}": [*services, f"tcp:{GATEWAY}:8123", f"tcp:{self.address}:8123"],
            "outside": [f"tcp:{self.address}:{port}" for port in (8123, 8124, SSHD)],
            "theirs": [f"tcp:{DOCKER0}:{SSHD}", f"tcp:{self.address}:{SSHD}"],
            "host": ["tcp:127.0.0.1:8123", "tcp:127.0.0.1:8124", f"tcp:{self.container(MINE)}:8000"],
        }

    def allowed(self) -> dict[str, list[str]]:
        """Return also the targets that need the engine's own rules: outside addresses and published ports."""
        everything = self.allowed_on_host()
        everything[f"deployment {MINE}"] += [f"tcp:{self.outside}:{OUTSIDE}"]
        everything[f"deployment {MINE}"] += [f"{kind}:{METADATA[0]}:{DNS}" for kind in ("tcp", "udp")]
        everything["outside"] += [f"tcp:{self.address}:{THEIRS}"]
        everything["theirs"] += [f"tcp:{self.outside}:{OUTSIDE}", f"tcp:{METADATA[0]}:80"]
        return everything

    def trespasses(self) -> dict[str, list[str]]:
        """Return the reachable targets that must not be reachable, by source."""
        found = {place: self.reached(place, targets) for place, targets in self.forbidden().items()}
        return {place: reached for place, reached in found.items() if reached}

    def missing(self, allowed: t.Mapping[str, t.Sequence[str]]) -> dict[str, set[str]]:
        """Return the unreachable targets that must be reachable, by source."""
        found = {place: set(targets) - set(self.reached(place, targets)) for place, targets in allowed.items()}
        return {place: missing for place, missing in found.items() if missing}


@pytest.fixture(scope="module")
def stage(host, group_vars):
    """Set up a host with both deployments public, one of which may reach the other, and the listeners."""
    from conftest import TestHost

    first, second = group_vars["langgraph_deployments"]
    test_host = TestHost(host)
    public = [first, {**second, "may_reach": [MINE]}]
    stage = Stage(test_host)
    try:
        done = test_host.play(langgraph_bind_address="0.0.0.0", langgraph_deployments=public)
        assert done.returncode == 0, done.stdout[-3000:]
        stage.plant()
        yield stage
    finally:
        stage.remove()
        done = test_host.play()
        assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.essential
def test_the_watcher_has_one_capability(test_host):
    """Check the bounding set: CAP_NET_ADMIN is bit 12 (linux/capability.h)."""
    pid = test_host.host.check_output("systemctl show --property MainPID --value langgraph-firewall")
    assert int(test_host.host.check_output(f"awk '/^CapBnd/ {{print $2}}' /proc/{pid}/status"), 16) == 1 << 12


@pytest.mark.essential
def test_nobody_trespasses(stage):
    forbidden = stage.forbidden()
    assert sum(map(len, forbidden.values())) >= 50
    assert (stage.trespasses(), stage.missing(stage.allowed())) == ({}, {})


@pytest.mark.essential
def test_without_the_table_they_trespass(stage):
    """The listeners do answer, and only the table blocks the connections."""
    stage.test_host.host.check_output("systemctl stop langgraph-firewall")
    try:
        # The table stays active without its service.
        assert stage.trespasses() == {}
        stage.test_host.host.check_output("nft delete table inet langgraph")
        found = stage.trespasses()
        assert {f"tcp:{GATEWAY}:8124", f"tcp:{stage.address}:{SSHD}", f"tcp:{METADATA[0]}:80"} <= set(
            found[f"deployment {MINE}"]
        )
        assert {f"tcp:{GATEWAY}:6379", f"tcp:{GATEWAY}:5432"} <= set(found["outside"])
    finally:
        stage.test_host.host.check_output("systemctl start langgraph-firewall")
    assert stage.trespasses() == {}


@pytest.mark.essential
def test_rules_are_loaded_again_after_a_flush(stage):
    """Flush like ``nft -f /etc/nftables.conf``; the engine's own rules are missing until it restarts."""
    stage.test_host.host.check_output("nft flush ruleset")
    assert stage.test_host.wait_until(lambda: "langgraph" in stage.test_host.host.check_output("nft list tables"), 5)
    assert (stage.trespasses(), stage.missing(stage.allowed_on_host())) == ({}, {})
    stage.test_host.host.check_output("systemctl restart docker")
    assert (stage.trespasses(), stage.missing(stage.allowed())) == ({}, {})


def test_manual_changes_are_undone(stage):
    """Manual changes of the table are undone."""
    host, saddr = stage.test_host.host, stage.container(MINE)
    host.check_output("nft insert rule inet langgraph from_deployment accept")
    host.check_output(f"nft add element inet langgraph may_reach '{{ {saddr} . {SSHD} }}'")
    assert stage.test_host.wait_until(lambda: str(SSHD) not in host.check_output("nft list table inet langgraph"), 5)
    assert stage.trespasses() == {}


def test_the_services_of_the_distribution_are_left_alone(stage):
    assert stage.test_host.host.run("systemctl is-enabled nftables").stdout.strip() == "disabled"
    assert stage.test_host.host.run("systemctl is-active nftables").stdout.strip() == "inactive"


def test_a_reload_of_nftables(stage):
    host = stage.test_host.host
    for verb in ("start", "reload", "stop"):
        host.check_output(f"systemctl {verb} nftables")
        assert stage.test_host.wait_until(lambda: "langgraph" in host.check_output("nft list tables"), 5)
        assert (stage.trespasses(), stage.missing(stage.allowed_on_host())) == ({}, {})
    host.check_output("systemctl restart docker")
    assert stage.missing(stage.allowed()) == {}


def test_a_reboot(stage):
    """Enable the distribution's service at boot, which flushes all rules when it starts."""
    stage.test_host.host.check_output("systemctl enable nftables")
    try:
        subprocess.run(
            [PROJECT / "tests/tools/hosts.py", "reboot", stage.test_host.name], check=True, capture_output=True
        )
        # Before the listeners are started: the table is loaded immediately.
        assert "langgraph" in stage.test_host.host.check_output("nft list tables")
        stage.plant_on_host()
        ports = ["tcp:127.0.0.1:8123", "tcp:127.0.0.1:8124"]
        assert stage.test_host.wait_until(
            lambda: stage.test_host.unit(MINE).is_running and stage.test_host.unit(OTHER).is_running, 240
        )
        assert stage.test_host.wait_until(lambda: stage.reached("host", ports) == ports, 240)
        assert (stage.trespasses(), stage.missing(stage.allowed())) == ({}, {})
    finally:
        stage.test_host.host.check_output("systemctl disable nftables")
