# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a log's last lines to one cause. The lines are real: langgraph-api 0.11.1 on broken services, and reports of
the vendor's image in its public issues (langgraph#2937, #893, langgraph-studio#219)."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.failures import summarize
from ansible_collections.selfhost.langgraph.plugins.module_utils._server.log_causes import likely_cause, mask, plain

# What every start logs, healthy or not.
START = [
    "2026-11-22T02:56:43.359124Z [info     ] No license key or control plane API key set, skipping metadata loop "
    "[langgraph_api.metadata]",
    "This is a noop license middleware. No license check is performed.",
    "2025-07-29T16:05:28.974689Z [warning  ] No enterprise license key found, running in lite mode with LangSmith API "
    "key. For production use, set LANGGRAPH_CLOUD_LICENSE_KEY in environment. [langgraph_license.validation]",
]
END = ["2026-11-22T02:56:31.628819Z [error    ] Application startup failed. Exiting. [uvicorn.error]"]
PSYCOPG = (
    "sqlalchemy.exc.OperationalError: (psycopg.OperationalError) connection failed: connection to server at "
    '"172.29.0.1", port 5432 failed: '
)
SEEN = {
    "redis_number": ["redis.exceptions.ResponseError: DB index is out of range"],
    "redis_auth": [
        "redis.exceptions.AuthenticationError: invalid username-password pair or user is disabled.",
        "redis.exceptions.NoPermissionError: this user has no permissions to access one of the channels used as arguments",
        "redis.exceptions.ResponseError: WRONGPASS invalid username-password pair or user is disabled.",
        "NOPERM this user has no permissions to run the 'flushall' command",
    ],
    "no_answer": [
        "no healthy answer from http://127.0.0.1:8123/ok within 300 s",
    ],
    "certificate": [
        "ssl.SSLCertVerificationError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate",
    ],
    "redis_unreachable": [
        "redis.exceptions.ConnectionError: Error 111 connecting to 127.0.0.1:16398. Connection refused.",
        "redis.exceptions.ConnectionError: Error -2 connecting to nohost.invalid:6379. Name or service not known.",
        "redis.exceptions.TimeoutError: Timeout connecting to server",
    ],
    "postgres_auth": [
        PSYCOPG + 'FATAL:  password authentication failed for user "support_bot"',
        PSYCOPG + 'FATAL:  no pg_hba.conf entry for host "172.30.0.2", user "x", database "x", no encryption',
        'asyncpg.exceptions.InvalidPasswordError: password authentication failed for user "support_bot"',
    ],
    "postgres_database": [PSYCOPG + 'FATAL:  database "support_bot" does not exist'],
    "postgres_connections": [
        PSYCOPG + "FATAL:  sorry, too many clients already",
        PSYCOPG + 'FATAL:  too many connections for role "support_bot"',
        PSYCOPG + "FATAL:  remaining connection slots are reserved for non-replication superuser connections",
    ],
    "postgres_unreachable": [
        PSYCOPG + "Connection refused",
        "sqlalchemy.exc.OperationalError: (psycopg.OperationalError) failed to resolve host 'nohost.invalid': "
        "[Errno -2] Name or service not known",
        "psycopg.OperationalError: server closed the connection unexpectedly",
    ],
    "extension": [
        'psycopg.errors.UndefinedObject: type "vector" does not exist',
        'psycopg.errors.FeatureNotSupported: extension "vector" is not available',
    ],
    "licence": [
        "ValueError: License verification failed. Please ensure proper configuration:",
        "ValueError: License key is not valid",
        "2025-01-06T09:17:02.323722Z [error    ] Error checking Langsmith access [langgraph_license.validation]",
    ],
    "graph": [
        "langgraph_api.utils.errors.GraphLoadError: Failed to load graph 'agent' from /deps/app/agent/nope.py: [Errno 2] "
        "No such file or directory: '/deps/app/agent/nope.py'",
        "ModuleNotFoundError: No module named 'langchain_openai'",
    ],
}
CASES = [(code, line) for code, lines in SEEN.items() for line in lines]


@pytest.mark.parametrize(("code", "line"), CASES)
def test_cause_and_the_line_that_tells_it(code: str, line: str) -> None:
    cause = likely_cause("failed", 3, None, [*START, line, *END])
    assert (cause.code, cause.line) == (code, line)


SILENT = {
    "killed": ("failed", 137, None),
    "exited": ("failed", 1, None),
    "database": ("active", 0, 500),
    "no_answer": ("active", 0, None),
    "not_running": ("inactive", 0, None),
}


@pytest.mark.parametrize(("code", "state"), SILENT.items(), ids=SILENT)
def test_cause_where_the_log_tells_nothing(code: str, state: tuple[str, int, int | None]) -> None:
    assert likely_cause(*state, START).code == code
    assert likely_cause(*state, []).line == ""


def test_a_killed_container() -> None:
    """The last line of its log is quoted, and not that of systemd."""
    lines = [
        *START,
        "langgraph@bot.3.service: Main process exited, code=exited",
        "Failed to start langgraph@bot.3.service.",
    ]
    cause = likely_cause("failed", 137, None, lines, "50m")
    assert (
        cause.text
        == "the container was killed (code 137), most likely because it exceeded its limit of 50m: raise 'memory'"
    )
    assert cause.line == START[-1]
    assert likely_cause("failed", 137, None, []).text.endswith("most likely because the host has too little memory")


def test_a_stopped_server_did_not_exit_by_itself() -> None:
    assert likely_cause("inactive", 143, None, START).code == "not_running"


def test_the_last_telling_line_counts() -> None:
    older, newer = SEEN["redis_unreachable"][:2]
    assert likely_cause("failed", 3, None, [older, *START, newer, *END]).line == newer


def test_sentence_names_the_revision_that_goes_on_serving() -> None:
    failure = {"name": "a", "revision": 4, "serving": 3, "code": "exited", "cause": "it broke", "line": "Error 111"}
    assert summarize([failure]) == (
        "revision 4 of deployment 'a' is not healthy: it broke; it logged: Error 111; revision 3 continues to serve"
    )


def test_colours_are_taken_out() -> None:
    line = "\x1b[2m2026-11-22T02:57:58Z\x1b[0m [\x1b[31m\x1b[1merror    \x1b[0m] \x1b[1mExiting.\x1b[0m"
    assert plain([line, "\x1b[0m", ""]) == ["2026-11-22T02:57:58Z [error    ] Exiting."]


def test_sentence_is_one_line_a_deployment() -> None:
    failures = [
        {
            "name": "a",
            "code": "redis_unreachable",
            "cause": "Redis cannot be reached from the container",
            "line": "Error 111",
            "log": ["Error 111"],
        },
        {"name": "b", "code": "not_running", "cause": "its unit is inactive", "line": "", "log": []},
    ]
    assert summarize(failures).splitlines() == [
        "deployment 'a' is not healthy: Redis cannot be reached from the container; it logged: Error 111",
        "deployment 'b' is not healthy: its unit is inactive; it logged nothing",
    ]


ENVIRONMENT = {
    "DATABASE_URI": "postgres://bot:p%40ss@172.29.0.1:5432/bot?sslmode=prefer",
    "OPENAI_API_KEY": "sk-1",
    "LANGSMITH_RUNS_ENDPOINTS": '{"https://a.example":"lsv2_sk_nested"}',
    "GREETING": "good morning",
    "LOG_LEVEL": "INFO",
    "LANGGRAPH_AUTH_TYPE": "noop",
    "BROKEN": "http://[not-a-url@host",
}
MASKED = {
    "whole URI": ("connecting to " + ENVIRONMENT["DATABASE_URI"], "connecting to ********"),
    "password as in the URI": ("user bot, password p%40ss", "user bot, password ********"),
    "password decoded": ("user bot, password p@ss", "user bot, password ********"),
    "short, but named a key": ("key sk-1 refused", "key ******** refused"),
    "inside JSON": ("401 for lsv2_sk_nested", "401 for ********"),
    "any long value": ("said good morning", "said ********"),
    "short and harmless": ("[INFO] noop", "[INFO] noop"),
    "what looks like a URL": ("at http://[not-a-url@host", "at ********"),
}


@pytest.mark.parametrize(("line", "expected"), MASKED.values(), ids=MASKED)
def test_mask(line: str, expected: str) -> None:
    assert mask([line], ENVIRONMENT) == [expected]


def test_nothing_to_mask() -> None:
    assert mask(["a", "b"], {}) == ["a", "b"]


SECRETS = st.text("0123456789\"'\\ @:/?é", min_size=8, max_size=30).filter(lambda text: text.strip() == text)
QUIET = st.text("abcdef -", max_size=12)


@given(st.lists(SECRETS, min_size=1, max_size=3), QUIET)
def test_no_value_of_the_environment_in_a_log(secrets: list[str], around: str) -> None:
    environment = {f"V{number}": secret for number, secret in enumerate(secrets)}
    written = [
        form for secret in secrets for form in (secret, json.dumps(secret), repr(secret), quote(secret, safe=""))
    ]
    masked = mask([f"{around}{form}{around}" for form in written], environment)
    assert not [form for form in written if form.strip("'\"") and form.strip("'\"") in "\n".join(masked)]


@given(st.text("0123456789@/%:", min_size=1, max_size=20))
def test_password_of_a_uri_of_any_length(password: str) -> None:
    uri = f"redis://bot:{quote(password, safe='')}@h:6379/1"
    assert mask([f"<{password}>", f"<{quote(password, safe='')}>", uri], {"REDIS_URI": uri}) == [
        "<********>",
        "<********>",
        "********",
    ]
