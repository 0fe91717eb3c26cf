# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Why a server does not answer: from its exit, its answer and its last lines to one likely cause."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True)
class Cause:
    """``code`` is stable and meant for tools, ``text`` for people."""

    code: str
    text: str


# In the order of how much a line proves. Patterns are of langgraph-api, its drivers and Redis/Postgres themselves.
_PATTERNS: tuple[tuple[str, str, str], ...] = (
    ("redis_number", r"DB index is out of range", "its Redis number is beyond the server's 'databases'"),
    (
        "licence",
        r"(?i)licen[cs]e (key|verification|check)|Licen[cs]eError|failed to verify.*licen[cs]e|invalid.*licen[cs]e",
        "the licence was refused, or its check could not reach the vendor",
    ),
    (
        "redis_auth",
        r"WRONGPASS|NOAUTH|NOPERM|AuthenticationError.*[Rr]edis|invalid username-password pair",
        "Redis refused its user, its password or a command",
    ),
    (
        "postgres_auth",
        r"password authentication failed|no pg_hba\.conf entry|InvalidPassword",
        "Postgres refused its role or password",
    ),
    ("postgres_database", r'database "[^"]*" does not exist', "its Postgres database does not exist"),
    (
        "postgres_connections",
        r"too many connections|remaining connection slots",
        "Postgres has no connection left for it: lower the pools or raise max_connections",
    ),
    (
        "extension",
        r'extension "?(\w+)"? is not available|type "vector" does not exist|could not open extension control file',
        "a Postgres extension is missing: name it in 'extensions'",
    ),
    (
        "redis_unreachable",
        r"redis\.exceptions\.(ConnectionError|TimeoutError)|Error \d+ connecting to",
        "Redis cannot be reached from the container",
    ),
    (
        "postgres_unreachable",
        r"connection refused.*5432|could not connect to server|OperationalError|asyncpg.*Connect"
        r"|Connection refused|server closed the connection",
        "Postgres cannot be reached from the container",
    ),
    ("graph", r"(?i)(failed to load|error loading) graph|ModuleNotFoundError|ImportError", "its graph cannot be loaded"),
)


def likely_cause(active: str, exit_code: int, status: int | None, lines: t.Sequence[str]) -> Cause:
    """Name the likely cause.

    ``active`` is the unit's ActiveState, ``exit_code`` the container's last one, ``status`` the HTTP status of the
    last answer (None: no answer), ``lines`` the last lines of the log.
    """
    text = "\n".join(lines)
    for code, pattern, explanation in _PATTERNS:
        if re.search(pattern, text):
            return Cause(code, explanation)
    if exit_code == 137:
        return Cause("killed", "the container was killed (code 137), most often for using more memory than it may")
    if exit_code not in (0, 143):
        return Cause("exited", f"the container exited with code {exit_code}")
    if status is not None and status >= 500:
        return Cause("database", f"it answers {status} when asked for its database")
    if active in ("active", "activating"):
        return Cause("no_answer", "the container runs and does not answer in time")
    return Cause("not_running", f"its unit is {active}")


def mask(lines: t.Iterable[str], environment: t.Mapping[str, str]) -> list[str]:
    """Hide every value of the environment that is long enough to be a secret, and the passwords inside its URIs."""
    secrets = {value for value in environment.values() if len(value) >= 8}
    for value in environment.values():
        password = urlsplit(value).password if "://" in value and "@" in value else None
        if password:
            secrets |= {password, unquote(password)}
    ordered = sorted(secrets, key=len, reverse=True)
    return [_masked(line, ordered) for line in lines]


def _masked(line: str, secrets: t.Sequence[str]) -> str:
    for secret in secrets:
        line = line.replace(secret, "********")
    return line
