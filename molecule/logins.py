# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Log in repeatedly for the tests: `logins.py SECONDS`, the credentials file on stdin; prints JSON.

For DATABASE_URI and REDIS_URI each: when a login was first refused, in seconds since 1970, or null if none was.
It ends when both are refused, or when the time is over.
"""

from __future__ import annotations

import json
import sys
import time

import psycopg
import redis

INTERVAL = 0.2


def postgres(uri: str) -> bool:
    """Return whether Postgres does not refuse. A timeout is not a refusal: a busy machine may not answer."""
    try:
        psycopg.connect(uri, connect_timeout=5).close()
    except psycopg.errors.ConnectionTimeout:
        return True
    except psycopg.OperationalError as error:
        if "authentication failed" in str(error) or "not permitted to log in" in str(error):
            return False
        raise
    return True


def redis_(uri: str) -> bool:
    """Return whether Redis does not refuse."""
    try:
        with redis.Redis.from_url(uri, socket_timeout=5) as client:
            client.execute_command("PING")
    except redis.exceptions.AuthenticationError:
        return False
    except redis.exceptions.TimeoutError:
        pass
    return True


def main() -> None:
    """Check both until they refuse or the time is over."""
    until = time.monotonic() + float(sys.argv[1])
    uris = dict(line.partition("=")[::2] for line in sys.stdin.read().splitlines())
    tries = {"DATABASE_URI": postgres, "REDIS_URI": redis_}
    refused: dict[str, float | None] = dict.fromkeys(tries)
    while None in refused.values():
        for name, log_in in tries.items():
            if refused[name] is None and not log_in(uris[name]):
                refused[name] = time.time()
        if time.monotonic() > until:
            break
        time.sleep(INTERVAL)
    print(json.dumps(refused))


if __name__ == "__main__":
    main()
