# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What it takes to build an application's image and bring it to a host, beside the bare commands of the same run.

Both sides build releases of the example's application that nobody has built before, in turns, on this machine, and bring
them to the same host. Without a registry the bare commands are langgraph build, docker save, docker cp, docker load; with
one, langgraph build, docker push, docker pull. Figures are seconds of wall time, Ansible's start included.

first
    The host has no layer of the image: 450 MB have to travel.
release
    The host has the release before: the median of three.
minute
    The same with a build that takes about a minute longer, as the installation of an application's packages does.
unchanged
    The play again, with nothing changed: the median of three.
"""

from __future__ import annotations

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
BASE = "selfhost-langgraph/langgraph-api"
FOLDER = BUILD / "bench-images"
PASSWORD = "of-the-benchmark-registry-alone"
REPETITIONS = int(os.environ.get("SELFHOST_BENCH_REPETITIONS", "3"))
NAME = "bench-agent"
WAYS = os.environ.get("SELFHOST_BENCH_WAYS", "archive,registry").split(",")


def run() -> dict[str, t.Any]:
    """Measure both ways on one host."""
    with Host(HOST) as host:
        address = subprocess.check_output([HOST_TOOL, "address", HOST], text=True).strip()
        registry = f"{address}:5000"
        try:
            play("site.yml", *_wanted("demo-agent:1"), title="install the host")
            figures = {"archive": _measure(host, NAME, _bare_archive)} if "archive" in WAYS else {}
            if "registry" not in WAYS:
                return {"images": figures}
            play("registry.yml", *_wanted("demo-agent:1", address), title="install a registry")
            _log_in(registry)
            figures["registry"] = _measure(host, f"{registry}/{NAME}", _bare_registry, address)
        finally:
            _clean(registry)
    return {"images": figures}


def _wanted(image: str, address: str | None = None) -> tuple[str, ...]:
    """The one deployment, its image built from the folder, as extra variables in a file."""
    entry = {"name": "bench", "image": image, "port": 8123, "edition": "none"}
    variables: dict[str, t.Any] = {"langgraph_deployments": [entry], "langgraph_proxy": "none"}
    if image != "demo-agent:1":
        build = {"folder": str(FOLDER / "ours"), "base_image": BASE, "pull": False, "network": "none"}
        variables |= {"image_builds": [{"image": image, **build}], "image_archives": [], "image_pull": "always"}
    if address:
        variables |= {"registry_name": address, "registry_bind_address": address, "registry_password": PASSWORD}
        login = {"registry": f"{address}:5000", "username": "langgraph", "password": PASSWORD}
        login["ca_certificate"] = "{{ registry_ca_pem | default('') }}"
        variables["image_registries"] = [login]
    path = BUILD / "bench-images.json"
    path.write_text(json.dumps(variables))
    return "--extra-vars", f"@{path}"


def _measure(
    host: Host, name: str, bare: t.Callable[[Host, str], None], address: str | None = None
) -> dict[str, t.Any]:
    """Seconds of ours and of the bare commands, and their ratios."""
    seconds: dict[str, list[float]] = {"ours": [], "bare": []}
    first: dict[str, float] = {}
    for side in ("bare", "ours"):
        # Neither side's first one finds a layer.
        host.run("docker ps -aq | xargs -r docker rm -f; docker image prune --all --force", "empty the host")
        for number in range(REPETITIONS + 1):
            image = f"{name}:{side}-{number}"
            _release(side)
            begin = time.monotonic()
            if side == "ours":
                play("images.yml", *_wanted(image, address), title=f"build and ship {number}")
            else:
                bare(host, image)
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
            play("images.yml", *_wanted(image, address), title="build and ship a minute")
        else:
            bare(host, image)
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
    """An application that nobody has built before."""
    folder = FOLDER / side
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(PROJECT / "examples/single-host/app", folder)
    (folder / "RELEASE").write_text(f"{side} {time.time_ns()}\n")
    if minute:
        config = json.loads((folder / "langgraph.json").read_text())
        # Never in the engine's cache; it leaves nothing behind.
        work = "timeout 55 python3 -c 'while True: pass' || true"
        config["dockerfile_lines"] = [f"RUN echo {time.time_ns()} && {work}"]
        (folder / "langgraph.json").write_text(json.dumps(config))


def _command(*words: str, **options: t.Any) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False, **options)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(words)}: {done.stdout}{done.stderr}")


def _bare_build(image: str) -> None:
    words = ["langgraph", "build", "-t", image, "--base-image", BASE, "--no-pull", "--network=none"]
    _command(*words, cwd=FOLDER / "bare")


def _bare_archive(host: Host, image: str) -> None:
    _bare_build(image)
    archive = FOLDER / "bare.tar"
    _command("docker", "save", "--output", str(archive), image)
    _command("docker", "cp", str(archive), f"{host.name}:/var/tmp/bare.tar")
    _command("docker", "exec", host.name, "docker", "load", "--quiet", "--input", "/var/tmp/bare.tar")
    _command("docker", "exec", host.name, "rm", "/var/tmp/bare.tar")
    archive.unlink()


def _bare_registry(host: Host, image: str) -> None:
    _bare_build(image)
    _command("docker", "push", "--quiet", image, env={**os.environ, "DOCKER_CONFIG": str(FOLDER)})
    _command("docker", "exec", "--env", "DOCKER_CONFIG=/run/bench", host.name, "docker", "pull", "--quiet", image)


def _log_in(registry: str) -> None:
    """Both engines' clients for the bare commands; the play has its own way."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    words = ["docker", "login", "--username", "langgraph", "--password-stdin", registry]
    certificate = "cat /etc/docker/certs.d/*/ca.crt"
    found = subprocess.check_output(["docker", "exec", HOST, "sh", "-c", certificate], text=True)
    folder = Path("/etc/docker/certs.d", registry)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ca.crt").write_text(found)
    _command(*words, input=PASSWORD, env={**os.environ, "DOCKER_CONFIG": str(FOLDER)})
    _command("docker", "exec", "-i", "--env", "DOCKER_CONFIG=/run/bench", HOST, *words, input=PASSWORD)


def _clean(registry: str) -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    shutil.rmtree(Path("/etc/docker/certs.d", registry), ignore_errors=True)
    listed = ["docker", "images", "--quiet", "--filter", f"reference=*{NAME}*", "--filter", f"reference=*/*{NAME}*"]
    found = sorted(set(subprocess.check_output(listed, text=True).split()))
    if found:
        subprocess.run(["docker", "rmi", "--force", *found], stdout=subprocess.DEVNULL, check=True)


def table(figures: t.Mapping[str, t.Any]) -> list[str]:
    """For people."""
    lines = [f"{'seconds':<10}{'way':<10}{'ours':>8}{'bare':>8}{'ratio':>8}"]
    for way, figure in figures["images"].items():
        for what in ("first", "release", "minute"):
            values = figure[what]
            lines.append(f"{what:<10}{way:<10}{values['ours']:>8}{values['bare']:>8}{values['ratio']:>8}")
        lines.append(f"{'unchanged':<10}{way:<10}{figure['unchanged']:>8}")
    return lines


def bars(figures: t.Mapping[str, t.Any]) -> list[tuple[str, float, float]]:
    """Issue: build and ship at most 1.1 times the bare commands; a re-run with nothing changed at most 3 s a host."""
    found = []
    for way, figure in figures["images"].items():
        found += [
            (f"{way}, {what}: ours to bare", figure[what]["ratio"], 1.1) for what in ("first", "release", "minute")
        ]
        found.append((f"{way}: seconds of an unchanged re-run", figure["unchanged"], 3.0))
    return found
