# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logins and build arguments are not visible: not in output, process lists, image histories, or readable files."""

from __future__ import annotations

import json
import subprocess
import threading
import time

import pytest
from fleet import HOSTS, PASSWORD, command, flat

from playbooks import READABLE

# One host is enough for these tests.
ONE = HOSTS[:1]
ARGUMENT, MOUNTED = "PLANTED-build-argument", "PLANTED-build-secret"
SECRETS = (PASSWORD, ARGUMENT, MOUNTED, "PLANTED-secret-key", "PLANTED-wrong")

PLANTED_FILE = "/usr/local/share/langgraph-planted"


def found_in(text):
    return [secret for secret in SECRETS if secret in text]


class Watch:
    """Record all command lines and environment sizes on this machine, including hosts, while a block runs."""

    def __init__(self):
        self.seen = set()
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def _look(self):
        while not self._ends.is_set():
            self.seen.update(subprocess.check_output(["ps", "-ewwo", "args"], text=True).splitlines())
            time.sleep(0.02)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_rest):
        self._ends.set()
        self._thread.join()


def build_cache():
    """Return the ids of BuildKit's cache entries on this machine."""
    return {
        item["ID"] for item in json.loads(command("docker", "system", "df", "-v", "--format", "{{json .BuildCache}}"))
    }


@pytest.mark.essential
def test_a_login_and_arguments_show_nowhere_while_they_are_used(fleet, application):
    """Build, push and pull with -vvv and all of them. Docker itself keeps a proxy with a password out of histories."""
    image = f"{fleet.registry}/team/pushed-bot:secret"
    lines = ["RUN echo ${#HTTPS_PROXY} >/length"]
    proxy = f"http://user:{ARGUMENT}@proxy.example:3128"
    files = {"RELEASE": str(time.time())}
    entry = application(image, files, {"dockerfile_lines": lines}, build_args={"HTTPS_PROXY": proxy})
    deployments = [{**fleet.deployments[0], "image": image}]
    with Watch() as watch:
        done = fleet.play("-vvv", "--diff", hosts=ONE, image_builds=[entry], langgraph_deployments=deployments)
    assert done.returncode == 0, done.stdout
    assert "Push the images" in done.stdout
    assert "Pull the images" in done.stdout
    assert found_in(done.stdout + done.stderr) == []
    assert any("--build-arg=HTTPS_PROXY" in line for line in watch.seen)
    assert found_in("\n".join(watch.seen)) == []
    assert found_in(command("docker", "history", "--no-trunc", image) + command("docker", "inspect", image)) == []
    assert command("docker", "run", "--rm", "--entrypoint", "cat", image, "/length") == str(len(proxy))


def test_a_secret_of_a_build_shows_nowhere(fleet, application):
    """BuildKit mounts it only for the command that needs it; its value in the output is masked."""
    image = "shipped-bot:mounted"
    lines = ["RUN --mount=type=secret,id=TOKEN cat /run/secrets/TOKEN && wc -c </run/secrets/TOKEN >/length"]
    entry = application(
        image, {"RELEASE": str(time.time())}, {"dockerfile_lines": lines}, build_secrets={"TOKEN": MOUNTED}
    )
    deployments = [{**fleet.deployments[1], "image": image}]
    with Watch() as watch:
        done = fleet.play("-vvv", "--diff", hosts=ONE, image_builds=[entry], langgraph_deployments=deployments)
    assert done.returncode == 0, done.stdout
    assert found_in(done.stdout + done.stderr) == []
    assert any("--secret=id=TOKEN" in line for line in watch.seen)
    assert found_in("\n".join(watch.seen)) == []
    assert found_in(command("docker", "history", "--no-trunc", image) + command("docker", "inspect", image)) == []
    assert command("docker", "run", "--rm", "--entrypoint", "cat", image, "/length") == str(len(MOUNTED))


def test_an_argument_that_would_stay_readable_is_refused(fleet, application):
    """Docker writes the arguments of a RUN line into the image's history: such an image is removed with its layers."""
    image = "shipped-bot:readable"
    entry = application(
        image, config={"dockerfile_lines": ["ARG TOKEN", 'RUN test -n "$TOKEN"']}, build_args={"TOKEN": ARGUMENT}
    )
    before, cached = command("docker", "images", "-aq", "--no-trunc"), build_cache()
    output = fleet.refused(
        "-vvv",
        hosts=ONE,
        says=f"image '{image}', option 'build_args': the value of TOKEN stays readable in the image; move it to build_secrets",
        image_builds=[entry],
        langgraph_deployments=[{**fleet.deployments[1], "image": image}],
    )
    assert found_in(output) == []
    assert set(command("docker", "images", "-aq", "--no-trunc").split()) <= set(before.split())
    assert build_cache() <= cached


def test_a_failed_build_shows_its_lines_without_the_values(fleet, application):
    config = {"dockerfile_lines": ["ARG TOKEN", "RUN echo token is $TOKEN && false"]}
    entry = application("shipped-bot:failed", config=config, build_args={"TOKEN": ARGUMENT})
    output = fleet.refused(
        "-vvv",
        hosts=ONE,
        says="image 'shipped-bot:failed': 'langgraph build' failed",
        image_builds=[entry],
        langgraph_deployments=[{**fleet.deployments[1], "image": "shipped-bot:failed"}],
    )
    assert "token is ********" in flat(output)
    assert found_in(output) == []


@pytest.mark.essential
@pytest.mark.parametrize("host", HOSTS)
def test_a_planted_secret_is_found_on_a_host(fleet, host):
    """A secret in a readable file is found, so the absence of findings is meaningful."""
    fleet.on(host, "sh", "-c", f"echo {PASSWORD} >{PLANTED_FILE}; chmod 644 {PLANTED_FILE}")
    try:
        assert fleet.on(host, "sh", "-c", READABLE) == PLANTED_FILE
    finally:
        fleet.on(host, "rm", PLANTED_FILE)


@pytest.mark.essential
@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize(
    "words",
    [
        "journalctl --no-pager",
        READABLE,
        # These directories also have environments of other scenarios' deployments, only for root.
        "find /run /root/.docker /etc/docker -type f -exec grep -l 'PLANTED-registry\\|PLANTED-build\\|\"auth\"' {} +",
    ],
)
def test_nothing_is_left_on_a_host(fleet, host, words):
    done = subprocess.run(["docker", "exec", host, "sh", "-c", words], capture_output=True, text=True, check=False)
    shown = done.stdout
    assert found_in(shown) == []
    assert "find" not in words or shown == ""


def test_a_credential_helper_gives_the_login(fleet, bot):
    """Use a helper for one registry; the distribution's helpers, such as Amazon's, have the same protocol."""
    answer = json.dumps({"Username": "langgraph", "Secret": PASSWORD})
    script = f"#!/bin/sh\nread -r registry; [ \"$registry\" = '{fleet.registry}' ] && echo '{answer}' || exit 1\n"
    path = "/usr/local/bin/docker-credential-planted"
    image = f"{fleet.pushed}:1"
    command("docker", "exec", "-i", ONE[0], "sh", "-c", f"cat >{path}; chmod 700 {path}", input=script)
    fleet.on(ONE[0], "sh", "-c", f"docker rmi -f {image}; true")
    try:
        registries = [{"registry": fleet.registry, "credential_helper": "planted"}]
        done = fleet.play(
            "-vvv",
            hosts=ONE,
            image_builds=[],
            image_registries=registries,
            langgraph_deployments=bot("pushed-bot", image)[:1],
        )
    finally:
        fleet.on(ONE[0], "rm", path)
    assert done.returncode == 0, done.stdout
    assert found_in(done.stdout) == []
    fleet.refused(
        hosts=ONE,
        says="the host has no program 'docker-credential-planted'; install it there, or set username and password",
        image_builds=[],
        image_registries=registries,
        langgraph_deployments=fleet.deployments[:1],
    )


@pytest.mark.parametrize("host", HOSTS)
def test_amazons_helper_is_installed_and_asked(fleet, bot, host):
    """Use the distribution's helper. There are no Amazon credentials here, so it returns no login."""
    registry = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"
    done = fleet.play(
        hosts=(host,),
        image_builds=[],
        image_registries=[{"registry": registry, "credential_helper": "ecr-login"}],
        langgraph_deployments=bot("pushed-bot", f"{registry}/team/bot:1")[:1],
    )
    assert done.returncode != 0
    says = f"deployment 'pushed-bot', option 'image': '{registry}/team/bot:1': 'docker-credential-ecr-login' has no login for it"
    assert says in flat(done.stdout), done.stdout
    fleet.on(host, "apt-get", "remove", "--yes", "amazon-ecr-credential-helper")
