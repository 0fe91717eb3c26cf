# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Query the registry of this host as its clients do: over TLS, by its name, without the password and with it.

The query is read from standard input, in JSON, so that no process list shows it.
"""

from __future__ import annotations

import base64
import http.client
import json
import socket
import ssl
import sys
import time
import typing as t


def ask(question: dict[str, t.Any], context: ssl.SSLContext, headers: dict[str, str]) -> int:
    """Return the status of the API's root; the name is not resolved, since the host itself need not know it."""
    connection = http.client.HTTPConnection(question["name"], question["port"])
    plain = socket.create_connection((question["address"], question["port"]), timeout=5)
    with plain, context.wrap_socket(plain, server_hostname=question["name"]) as connection.sock:
        connection.request("GET", "/v2/", headers=headers)
        return connection.getresponse().status


def complaint(question: dict[str, t.Any]) -> str:
    """Return what is wrong with the registry, or an empty string."""
    where = f"the registry at {question['address']}:{question['port']}"
    try:
        context = ssl.create_default_context(cadata=question["authority"] or None)
    except (ssl.SSLError, ValueError):
        return "registry_ca_certificate: not a PEM certificate"
    secret = base64.b64encode(f"{question['username']}:{question['password']}".encode()).decode()
    try:
        without = ask(question, context, {})
        with_it = ask(question, context, {"Authorization": f"Basic {secret}"})
    except ssl.SSLCertVerificationError as error:
        return f"{where} has no certificate that clients accept for '{question['name']}': {error.verify_message}"
    except (OSError, http.client.HTTPException) as error:
        return f"{where} does not answer ({error}); see 'journalctl -u docker-registry' there"
    if (without, with_it) != (401, 200):
        return f"{where} answers {without} without the password and {with_it} with it, instead of 401 and 200"
    return ""


def main() -> None:
    """Query until it answers, or the seconds are over."""
    question = json.load(sys.stdin)
    deadline = time.monotonic() + question["seconds"]
    while (wrong := complaint(question)) and time.monotonic() < deadline:
        time.sleep(0.5)
    sys.exit(wrong or None)


if __name__ == "__main__":
    main()
