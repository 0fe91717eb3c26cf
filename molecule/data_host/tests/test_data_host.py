# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A deployment with Redis and Postgres on a separate host, which accepts only the inventory's hosts."""

from __future__ import annotations

import concurrent.futures
import subprocess
import typing as t

import pytest
import testinfra
import yaml

from playbooks import PROJECT, run_playbook

NAME, PORT = "apart-from-its-data", 8150
GATEWAY, POSTGRES, REDIS = "172.29.0.1", 5432, 6390
INVENTORY = PROJECT / "molecule/data_host/inventory"
LABEL = "selfhost.langgraph=1"
# The first bytes of a client, and the answer that only the server itself sends: TLS support, and that it needs a login.
HELLO = {POSTGRES: (bytes([0, 0, 0, 8, 4, 210, 22, 47]), b"N"), REDIS: (b"PING\r\n", b"-NOAUTH")}
ASK = """
import socket, sys
try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), 5) as server:
        server.settimeout(5)
        server.sendall(bytes.fromhex(sys.argv[3]))
        print(server.recv(100).hex())
except ConnectionResetError:
    print()
"""


@pytest.fixture
def data(test_host):
    """Return the data host."""
    return type(test_host)(testinfra.get_host(f"docker://{test_host.name.replace('app-bookworm', 'data-trixie')}"))


@pytest.fixture
def stranger(data) -> t.Iterator[str]:
    """Start a machine on the same network that is not in the inventory."""
    name = f"{data.name}-stranger"
    network = docker(
        "inspect", "--format", "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}}{{end}}", data.name
    )
    docker("rm", "--force", name)
    docker(
        *("run", "--detach", "--name", name, "--label", LABEL, "--network", network, "--entrypoint", "sleep"),
        *("selfhost-langgraph/host:trixie", "infinity"),
    )
    yield name
    docker("rm", "--force", name)


def docker(*words: str) -> str:
    return subprocess.run(["docker", *words], capture_output=True, text=True, check=True).stdout.strip()


def address(name: str) -> str:
    return docker("inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", name)


def site(*hosts: t.Any, **variables: t.Any) -> subprocess.CompletedProcess[str]:
    """Run the playbook site, only on these hosts if there are some."""
    limit = ("--limit", ",".join(host.name for host in hosts)) if hosts else ()
    return run_playbook(INVENTORY, "selfhost.langgraph.site", limit, variables)


def answer(machine: str, server: str, port: int) -> bytes:
    """Return a server's answer to the first bytes from a machine."""
    return bytes.fromhex(docker("exec", machine, "python3", "-c", ASK, server, str(port), HELLO[port][0].hex()))


@pytest.mark.essential
def test_a_run_leaves_its_data_on_the_other_host(test_host, data):
    (answered,) = test_host.client("run", f"http://127.0.0.1:{PORT}").values()
    assert (answered["text"], answered["background"]) == ("HELLO", "success")
    assert data.sql(data.database(NAME), f"SELECT count(*) FROM runs WHERE run_id = '{answered['run']}'") == "1"
    number = str(data.numbers()[NAME])
    assert answered["run"] in data.redis("-n", number, "--scan", "--pattern", f"'*{answered['run']}*'")


@pytest.mark.essential
def test_its_addresses_are_those_that_every_deployment_has(test_host):
    credentials = test_host.credentials(NAME)
    assert f"@{GATEWAY}:{POSTGRES}/" in credentials
    assert f"@{GATEWAY}:{REDIS}/" in credentials
    assert not test_host.host.exists("redis-server")
    assert not test_host.host.exists("postgres")


@pytest.mark.essential
def test_servers_listen_on_sockets_and_the_data_proxy_on_one_private_address(test_host, data):
    for machine, wanted in ((test_host, GATEWAY), (data, address(data.name))):
        lines = machine.host.check_output("ss --listening --tcp --numeric --no-header").splitlines()
        places = {line.split()[3] for line in lines if not line.split()[3].startswith(("127.", "[::1]"))}
        assert places == {f"{wanted}:{POSTGRES}", f"{wanted}:{REDIS}"}


@pytest.mark.essential
def test_a_strange_machine_is_refused(test_host, data, stranger):
    place = address(data.name)
    for port, (_hello, wanted) in HELLO.items():
        # A known machine gets an answer.
        assert answer(test_host.name, place, port).startswith(wanted)
        assert answer(stranger, place, port) == b""


@pytest.mark.essential
def test_the_data_host_alone_keeps_what_the_other_needs(test_host, data):
    """The play reads the address of the other host, which is not part of the play."""
    done = site(data)
    assert done.returncode == 0, done.stdout
    assert "changed=0" in done.stdout, done.stdout
    assert test_host.client("healthy", "10", f"http://127.0.0.1:{PORT}") < 10


def test_a_host_that_the_data_host_does_not_know_is_refused_before_anything_changes(test_host, data):
    own = address(test_host.name)
    other_host = (
        f"sed -i 's/acl inventory src {own}$/acl inventory src 192.0.2.1/' /etc/langgraph-data-proxy/haproxy.cfg"
        " && systemctl reload langgraph-data-proxy"
    )
    data.host.check_output(other_host)
    place = address(data.name)
    assert data.wait_until(lambda: answer(test_host.name, place, POSTGRES) == b"", 10)
    try:
        refused = site(test_host)
        assert refused.returncode != 0
        said = " ".join((refused.stdout + refused.stderr).split())
        assert f"--limit {test_host.name},{data.name}" in said, said
        assert "changed=0" in refused.stdout, refused.stdout
    finally:
        both = site(test_host, data)
    assert both.returncode == 0, both.stdout
    assert answer(test_host.name, place, POSTGRES) == HELLO[POSTGRES][1]
    alone = site(test_host)
    assert alone.returncode == 0, alone.stdout
    assert "changed=0" in alone.stdout, alone.stdout


def test_two_control_nodes_at_one_data_host(test_host):
    """The second run waits for the first, and has nothing left to do."""
    before = test_host.settings(NAME)["serving"]
    (deployment,) = yaml.safe_load((INVENTORY / "group_vars/all.yml").read_text())["langgraph_deployments"]
    wanted = [{**deployment, "env": {"TWICE": "yes"}}]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        runs = [pool.submit(site, langgraph_deployments=wanted) for _control_node in range(2)]
        done = [run.result() for run in runs]
    assert [run.returncode for run in done] == [0, 0], done[0].stdout + done[1].stdout
    assert test_host.settings(NAME)["serving"] == before + 1
    assert test_host.client("healthy", "60", f"http://127.0.0.1:{PORT}") < 60
