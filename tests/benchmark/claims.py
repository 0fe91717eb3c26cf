# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Claims of 1 to 1,000 names, compared with the minimal time that the servers need.

Measured in one process, from connecting to the result, so without the start of Python. The raw bound of Redis is one
pipeline: a script that writes the claims without any decision, ACL SETUSER per name and ACL SAVE; the better
of two runs counts. The bound of Postgres is the time of the CREATE DATABASE statements of the same run, because a
separate run takes a different time on a busy machine; a run with only roles in one transaction and CREATE DATABASE is
also shown, as ``raw_s``.
"""

from __future__ import annotations

import contextlib
import math
import os
import pathlib
import socket
import subprocess
import sys
import threading
import time
import typing as t
import unittest.mock

import psycopg

PROJECT = pathlib.Path(__file__).resolve().parents[2]
# The machine needs no servers: those of Debian 13 are in a directory that run() prepares.
RELEASE = "trixie"
os.environ.setdefault("CLAIMS_ROOTFS", str(PROJECT / "build/servers" / RELEASE))
sys.path.insert(0, str(PROJECT / "tests/integration/claims"))

import stage as stages  # noqa: E402 - which reads the environment when it is imported

SIZES = (1, 10, 100, 1000)
RAW_SCRIPT = "for i = 1, #ARGV do redis.call('HSET', KEYS[1], ARGV[i], i) end"
Figures = dict[str, t.Any]


class CountingProxy:
    """A proxy between a client and a server that counts how often the client sends after receiving."""

    def __init__(self, port: int) -> None:
        self.round_trips = 0
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            client, _peer = self._listener.accept()
            server = socket.create_connection(("127.0.0.1", self._target))
            state = {"listened": True}
            for source, target, speaks in ((client, server, True), (server, client, False)):
                threading.Thread(target=self._pump, args=(source, target, state, speaks), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, state: dict[str, bool], speaks: bool) -> None:
        while data := source.recv(1 << 20):
            if speaks and state["listened"]:
                self.round_trips += 1
            state["listened"] = not speaks
            target.sendall(data)
        target.close()


def timed(work: t.Callable[[], object]) -> float:
    """Return the duration in seconds."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


@contextlib.contextmanager
def watched_creation() -> t.Iterator[list[float]]:
    """Collect the seconds that each CREATE DATABASE takes."""
    seconds: list[float] = []
    execute = psycopg.Connection.execute

    def watching(self: t.Any, query: t.Any, *args: t.Any, **more: t.Any) -> t.Any:
        began = time.perf_counter()
        try:
            return execute(self, query, *args, **more)
        finally:
            if "CREATE DATABASE" in repr(query):
                seconds.append(time.perf_counter() - began)

    with unittest.mock.patch.object(psycopg.Connection, "execute", watching):
        yield seconds


def raw_redis(stage: stages.Stage, names: t.Sequence[str]) -> None:
    """Do the minimum: no decisions, no reads of existing data."""
    pipe = stage.redis.admin().pipeline(transaction=False)
    pipe.eval(RAW_SCRIPT, 1, stages.CLAIMS, *names)
    for number, name in enumerate(names, 1):
        rules = f"reset on #{'a' * 64} ~{name}:* &{name}:* +@all -@admin -@dangerous -select +select|{number} -move"
        pipe.execute_command("ACL", "SETUSER", name, *rules.split())
    pipe.execute_command("ACL", "SAVE")
    pipe.execute()


def raw_postgres(stage: stages.Stage, names: t.Sequence[str]) -> None:
    """Do the minimum: roles and databases, accessible to everyone."""
    with stage.postgres.admin() as connection:
        connection.execute(";".join(f"CREATE ROLE {name} LOGIN" for name in names))
        for name in names:
            connection.execute(f"CREATE DATABASE {name} OWNER {name} TEMPLATE template0 ENCODING 'UTF8'")


def measure_redis(stage: stages.Stage, names: t.Sequence[str]) -> Figures:
    """Measure claims of database numbers, raw and with the collection.

    A claim is acknowledged once it is on disk. With a flush per second that wait is random, up to a second, and the raw bound has
    none. So both flush with each command, which the collection then does not wait for.
    """
    stage.redis.admin().config_set("appendfsync", "always")
    raw, ours = [], []
    for _round in range(2):
        stage.redis.clean()
        raw.append(timed(lambda: raw_redis(stage, names)))
        stage.redis.clean()
        ours.append(timed(lambda: stage.claim_numbers(names, [])))
    return {"raw_s": round(min(raw), 4), "ours_s": round(min(ours), 4), "ratio": round(min(ours) / min(raw), 2)}


def measure_postgres(stage: stages.Stage, count: int) -> Figures:
    """Measure the creation of databases, raw and with the collection, with different names, so none must be dropped."""
    raw_names = [f"raw{count}_{number}" for number in range(count)]
    numbers = {f"ours{count}x{number}": None for number in range(count)}
    # A thousand more databases would only use disk space; the ratio does not need them.
    raw = timed(lambda: raw_postgres(stage, raw_names)) if count <= 100 else float("nan")
    with watched_creation() as seconds:
        ours = timed(lambda: stage.make_databases(numbers))
    create = sum(seconds)
    return {
        "raw_s": None if math.isnan(raw) else round(raw, 3),
        "create_s": round(create, 3),
        "ours_s": round(ours, 3),
        "ratio": round(ours / create, 2),
    }


def measure_noop(stage: stages.Stage, names: t.Sequence[str], databases: t.Sequence[str]) -> Figures:
    """Measure the round trips and the time of runs that change nothing."""
    proxies = {"redis": CountingProxy(stage.redis.port), "postgres": CountingProxy(stage.postgres.port)}
    stage.redis_login["login_port"] = proxies["redis"].port
    stage.postgres_login["login_port"] = proxies["postgres"].port
    redis_s = timed(lambda: stage.claim_numbers(names, []))
    result: dict[str, t.Any] = {}
    postgres_s = timed(lambda: result.update(stage.make_databases(dict.fromkeys(databases))))
    if result["changed"]:
        raise AssertionError("the run must change nothing")
    trips = {name: proxy.round_trips for name, proxy in proxies.items()}
    return {
        "names": len(names),
        "round_trips": max(trips.values()),
        "redis": {"round_trips": trips["redis"], "wall_s": round(redis_s, 3)},
        "postgres": {"round_trips": trips["postgres"], "wall_s": round(postgres_s, 3)},
    }


def run(sizes: t.Sequence[int] = SIZES) -> Figures:
    """Measure everything on one pair of servers."""
    subprocess.run([PROJECT / "tests/tools/images.sh", f"servers:{RELEASE}"], check=True)
    stage = stages.Stage(databases=max(sizes) + 2)
    figures: Figures = {"redis": {}, "postgres": {}}
    try:
        for count in sizes:
            names = [f"n{number}" for number in range(count)]
            figures["redis"][str(count)] = measure_redis(stage, names)
            figures["postgres"][str(count)] = measure_postgres(stage, count)
            print(f"claims of {count}: {figures['redis'][str(count)]} {figures['postgres'][str(count)]}", flush=True)
        databases = [f"ours{max(sizes)}x{number}" for number in range(max(sizes))]
        figures["noop"] = measure_noop(stage, names, databases)
    finally:
        stage.close()
    return {"claims": figures}


def table(figures: Figures) -> list[str]:
    """Return a table of the times by number of names."""
    lines = [
        f"{'names':>6} {'redis raw':>10} {'ours':>8} {'ratio':>6}   {'postgres raw':>12} {'create':>8} {'ours':>8} {'ratio':>6}"
    ]
    claims = figures["claims"]
    for count, redis in claims["redis"].items():
        postgres = claims["postgres"][count]
        lines.append(
            f"{count:>6} {redis['raw_s']:>10} {redis['ours_s']:>8} {redis['ratio']:>6}"
            f"   {postgres['raw_s'] or '-':>12} {postgres['create_s']:>8} {postgres['ours_s']:>8} {postgres['ratio']:>6}"
        )
    noop = claims["noop"]
    trips = ", ".join(
        f"{name} {noop[name]['round_trips']} in {noop[name]['wall_s']} s" for name in ("redis", "postgres")
    )
    return [*lines, f"round trips of a no-op over {noop['names']} names: {trips}"]


def bars(figures: Figures) -> list[tuple[str, float, float]]:
    """Return the limits that must hold."""
    claims = figures["claims"]
    most = max(claims["redis"], key=int)
    return [
        (f"claims.redis.{most}.ratio", claims["redis"][most]["ratio"], 2),
        (f"claims.postgres.{most}.ratio", claims["postgres"][most]["ratio"], 1.25),
        ("claims.noop.round_trips", claims["noop"]["round_trips"], 10),
    ]
