# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that queries the registry at the end of the role; Molecule tests it with a real registry."""

from __future__ import annotations

import http.server
import io
import json
import ssl
import threading
import typing as t

import pytest

from ansible_collections.selfhost.langgraph.tests.unit.roles.helper import load

PASSWORD = "planted-secret-of-the-test"
QUESTION = {
    **{"address": "127.0.0.1", "port": 5000, "name": "registry.example.org", "authority": "", "seconds": 5},
    **{"username": "langgraph", "password": PASSWORD},
}
AUTHORIZATION = "Basic bGFuZ2dyYXBoOnBsYW50ZWQtc2VjcmV0LW9mLXRoZS10ZXN0"


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> t.Any:
    return load("ask-registry", monkeypatch, role="registry")


@pytest.fixture
def complain(program: t.Any, monkeypatch: pytest.MonkeyPatch) -> t.Callable[..., str]:
    """Return the program's result for a registry with these answers without and with the password."""

    def run(without: t.Any, with_it: t.Any) -> str:
        def ask(_question: t.Any, _context: t.Any, headers: dict[str, str]) -> t.Any:
            answer = with_it if headers == {"Authorization": AUTHORIZATION} else without
            if isinstance(answer, Exception):
                raise answer
            return answer

        monkeypatch.setattr(program, "ask", ask)
        return program.complaint(QUESTION)

    return run


def test_one_that_requires_and_accepts_the_password_is_good(complain: t.Any) -> None:
    assert complain(401, 200) == ""


@pytest.mark.parametrize(("without", "with_it"), [(200, 200), (401, 401), (401, 503), (404, 404)])
def test_anything_else_is_not(complain: t.Any, without: int, with_it: int) -> None:
    said = complain(without, with_it)
    assert f"answers {without} without the password and {with_it} with it" in said
    assert PASSWORD not in said


def test_a_certificate_for_another_name_is_reported(complain: t.Any) -> None:
    error = ssl.SSLCertVerificationError(1, "failed")
    error.verify_message = "Hostname mismatch"
    assert complain(error, 200) == (
        "the registry at 127.0.0.1:5000 has no certificate that clients accept for 'registry.example.org': Hostname mismatch"
    )


@pytest.mark.parametrize("error", [ConnectionRefusedError(111, "refused"), ssl.SSLError(1, "wrong version number")])
def test_if_nothing_answers_the_message_refers_to_the_journal(complain: t.Any, error: Exception) -> None:
    assert "does not answer" in (said := complain(error, 200))
    assert "journalctl -u docker-registry" in said


def test_an_invalid_ca_certificate(program: t.Any) -> None:
    said = program.complaint({**QUESTION, "authority": "-----BEGIN NOTHING-----\n"})
    assert said == "registry_ca_certificate: not a PEM certificate"


@pytest.fixture
def main(program: t.Any, monkeypatch: pytest.MonkeyPatch) -> t.Callable[[list[str]], tuple[t.Any, float]]:
    """Return its exit code or message, and the elapsed seconds, for a sequence of errors."""

    def run(complaints: list[str]) -> tuple[t.Any, float]:
        left, now = list(complaints), [100.0]
        monkeypatch.setattr(program, "complaint", lambda _question: left.pop(0) if len(left) > 1 else left[0])
        monkeypatch.setattr(program.time, "monotonic", lambda: now[0])
        monkeypatch.setattr(program.time, "sleep", lambda seconds: now.append(now.pop() + seconds))
        monkeypatch.setattr(program.sys, "stdin", io.StringIO(json.dumps(QUESTION)))
        with pytest.raises(SystemExit) as ended:
            program.main()
        return ended.value.code, now[0] - 100

    return run


def test_it_waits_until_the_registry_answers(main: t.Any) -> None:
    assert main(["no", "no", ""]) == (None, 1.0)


def test_it_gives_up_with_the_last_error(main: t.Any) -> None:
    assert main(["no"]) == ("no", 5.0)


@pytest.fixture
def listener() -> t.Iterator[int]:
    """A server without TLS."""
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def test_the_password_is_not_sent_without_tls(program: t.Any, listener: int) -> None:
    assert "does not answer" in program.complaint({**QUESTION, "port": listener})
