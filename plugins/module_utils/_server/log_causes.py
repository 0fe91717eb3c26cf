# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Find the likely cause why a server does not answer, from its exit code, its answer and its last log lines."""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass
from urllib.parse import quote, unquote

from ansible_collections.selfhost.langgraph.plugins.module_utils._server.runs import uncoloured
from ansible_collections.selfhost.langgraph.plugins.module_utils._server.tracebacks import raised_by_application


@dataclass(frozen=True)
class Cause:
    """``code`` is stable and meant for tools, ``text`` is for users; ``line`` is the log line that shows the cause."""

    code: str
    text: str
    line: str = ""


# The most conclusive patterns first. The lines are those of langgraph-api, redis-py, psycopg and asyncpg, and of Redis and
# Postgres themselves, as seen with a real server.
_PATTERNS: tuple[tuple[str, str, str], ...] = (
    ("redis_number", r"DB index is out of range", "its Redis database number is beyond the server's 'databases'"),
    (
        "licence",
        # Not the lines of a healthy start: "No license key found, running in ...", "No license check is performed".
        r"(?i)licen[cs]e (key|verification|check)\b.*\b(fail|not valid|invalid|expired|error)|Licen[cs]e\w*Error"
        r"|(failed to|cannot|could not|error) (verify|verifying|check|checking|validate) (the )?(licen[cs]e|langsmith)"
        r"|invalid licen[cs]e",
        "the licence was rejected, or the vendor could not be reached to check it: check the key, and the container's way to the vendor",
    ),
    (
        "redis_auth",
        r"WRONGPASS|NOAUTH|NOPERM|invalid username-password pair|this user has no permissions|NoPermissionError",
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
        r"too many (connections|clients)|remaining connection slots",
        "Postgres has no free connection for it: lower the pool sizes or raise max_connections",
    ),
    (
        "extension",
        r'extension "?(\w+)"? is not available|type "vector" does not exist|could not open extension control file',
        "a Postgres extension is missing: name it in 'extensions'",
    ),
    (
        "certificate",
        r"CERTIFICATE_VERIFY_FAILED|certificate verify failed",
        "it does not trust the certificate of Redis or Postgres, or of LangSmith",
    ),
    (
        "redis_unreachable",
        r"redis\.exceptions\.(ConnectionError|TimeoutError)|Error -?\d+ connecting to",
        "Redis cannot be reached from the container",
    ),
    (
        "postgres_unreachable",
        r"connection to server at .* failed|could not connect to server|OperationalError|asyncpg.*Connect"
        r"|failed to resolve host|server closed the connection",
        "Postgres cannot be reached from the container",
    ),
    (
        "graph",
        r"(?i)(failed to load|error loading) graph|GraphLoadError|ModuleNotFoundError|ImportError",
        "its graph cannot be loaded",
    ),
    # The helper's own line: it stops a server that does not become healthy, so a kill that follows is not the cause.
    ("no_answer", r"no healthy answer from \S+ within", "the container runs but does not answer in time"),
)
# systemd's own lines in the journal of a unit.
_OF_SYSTEMD = re.compile(
    r"langgraph(-drain)?@\S+: |(Start|Stopp)(ing|ed) langgraph|Failed to start |Scheduled restart "
)
_PASSWORD_IN_URI = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://[^/@:\s]*:([^@/\s]+)@")
_SECRET_NAME = re.compile(r"(?i)key|token|secret|passw|pwd|credential|auth|private|dsn")
# Shorter values are not masked: they protect nothing and would mask half of a log.
LEAST_SECRET, LEAST_OTHER = 4, 8


def likely_cause(active: str, exit_code: int, status: int | None, lines: t.Sequence[str], memory: str = "") -> Cause:
    """Return the likely cause.

    ``active`` is the unit's ActiveState, ``exit_code`` the container's last one, ``status`` the HTTP status of the
    last answer (None: no answer), ``lines`` the last lines of the log, ``memory`` the container's limit, if it has one.
    """
    raised = raised_by_application(lines)
    for code, pattern, explanation in _PATTERNS:
        match = next((line for line in reversed(lines) if re.search(pattern, line)), None)
        if match is None:
            continue
        if code == "graph" and raised and raised.variable:
            return Cause("variable", f"it lacks the variable {raised.variable}: set it in 'env'", raised.line)
        return Cause(code, explanation, raised.line if code == "graph" and raised else match)
    code, text = _without_log(active, exit_code, status, memory)
    if code == "exited" and raised:
        return Cause(code, text, raised.line)
    own = [line for line in lines if not _OF_SYSTEMD.match(line)]
    return Cause(code, text, own[-1] if own else "")


def _without_log(active: str, exit_code: int, status: int | None, memory: str) -> tuple[str, str]:
    if exit_code == 137 and memory:
        return (
            "killed",
            f"the container was killed (code 137), most likely because it exceeded its limit of {memory}: raise 'memory'",
        )
    if exit_code == 137:
        return "killed", "the container was killed (code 137), most likely because the host has too little memory"
    if exit_code not in (0, 143):
        return "exited", f"the container exited with code {exit_code}"
    if status is not None and status >= 500:
        return "database", f"it answers {status} to the health check of its database"
    if active in ("active", "activating"):
        return "no_answer", "the container runs but does not answer in time"
    return "not_running", f"its unit is {active}"


def plain(lines: t.Iterable[str]) -> list[str]:
    """Return the lines without terminal colours, and without empty lines."""
    cleaned = (uncoloured(line).rstrip() for line in lines)
    return [line for line in cleaned if line]


def mask(lines: t.Iterable[str], environment: t.Mapping[str, str]) -> list[str]:
    """Mask the values of the environment in log lines.

    Masked are values that are long enough to be a secret or have the name of one, strings inside a JSON value, and
    passwords inside URIs; each also in the forms in which a log may write it (quoted, percent-encoded).
    """
    secrets = {secret for name, value in environment.items() for secret in _secrets(name, value)}
    if not secrets:
        return list(lines)
    # The longest first, as one secret may begin with another.
    pattern = re.compile("|".join(re.escape(secret) for secret in sorted(secrets, key=len, reverse=True)))
    return [pattern.sub("********", line) for line in lines]


def _secrets(name: str, value: str) -> t.Iterator[str]:
    least = LEAST_SECRET if _SECRET_NAME.search(name) else LEAST_OTHER
    found = [text for text in (value, *_texts_in_json(value)) if len(text) >= least and text not in _HARMLESS]
    found += [password for text in (value, *found) for password in _PASSWORD_IN_URI.findall(text)]
    for text in found:
        yield from filter(None, (text, text.strip(), quote(text, safe=""), unquote(text)))
        yield from (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], repr(text)[1:-1])


# Values that are not secret although the option's name looks like it (LANGGRAPH_AUTH_TYPE, SOMETHING_AUTH_ENABLED).
_HARMLESS = frozenset({"true", "false", "noop", "langsmith", "none"})


def _texts_in_json(value: str) -> t.Iterator[str]:
    if value[:1] not in ("{", "["):
        return
    try:
        todo = [json.loads(value)]
    except ValueError:
        return
    while todo:
        item = todo.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            todo.extend(item.values())
        elif isinstance(item, list):
            todo.extend(item)
