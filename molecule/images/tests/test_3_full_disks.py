# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk that fills up while an image is pulled, loaded or built: one line reports it, deployments serve, space is freed.

The engine of one host gets a small disk in memory, with a deployment on it.
"""

from __future__ import annotations

from pathlib import Path

import click
import pytest
import yaml
from fleet import BASE, HOSTS, command, flat

from playbooks import PROJECT

HOST = HOSTS[1]
ROOT = "/var/lib/docker"
FREE = 300_000_000
# One byte each: 80 MB in an archive, next to nothing in a registry, and 320 MB on a disk.
MANY_FILES = "RUN python3 -c \"[open(f'/srv/{n}', 'w').write('x') for n in range(80000)]\""
# The pure-Python packages that the CLI consists of.
CLI = (
    "langgraph_cli",
    "click",
    "dotenv",
    "httpx",
    "httpcore",
    "h11",
    "anyio",
    "certifi",
    "idna",
    "sniffio",
    "pathspec",
)


@pytest.fixture(scope="module")
def small(fleet, tmp_path_factory):
    """Return the host with a small disk: with the base image, a serving deployment, and FREE bytes left."""
    fleet.on(HOST, "sh", "-c", f"systemctl stop docker.socket docker && mount -t tmpfs -o size=1500m tmpfs {ROOT}")
    try:
        fleet.on(HOST, "systemctl", "start", "docker")
        network = yaml.safe_load((PROJECT / "roles/docker/defaults/main.yml").read_text())
        bridge = f"com.docker.network.bridge.name={network['docker_network_bridge']}"
        addresses = ("--subnet", network["docker_network_subnet"], "--gateway", network["docker_network_gateway"])
        fleet.on(HOST, "docker", "network", "create", "-o", bridge, *addresses, network["docker_network_name"])
        command("sh", "-c", f"docker save {BASE}:3.11 | docker exec -i {HOST} docker load")
        with fleet.login(tmp_path_factory.mktemp("login")) as environment:
            command("docker", "tag", "demo-agent:1", f"{fleet.small}:1")
            command("docker", "push", "-q", f"{fleet.small}:1", env=environment)
        served = play(
            fleet, image_builds=[], langgraph_deployments=[{**fleet.deployments[1], "image": f"{fleet.small}:1"}]
        )
        assert served.returncode == 0, served.stdout
        free = free_bytes(fleet)
        fleet.on(HOST, "fallocate", "-l", str(free - FREE), f"{ROOT}/filler")
        yield fleet
    finally:
        ends = "docker ps -q | xargs -r docker kill; systemctl stop 'langgraph@*' 'langgraph-drain@*'"
        fleet.on(HOST, "sh", "-c", f"{ends}; systemctl stop docker.socket docker; umount {ROOT}")
        fleet.on(HOST, "systemctl", "start", "docker")
        restored = play(fleet, hosts=HOSTS, langgraph_deployments=fleet.deployments)
        assert restored.returncode == 0, restored.stdout


def play(fleet, **variables):
    return fleet.play(**{"hosts": (HOST,), **variables})


def free_bytes(fleet):
    return int(fleet.on(HOST, "df", "--output=avail", "-B1", ROOT).splitlines()[-1])


def refused(fleet, says, image, **variables):
    """Check that the play prints one line, the serving container is the same, and the space is freed."""
    name = fleet.deployments[1]["name"]
    before, free = running(fleet), free_bytes(fleet)
    wanted = [{**fleet.deployments[1], "image": image}]
    done = play(fleet, langgraph_deployments=wanted, **variables)
    assert done.returncode != 0
    assert says in flat(done.stdout), done.stdout
    assert name in before
    assert running(fleet) == before
    # The failure includes the host's journal.
    ask = "curl -sSf 'http://127.0.0.1:8132/ok?check_db=1' || { journalctl --no-pager --since -20s; exit 1; }"
    assert '"ok":true' in fleet.on(HOST, "sh", "-c", ask)
    assert free_bytes(fleet) > free - 5_000_000
    assert fleet.on(HOST, "sh", "-c", "find /var/lib/langgraph/spool -type f 2>/dev/null; true") == ""


def running(fleet):
    return fleet.on(HOST, "docker", "ps", "--no-trunc", "--format", "{{.Names}} {{.ID}}")


@pytest.fixture(scope="module")
def made(fleet):
    """Build an image of the base and one more line on this machine; return its name with the registry."""
    names = []

    def make(name, line):
        # In the repository of the serving image: common layers need not be pulled.
        tag = f"{fleet.small}:{name}"
        names.append(tag)
        # Built once: the engine has the steps of the second test in its cache.
        command("docker", "build", "-q", "-t", tag, "-", input=f"FROM demo-agent:1\n{line}\n")
        return tag

    yield make
    for name in names:
        command("docker", "rmi", "-f", name)


def push(fleet, directory, tag):
    with fleet.login(directory) as environment:
        command("docker", "push", "-q", tag, env=environment)


def test_too_large_to_pull(small, made, tmp_path):
    """A registry reports the size of a download: a pull that cannot fit is not started."""
    tag = made("large", "RUN head -c 120000000 /dev/urandom >/srv/random")
    push(small, tmp_path, tag)
    says = "pulling it requires about 480 MB, but the host has 300 MB free"
    refused(small, says, tag, image_builds=[])


def test_full_while_it_is_pulled(small, made, tmp_path):
    tag = made("many", MANY_FILES)
    push(small, tmp_path, tag)
    refused(small, "no space left on device", tag, image_builds=[])


def test_too_large_to_load(small, made, tmp_path):
    tag = made("large", "RUN head -c 200000000 /dev/urandom >/srv/random")
    command("docker", "save", "-o", str(tmp_path / "large.tar"), tag)
    says = (
        f"deployment 'shipped-bot', option 'image': loading it requires 400 MB in {ROOT}, but the host has 300 MB free"
    )
    refused(small, says, tag, image_builds=[], image_archives=[str(tmp_path / "large.tar")])


def test_full_while_it_is_loaded(small, made, tmp_path):
    tag = made("many", MANY_FILES)
    command("docker", "save", "-o", str(tmp_path / "many.tar"), tag)
    says = f"image '{tag}': the engine's disk was full during the load and nothing was kept; free some space"
    refused(small, says, tag, image_builds=[], image_archives=[str(tmp_path / "many.tar")])


@pytest.fixture
def cli(fleet):
    """Install the CLI on a host; a real build host has it from its package, which the tests do not download."""
    site = Path(click.__file__).parents[1]
    packages = [name for name in CLI if (site / name).is_dir()]
    extra = [path.name for path in site.glob("typing_extensions.py")]
    command(
        "sh",
        "-c",
        f"tar -C {site} -c {' '.join(packages + extra)} | docker exec -i {HOST} sh -c 'mkdir -p /opt/cli && tar -C /opt/cli -x'",
    )
    script = '#!/bin/sh\nPYTHONPATH=/opt/cli exec python3 -m langgraph_cli "$@"\n'
    command(
        "docker",
        "exec",
        "-i",
        HOST,
        "sh",
        "-c",
        "cat >/usr/local/bin/langgraph && chmod +x /usr/local/bin/langgraph",
        input=script,
    )
    yield
    fleet.on(HOST, "rm", "-rf", "/opt/cli", "/usr/local/bin/langgraph")


@pytest.fixture
def buildkit(fleet):
    """Install BuildKit's client on the host, which otherwise builds with the engine's own builder."""
    fleet.on(HOST, "apt-get", "install", "--yes", "--no-install-recommends", "docker-buildx")
    yield
    fleet.on(HOST, "sh", "-c", "apt-get remove --yes docker-buildx && rm -rf /root/.docker")


TOO_MUCH = {"dockerfile_lines": ["RUN head -c 2000000000 /dev/zero >/srv/big"]}
FULL = "image 'shipped-bot:2': 'langgraph build' failed: the disk of the build host"


def test_full_while_it_is_built(small, cli, application):
    """The host builds its own images; the build's files are removed, so its deployments have space."""
    entry = application("shipped-bot:2", config=TOO_MUCH)
    says = f"{FULL} was full; the space that the build had used was reclaimed; free some more"
    refused(small, says, "shipped-bot:2", image_builds=[entry], image_build_host=HOST)


def test_full_while_buildkit_builds_it(small, cli, buildkit, application):
    """BuildKit frees its space, or cannot until the engine restarts: then the play reports this, and a restart helps."""
    entry = application("shipped-bot:2", config=TOO_MUCH)
    before, free = running(small), free_bytes(small)
    wanted = [{**small.deployments[1], "image": "shipped-bot:2"}]
    done = play(small, langgraph_deployments=wanted, image_builds=[entry], image_build_host=HOST)
    assert done.returncode != 0
    says = flat(done.stdout)
    if (
        f"{FULL} is full, and BuildKit keeps the space that the build had used until the engine restarts; free some"
        in says
    ):
        assert free_bytes(small) < free - 100_000_000
        small.on(HOST, "truncate", "--size", "-32M", f"{ROOT}/filler")
        small.on(HOST, "sh", "-c", "systemctl restart docker && docker builder prune --all --force")
    else:
        assert f"{FULL} was full; the space that the build had used was reclaimed" in says, done.stdout
    assert running(small) == before
    assert free_bytes(small) > free - 5_000_000


def test_a_build_host_builds_from_a_copied_directory(small, cli, application):
    """Build a directory of the control node, without the files that .dockerignore excludes. Last, as it creates a revision."""
    files = {".dockerignore": "*.secret\n", "left.secret": "PLANTED-file", "RELEASE": "3"}
    entry = application("shipped-bot:3", files=files)
    done = play(
        small,
        langgraph_deployments=[{**small.deployments[1], "image": "shipped-bot:3"}],
        image_builds=[entry],
        image_build_host=HOST,
    )
    assert done.returncode == 0, done.stdout
    container = next(line.split()[0] for line in running(small).splitlines() if "shipped-bot" in line)
    held = small.on(HOST, "docker", "exec", container, "ls", "-A", f"/deps/{Path(entry['directory']).name}").split()
    assert "RELEASE" in held
    assert "left.secret" not in held
