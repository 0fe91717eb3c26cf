# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shop's till: connections to all services of the shop, opened once and used five times per second while it runs.

It writes /run/shop/till.json: how often each connection was opened, its id on the server, and the errors.
It also occupies every port from 30000 to 32767.
"""

from __future__ import annotations

import http.client
import json
import os
import select
import socket
import subprocess
import time
import typing as t
from pathlib import Path

SEEN = Path("/run/shop/till.json")
SECONDS = 5


class Redis:
    """A client with a name."""

    def __init__(self) -> None:
        self.socket = socket.create_connection(("127.0.0.1", 6379), timeout=SECONDS)
        self.file = self.socket.makefile("rb")
        self.call("AUTH till till-secret")
        self.call("CLIENT SETNAME till")
        self.identity = self.call("CLIENT ID")

    def call(self, words: str) -> str:
        self.socket.sendall(words.encode() + b"\r\n")
        line = self.file.readline().decode().strip()
        if line.startswith("$"):
            line = self.file.read(int(line[1:]) + 2).decode().strip()
        if not line or line.startswith("-"):
            raise OSError(line or "closed")
        return line

    def ask(self) -> bool:
        return self.call("GET order:1") == "paid"


class Postgres:
    """A session of psql."""

    options: t.ClassVar[list[str]] = []

    def __init__(self) -> None:
        command = ["psql", "-qAtX", "-d", "shop", *self.options]
        self.psql = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.identity = self.call("SELECT pg_backend_pid();")

    def call(self, statement: str) -> str:
        assert self.psql.stdin
        assert self.psql.stdout
        self.psql.stdin.write(statement.encode() + b"\n")
        self.psql.stdin.flush()
        # select() does not accept such high file descriptors.
        answer = select.poll()
        answer.register(self.psql.stdout, select.POLLIN)
        line = self.psql.stdout.readline().decode().strip() if answer.poll(1000 * SECONDS) else ""
        if not line:
            self.psql.kill()
            raise OSError("no answer")
        return line

    def ask(self) -> bool:
        return self.call("SELECT total FROM orders WHERE id = 2;") == "3.0"


class PostgresByPassword(Postgres):
    """The same over TCP."""

    options: t.ClassVar[list[str]] = ["-h", "127.0.0.1", "-U", "shop"]


class Web:
    """A persistent connection through the shop's HAProxy to its container."""

    def __init__(self) -> None:
        self.http = http.client.HTTPConnection("127.0.0.1", 8080, timeout=SECONDS)
        self.http.connect()
        self.http.auto_open = 0
        self.identity = str(self.http.sock.getsockname()[1])

    def ask(self) -> bool:
        self.http.request("GET", "/index.html")
        return self.http.getresponse().read() == b"apples and pears\n"


KINDS = {"redis": Redis, "postgres": Postgres, "postgres by password": PostgresByPassword, "web": Web}


def main() -> None:
    """Send queries forever."""
    os.environ |= {"PGPASSWORD": "shop-password", "PGAPPNAME": "till"}
    held = [socket.create_server(("0.0.0.0", port)) for port in range(30000, 32768)]
    lines: dict[str, t.Any] = {}
    seen: dict[str, t.Any] = {"ports": len(held), "opened": {}, "asked": {}, "identity": {}, "broken": []}
    while True:
        for name, kind in KINDS.items():
            try:
                if name not in lines:
                    lines[name] = kind()
                    seen["opened"][name] = seen["opened"].get(name, 0) + 1
                    seen["identity"][name] = lines[name].identity
                if not lines[name].ask():
                    raise OSError("another answer")
                seen["asked"][name] = seen["asked"].get(name, 0) + 1
            except (OSError, ValueError, http.client.HTTPException) as error:
                if lines.pop(name, None):
                    seen["broken"].append(f"{time.strftime('%H:%M:%S')} {name}: {type(error).__name__} {error}")
        SEEN.with_suffix(".new").write_text(json.dumps(seen))
        SEEN.with_suffix(".new").replace(SEEN)
        time.sleep(0.2)


if __name__ == "__main__":
    main()
