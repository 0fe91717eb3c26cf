# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Time to build an application's image and copy it to a host, compared with the bare commands in the same run.

Both sides build new releases of the example's application with BuildKit, alternately, on this machine, and copy them to the
same two hosts. Without a registry the bare commands are langgraph build, docker save, and docker cp and
docker load per host; with one, langgraph build, docker push, and docker pull per host, between docker login and logout:
neither side leaves a password. Figures are seconds of wall time, including Ansible's start. SELFHOST_BENCH_HOSTS=1 measures
with one host.

first
    The hosts have no layer of the image: 450 MB are copied to each.
release
    The hosts have the previous release: the median of three.
minute
    The same with a build that takes about a minute longer, like the installation of an application's packages.
unchanged
    A second play without changes: the median of three.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import statistics
import subprocess
import time
import typing as t
from pathlib import Path

from _bench import BUILD, HOST_TOOL, PROJECT, Host, play, say

HOST = "selfhost-langgraph-bench"
HOSTS = [HOST, f"{HOST}-2"][: int(os.environ.get("SELFHOST_BENCH_HOSTS", "2"))]
BASE = "selfhost-langgraph/langgraph-api"
DIRECTORY = BUILD / "bench-images"
PASSWORD = "of-the-benchmark-registry-alone"
REPETITIONS = int(os.environ.get("SELFHOST_BENCH_REPETITIONS", "3"))
NAME = "bench-agent"
WAYS = os.environ.get("SELFHOST_BENCH_WAYS", "archive,registry").split(",")


def run() -> dict[str, t.Any]:
    """Measure with and without a registry."""
    os.environ |= {"DOCKER_BUILDKIT": "1", "DOCKER_CONFIG": str(BUILD / "docker")}
    with contextlib.ExitStack() as stack:
        hosts = [stack.enter_context(Host(name)) for name in HOSTS]
        address = subprocess.check_output([HOST_TOOL, "address", HOST], text=True).strip()
        registry = f"{address}:5000"
        try:
            play("site.yml", *_wanted("demo-agent:1"), title="install the hosts")
            figures = {}
            if "archive" in WAYS:
                figures["archive"] = _measure(hosts, NAME, _bare_archive)
            if "registry" in WAYS:
                play("registry.yml", *_wanted("demo-agent:1", address), title="install a registry")
                _trust(registry)
                figures["registry"] = _measure(hosts, f"{registry}/{NAME}", _bare_registry, address)
        finally:
            _clean(registry)
    return {"images": {"hosts": len(HOSTS), "ways": figures}}


def _wanted(image: str, address: str | None = None) -> tuple[str, ...]:
    """Return a file with the deployment as extra variables, with its image built from the directory."""
    entry = {"name": "bench", "image": image, "port": 8123, "edition": "none"}
    variables: dict[str, t.Any] = {"langgraph_deployments": [entry], "langgraph_proxy": "none"}
    if image == "demo-agent:1":
        variables |= {"image_archives": [str(BUILD / "images/demo-agent.tar")], "image_pull": "never"}
    else:
        build = {"directory": str(DIRECTORY / "ours"), "base_image": BASE, "pull": False, "network": "none"}
        variables |= {"image_builds": [{"image": image, **build}], "image_archives": [], "image_pull": "always"}
    if address:
        variables |= {"registry_name": address, "registry_bind_address": address, "registry_password": PASSWORD}
        login = {"registry": f"{address}:5000", "username": "langgraph", "password": PASSWORD}
        login["ca_certificate"] = "{{ hostvars['selfhost-langgraph-bench'].registry_ca_pem | default('') }}"
        variables["image_registries"] = [login]
    path = BUILD / "bench-images.json"
    path.write_text(json.dumps(variables))
    inventory = BUILD / "bench-inventory.json"
    more = {
        "ansible_connection": "community.docker.docker",
        "langgraph_secret_key": "of-the-benchmark-hosts-alone-0123456789",
    }
    groups = ("langgraph_hosts", "langgraph_redis", "langgraph_postgres")
    servers = {f"{group}_server": "{{ inventory_hostname }}" for group in groups[1:]}
    hosts = dict.fromkeys(HOSTS, more)
    inventory.write_text(
        json.dumps({"all": {"vars": servers, "children": {group: {"hosts": hosts} for group in groups}}})
    )
    return "-i", str(inventory), "--extra-vars", f"@{path}"


def _measure(
    hosts: list[Host], name: str, bare: t.Callable[[list[Host], str], None], address: str | None = None
) -> dict[str, t.Any]:
    """Measure the seconds of the collection and of the bare commands, and their ratios."""
    seconds: dict[str, list[float]] = {"ours": [], "bare": []}
    first: dict[str, float] = {}
    for side in ("bare", "ours"):
        # The first release of each side finds no layer.
        for host in hosts:
            host.run("docker ps -aq | xargs -r docker rm -f; docker image prune --all --force", "empty the host")
        for number in range(REPETITIONS + 1):
            image = f"{name}:{side}-{number}"
            _release(side)
            begin = time.monotonic()
            if side == "ours":
                play("images.yml", *_wanted(image, address), title=f"build and copy {number}")
            else:
                bare(hosts, image)
            took = time.monotonic() - begin
            say(f"{side} {number}: {took:.1f} s")
            if number:
                seconds[side].append(took)
            else:
                first[side] = took
    minute = {}
    for side in ("bare", "ours"):
        _release(side, minute=True)
        begin = time.monotonic()
        image = f"{name}:{side}-minute"
        if side == "ours":
            play("images.yml", *_wanted(image, address), title="build and copy a minute")
        else:
            bare(hosts, image)
        minute[side] = time.monotonic() - begin
        say(f"{side}, a minute: {minute[side]:.1f} s")
    again = [
        play("images.yml", *_wanted(image, address), title="nothing changed").wall_s for _number in range(REPETITIONS)
    ]
    release = {side: statistics.median(values) for side, values in seconds.items()}
    return {
        "first": {**_rounded(first), "ratio": round(first["ours"] / first["bare"], 3)},
        "release": {**_rounded(release), "ratio": round(release["ours"] / release["bare"], 3)},
        "minute": {**_rounded(minute), "ratio": round(minute["ours"] / minute["bare"], 3)},
        "unchanged": round(statistics.median(again), 2),
    }


def _rounded(values: t.Mapping[str, float]) -> dict[str, float]:
    return {side: round(value, 2) for side, value in values.items()}


def _release(side: str, *, minute: bool = False) -> None:
    """Create a release of the application that was not built before."""
    directory = DIRECTORY / side
    shutil.rmtree(directory, ignore_errors=True)
    shutil.copytree(PROJECT / "examples/single-host/app", directory)
    (directory / "RELEASE").write_text(f"{side} {time.time_ns()}\n")
    if minute:
        config = json.loads((directory / "langgraph.json").read_text())
        # Never in the engine's cache; it leaves no files.
        work = "timeout 55 python3 -c 'while True: pass' || true"
        config["dockerfile_lines"] = [f"RUN echo {time.time_ns()} && {work}"]
        (directory / "langgraph.json").write_text(json.dumps(config))


def _command(*words: str, **options: t.Any) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False, **options)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(words)}: {done.stdout}{done.stderr}")


def _bare_build(image: str) -> None:
    words = ["langgraph", "build", "-t", image, "--base-image", BASE, "--no-pull", "--network=none"]
    _command(*words, cwd=DIRECTORY / "bare")


def _bare_archive(hosts: list[Host], image: str) -> None:
    _bare_build(image)
    archive = DIRECTORY / "bare.tar"
    _command("docker", "save", "--output", str(archive), image)
    for host in hosts:
        _command("docker", "cp", str(archive), f"{host.name}:/var/tmp/bare.tar")
        _command("docker", "exec", host.name, "docker", "load", "--quiet", "--input", "/var/tmp/bare.tar")
        _command("docker", "exec", host.name, "rm", "/var/tmp/bare.tar")
    archive.unlink()


def _bare_registry(hosts: list[Host], image: str) -> None:
    registry = image.split("/")[0]
    environment = {**os.environ, "DOCKER_CONFIG": str(DIRECTORY)}
    _bare_build(image)
    for host, command in ((None, "push"), *((host, "pull") for host in hosts)):
        words = ["docker", "exec", "-i", "--env", "DOCKER_CONFIG=/run/bench", host.name] if host else []
        login = [*words, "docker", "login", "--username", "langgraph", "--password-stdin", registry]
        _command(*login, input=PASSWORD, env=environment)
        _command(*words, "docker", command, "--quiet", image, env=environment)
        _command(*words, "docker", "logout", registry, env=environment)


def _trust(registry: str) -> None:
    """Let this machine's engine trust the registry, for the bare commands; the play does this itself."""
    certificate = "cat /etc/docker/certs.d/*/ca.crt"
    found = subprocess.check_output(["docker", "exec", HOST, "sh", "-c", certificate], text=True)
    directory = Path("/etc/docker/certs.d", registry)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "ca.crt").write_text(found)


def _clean(registry: str) -> None:
    shutil.rmtree(DIRECTORY, ignore_errors=True)
    shutil.rmtree(Path("/etc/docker/certs.d", registry), ignore_errors=True)
    listed = ["docker", "images", "--quiet", "--filter", f"reference=*{NAME}*", "--filter", f"reference=*/*{NAME}*"]
    found = sorted(set(subprocess.check_output(listed, text=True).split()))
    if found:
        subprocess.run(["docker", "rmi", "--force", *found], stdout=subprocess.DEVNULL, check=True)


def table(figures: t.Mapping[str, t.Any]) -> list[str]:
    """Return a table of the figures."""
    lines = [f"{figures['images']['hosts']} hosts", f"{'seconds':<10}{'way':<10}{'ours':>8}{'bare':>8}{'ratio':>8}"]
    for way, figure in figures["images"]["ways"].items():
        for what in ("first", "release", "minute"):
            values = figure[what]
            lines.append(f"{what:<10}{way:<10}{values['ours']:>8}{values['bare']:>8}{values['ratio']:>8}")
        lines.append(f"{'unchanged':<10}{way:<10}{figure['unchanged']:>8}")
    return lines


def bars(figures: t.Mapping[str, t.Any]) -> list[tuple[str, float, float]]:
    """Return the limits: build and copy at most 1.1 times the bare commands; a re-run without changes at most 3 s per host."""
    found = []
    for way, figure in figures["images"]["ways"].items():
        found += [
            (f"{way}, {what}: ours to bare", figure[what]["ratio"], 1.1) for what in ("first", "release", "minute")
        ]
        hosts = figures["images"]["hosts"]
        found.append((f"{way}: seconds a host of an unchanged re-run", round(figure["unchanged"] / hosts, 2), 3.0))
    return found
