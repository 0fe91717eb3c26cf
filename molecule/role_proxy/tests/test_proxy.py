# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proxy without deployments: its own answer, its certificate, and a section of the user."""

from __future__ import annotations

import pytest

NAME, PORT = "bot.example.org", 8443
OWN = "/etc/langgraph-proxy/50-own.cfg"
# A TLS port as deployments have it, with an answer of the proxy itself.
SECTION = f"""
frontend own from langgraph
    bind 127.0.0.1:{PORT} ssl crt /etc/langgraph-proxy/certificates/self-signed.pem
    http-request return status 200 content-type text/plain string "own"
"""
ASK = """
import socket, sys
admin = socket.socket(socket.AF_UNIX)
admin.connect("/run/langgraph-proxy/admin.sock")
admin.sendall(b"show info\\n")
print(admin.makefile().read())
"""
pytestmark = pytest.mark.essential


def main_pid(host) -> str:
    return host.check_output("systemctl show langgraph-proxy --value -p MainPID")


@pytest.fixture
def own_section(host):
    """Add a section of the user and reload."""
    before = main_pid(host)
    host.check_output(f"cat >{OWN} <<'END'{SECTION}END")
    host.check_output("systemctl reload langgraph-proxy")
    yield
    host.check_output(f"rm {OWN} && systemctl reload langgraph-proxy")
    # A reload is no restart.
    assert main_pid(host) == before


def test_it_answers_and_has_its_settings(host):
    assert host.check_output("curl --silent --unix-socket /run/langgraph-proxy/status.sock http://proxy/") == "ok"
    assert "Maxconn: 7000" in host.check_output(f"python3 -c '{ASK}'").splitlines()
    assert host.service("langgraph-proxy").is_enabled


def test_without_deployments_it_listens_on_no_address(host):
    # Another role's HAProxy may run on the same host.
    main = main_pid(host)
    pids = [main, *host.check_output(f"pgrep --parent {main}").split()]
    assert len(pids) > 1
    sockets = host.check_output("ss --listening --tcp --numeric --no-header --processes")
    assert not [pid for pid in pids if f"pid={pid}," in sockets]


def test_clients_that_trust_its_certificate_reach_its_name(host, test_host, own_section):
    def ask(name: str, *options: str):
        words = ["curl", "--silent", "--show-error", *options, "--resolve", f"{name}:{PORT}:127.0.0.1"]
        return host.run(" ".join([*words, f"https://{name}:{PORT}/"]))

    trust = ("--cacert", "/etc/langgraph-proxy/certificates/self-signed.pem")
    assert test_host.wait_until(lambda: ask(NAME, *trust).stdout == "own", 10), ask(NAME, *trust).stderr
    assert "certificate" in ask(NAME).stderr
    assert ask("else.example.org", *trust).rc != 0


def test_it_has_few_rights_and_returns_after_a_kill(host, test_host):
    assert "haproxy" in host.check_output("ps -C haproxy -o user=").split()
    before = main_pid(host)
    host.check_output("systemctl kill --signal=KILL langgraph-proxy")
    assert test_host.wait_until(lambda: main_pid(host) not in (before, "0"), 20)
    assert test_host.wait_until(lambda: host.service("langgraph-proxy").is_running, 20)


def test_the_distributions_own_service_stays_off(host):
    assert not host.service("haproxy").is_running
    assert not host.service("haproxy").is_enabled
