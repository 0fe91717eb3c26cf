# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deployments that share a TLS port, distinguished by host name and path; with a self-signed, then a user's certificate."""

from __future__ import annotations

import shlex
import subprocess

import pytest

PORT = 8443
# Each release runs half of the long tests; the role itself is used on both releases.
pytestmark = [pytest.mark.essential, pytest.mark.release("trixie")]
HOSTS = ("support.example.com", "research.example.com")
# Starts a request and never completes it.
SLOW_CLIENT = f"""
import socket, ssl, time
context = ssl._create_unverified_context()
with context.wrap_socket(socket.create_connection(("127.0.0.1", {PORT}), 30), server_hostname="{HOSTS[0]}") as client:
    begin = time.monotonic()
    client.sendall(b"GET /ok HTTP/1.1\\r\\nHost: {HOSTS[0]}\\r\\n")
    print(client.recv(100).split()[1].decode(), time.monotonic() - begin)
"""


@pytest.fixture
def shared(group_vars):
    """Return both deployments on one port."""
    first, second = group_vars["langgraph_deployments"]
    place = {"port": PORT, "tls": True}
    return [
        {**first, **place, "hostname": HOSTS[0]},
        {**second, **place, "hostname": HOSTS[1], "mount_prefix": "/research"},
    ]


def get(test_host, url, *options):
    """Return status and body of one request of a client with that name resolution."""
    resolve = " ".join(f"--resolve {host}:{PORT}:127.0.0.1" for host in (*HOSTS, "else.example.com"))
    done = test_host.host.run(f"curl --silent --max-time 10 {resolve} {' '.join(options)} -w '\\n%{{http_code}}' {url}")
    body, _line, status = done.stdout.rpartition("\n")
    return int(status or 0), body


def test_one_port_two_names_and_a_path(test_host, shared):
    done = test_host.site(langgraph_deployments=shared, proxy_self_signed_names=list(HOSTS))
    assert done.returncode == 0, done.stdout
    trust = "--cacert /etc/langgraph-proxy/certificates/self-signed.pem"
    assert get(test_host, f"https://{HOSTS[0]}:{PORT}/ok", trust) == (200, '{"ok":true}')
    # The server has /ok at its root; all other paths are under its prefix.
    assert get(test_host, f"https://{HOSTS[1]}:{PORT}/research/ok?check_db=1", trust) == (200, '{"ok":true}')
    assert get(test_host, f"https://{HOSTS[1]}:{PORT}/research/info", trust)[0] == 200
    assert get(test_host, f"https://{HOSTS[1]}:{PORT}/ok", trust)[0] == 404
    assert get(test_host, f"https://else.example.com:{PORT}/ok", "--insecure")[0] == 404
    printed = test_host.host.check_output(
        f"curl --silent {trust} --resolve {HOSTS[0]}:{PORT}:127.0.0.1 -w '%{{http_version}}' https://{HOSTS[0]}:{PORT}/ok"
    )
    assert printed == '{"ok":true}2'
    again = test_host.site(langgraph_deployments=shared, proxy_self_signed_names=list(HOSTS))
    assert "changed=0 " in again.stdout, again.stdout


def test_what_the_proxy_speaks_and_how_long_it_listens(test_host):
    # With its default security level the client itself would not offer the old version.
    speaks = f"openssl s_client -connect 127.0.0.1:{PORT} -servername {HOSTS[0]} -cipher ALL:@SECLEVEL=0"
    spoken = {
        version: test_host.host.run(f"{speaks} -{version} </dev/null").rc == 0
        for version in ("tls1_1", "tls1_2", "tls1_3")
    }
    assert spoken == {"tls1_1": False, "tls1_2": True, "tls1_3": True}
    answer, seconds = test_host.host.check_output(f"python3 -c {shlex.quote(SLOW_CLIENT)}").split()
    assert answer == "408"
    assert 4 < float(seconds) < 8


def test_the_users_certificate(test_host, shared, group_vars, tmp_path):
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=support.example.com"
    command += f" -addext subjectAltName=DNS:{HOSTS[0]},DNS:{HOSTS[1]} -keyout {tmp_path}/key.pem -out {tmp_path}/certificate.pem"
    subprocess.run(command.split(), check=True, capture_output=True)
    given = {"name": "example", "certificate": f"{tmp_path}/certificate.pem", "private_key": f"{tmp_path}/key.pem"}
    done = test_host.site("-vvv", "--diff", langgraph_deployments=shared, proxy_certificates=[given])
    assert done.returncode == 0, done.stdout
    secret = (tmp_path / "key.pem").read_text().splitlines()[1]
    assert secret not in done.stdout
    subprocess.run(["docker", "cp", f"{tmp_path}/certificate.pem", f"{test_host.name}:/root/trusted.pem"], check=True)
    assert get(test_host, f"https://{HOSTS[0]}:{PORT}/ok", "--cacert /root/trusted.pem") == (200, '{"ok":true}')
    modes = test_host.host.check_output("stat -c '%U %a' /etc/langgraph-proxy/certificates/*.pem").splitlines()
    assert set(modes) == {"root 600"}
    back = test_host.site(langgraph_deployments=group_vars["langgraph_deployments"])
    assert back.returncode == 0, back.stdout
    assert test_host.client("healthy", "10", "http://127.0.0.1:8123", "http://127.0.0.1:8124") < 10
