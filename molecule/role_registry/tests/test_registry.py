# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry over its API: TLS with the host's own CA, a login, and images that survive a restart."""

from __future__ import annotations

import hashlib
import re

import pytest

NAME, PORT, PASSWORD = "registry.example.org", 5005, "PLANTED-registry-password"
URL = f"https://{NAME}:{PORT}"
LOGIN = ("--user", f"langgraph:{PASSWORD}")
BLOB = "a layer"
DIGEST = f"sha256:{hashlib.sha256(BLOB.encode()).hexdigest()}"
pytestmark = pytest.mark.essential


@pytest.fixture
def curl(host):
    """Return a function that sends a request to the registry, by its name, with curl on the host."""

    def run(path: str, *options: str, trust: bool = True):
        words = ["curl", "--silent", "--show-error", "--resolve", f"{NAME}:{PORT}:127.0.0.1"]
        words += ["--cacert", "/etc/docker/registry/own/authority.pem"] if trust else []
        quoted = " ".join(f"'{word}'" for word in (*words, *options, f"{URL}{path}"))
        return host.run(quoted)

    return run


def status(answer) -> str:
    return answer.stdout.rpartition("\n")[2]


def test_it_answers_only_with_the_password(curl):
    code = ("--write-out", "\n%{http_code}")
    assert status(curl("/v2/", *code)) == "401"
    assert status(curl("/v2/", *code, *LOGIN)) == "200"
    assert status(curl("/v2/", *code, "--user", "langgraph:PLANTED-wrong-password")) == "401"


def test_clients_must_trust_its_authority(curl):
    answer = curl("/v2/", *LOGIN, trust=False)
    assert answer.rc != 0
    assert "certificate" in answer.stderr


def test_a_pushed_layer_survives_a_restart(host, test_host, curl):
    started = curl("/v2/team/small/blobs/uploads/", *LOGIN, "--request", "POST", "--dump-header", "-")
    place = re.search(r"(?im)^location: (\S+)", started.stdout)[1]
    data = ("--request", "PUT", "--header", "Content-Type: application/octet-stream", "--data-binary", BLOB)
    curl(f"{place}&digest={DIGEST}", *LOGIN, *data)
    host.check_output("systemctl restart docker-registry")
    path = f"/v2/team/small/blobs/{DIGEST}"
    assert test_host.wait_until(lambda: curl(path, *LOGIN).stdout == BLOB, 20), curl(path, *LOGIN)


def test_it_listens_only_on_its_port_and_starts_at_boot(host):
    lines = host.check_output("ss --listening --tcp --numeric --no-header --processes").splitlines()
    assert [line.split()[3] for line in lines if '"docker-registry"' in line] == [f"127.0.0.1:{PORT}"]
    assert host.service("docker-registry").is_enabled
