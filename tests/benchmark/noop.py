# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cost of a re-run that changes nothing with 1, 10 and 30 deployments: this collection and a plain community.* layout.

Both deploy the same servers on the same host, one after the other, with the same ansible.cfg, and each re-run is repeated
three times; the figures are medians.

wall_s
    Wall time of ansible-playbook.
control_s
    CPU seconds of ansible-playbook and all its processes on the control node, as the kernel reports them to their parent
    (getrusage). The engine between the control node and the test host is not included: other connections do not use it.
host_s
    CPU seconds of the test host (the counter of its control group, with everything in it: Ansible's modules, systemd, the
    engine, Postgres, Redis, the servers), minus the use of the same idle host in the same time: the servers poll their
    queues. That rate is measured in idle intervals just before and just after the
    re-runs. The work of servers and databases for the re-run is included, because it is above the idle rate.
cpu_s
    control_s + host_s.
idle_rate, idle_spread
    CPU seconds per second of the idle host, and the spread of its intervals: multiplied by wall_s, the uncertainty of host_s.
containers_s
    The part of host_s in the servers' own containers, to show the cost of answering.
"""

from __future__ import annotations

import json
import os
import typing as t

from _bench import BUILD, Host, Played, median, play, say

HOST = "selfhost-langgraph-bench"
COUNTS = [int(count) for count in os.environ.get("SELFHOST_BENCH_COUNTS", "1,10,30").split(",")]
REPETITIONS = 3
IDLE_SECONDS = 30.0
LONGEST_IDLE_SECONDS = 90.0
FIRST_PORT = 20000

PEER_PACKAGES = "apt-get install --yes --no-install-recommends python3-psycopg2 >/dev/null"
PEER_REDIS = """
systemd-run --quiet --unit peer-redis redis-server --bind 172.29.0.1 --port 6390 --protected-mode no --databases 64 \
  --save "" --appendonly no
"""
# The peer has no firewall rules, and its containers use a Redis that the collection's rules would block.
PEER_RULES = """
systemctl disable --now langgraph-firewall
nft delete table inet langgraph
"""
# Databases of a finished side must not be vacuumed while the other is measured.
DROP = """
ask() { runuser -u langgraph-postgres -- psql -h /run/langgraph-postgres -d postgres "$@"; }
ask -qAtX -c "SELECT 'DROP DATABASE ' || quote_ident(datname) || ' WITH (FORCE);'
  FROM pg_database WHERE datname ~ '^(ours|peer)'" | ask -qX
"""
LIMIT = "runuser -u langgraph-postgres -- psql -h /run/langgraph-postgres -d postgres -AtXc 'SHOW max_connections'"


def run() -> dict[str, t.Any]:
    """Measure both sides on one host."""
    results: dict[str, t.Any] = {"ours": {}, "peer": {}, "site": {}, "max_connections": {}}
    with Host(HOST) as host:
        _ours(host, results)
        host.run(DROP, "the peer's turn")
        host.run(PEER_RULES + PEER_PACKAGES + PEER_REDIS, "install the requirements of the peer's modules and servers")
        _peer(host, results)
    return {"noop": results}


def _ours(host: Host, results: dict[str, t.Any]) -> None:
    tasks = {}
    for count in COUNTS:
        # The whole playbook: more deployments need more connections, which the role postgres configures.
        play("site.yml", *_wanted(count), title=f"ours: install, deploy {count}")
        results["max_connections"][str(count)] = int(host.run(LIMIT, "read max_connections of Postgres"))
        host.settle()
        results["ours"][str(count)], played = _measure(host, "ours.yml", _wanted(count), f"ours {count}")
        tasks[str(count)] = played.tasks
        results["site"][str(count)], _played = _measure(host, "site.yml", _wanted(count), f"site {count}")
    results["ours"]["tasks"] = tasks
    if len(set(tasks.values())) != 1:
        raise SystemExit(f"noop: the number of executed tasks depends on the number of deployments: {tasks}")
    play("ours.yml", *_wanted(max(COUNTS), state="stopped"), title="ours: remove all")


def _peer(host: Host, results: dict[str, t.Any]) -> None:
    for count in COUNTS:
        variables = ("--extra-vars", f"n={count}")
        play("peer_layout.yml", *variables, title=f"peer: deploy {count}")
        host.settle()
        results["peer"][str(count)], _played = _measure(host, "peer_layout.yml", variables, f"peer {count}")


def _wanted(count: int, **options: str) -> tuple[str, str]:
    """Return a file with the deployments as extra variables."""
    entries = []
    for number in range(count):
        entry = {"name": f"ours-{number}", "image": "demo-agent:1", "port": FIRST_PORT + number, "edition": "none"}
        entries.append({**entry, "langgraph_postgres_pool_max_size": 5, **options})
    path = BUILD / f"bench-ours-{count}.json"
    path.write_text(json.dumps({"langgraph_deployments": entries}))
    return "--extra-vars", f"@{path}"


def _measure(host: Host, playbook: str, arguments: t.Sequence[str], title: str) -> tuple[dict[str, t.Any], Played]:
    """Measure an idle interval, the repetitions, and an idle interval of about the length of one repetition."""
    idle = [host.idle(IDLE_SECONDS)]
    busy = []
    for number in range(1, REPETITIONS + 1):
        begin = host.read()
        played = play(playbook, *arguments, title=f"{title}, run {number}")
        busy.append((begin, host.read(), played))
        if played.changed:
            raise SystemExit(f"noop: {title}: a re-run changed {played.changed}, the figures would mean nothing")
        say(f"{title}, run {number}: {played.wall_s:.1f} s, {played.control_s:.1f} CPU seconds of the control node")
    idle.append(host.idle(min(LONGEST_IDLE_SECONDS, max(IDLE_SECONDS, played.wall_s))))
    figures = _figures(idle, busy)
    say(f"{title}: {json.dumps(figures)}")
    return figures, played


def _figures(idle: t.Sequence[tuple[t.Any, t.Any]], busy: t.Sequence[tuple[t.Any, t.Any, Played]]) -> dict[str, float]:
    rates = [end.rate_since(begin) for begin, end in idle]
    seconds = sum(end.at - begin.at for begin, end in idle)
    rate = sum(end.total - begin.total for begin, end in idle) / seconds
    containers = sum(end.containers - begin.containers for begin, end in idle) / seconds
    runs = []
    for begin, end, played in busy:
        wall = end.at - begin.at
        host_s = end.total - begin.total - rate * wall
        runs.append(
            {
                "cpu_s": played.control_s + host_s,
                "wall_s": played.wall_s,
                "control_s": played.control_s,
                "host_s": host_s,
                "containers_s": end.containers - begin.containers - containers * wall,
            }
        )
    figures = {key: median(runs, key) for key in runs[0]}
    return {**figures, "idle_rate": round(rate, 4), "idle_spread": round(max(rates) - min(rates), 4)}


def bars(results: t.Mapping[str, t.Any]) -> list[tuple[str, float, float]]:
    """Return the limits: a title, the figure, and its maximum."""
    ours, peer = results["noop"]["ours"], results["noop"]["peer"]
    few, many = str(min(COUNTS)), str(max(COUNTS))
    return [
        (f"CPU seconds at {many}, ours / peer's", ours[many]["cpu_s"] / peer[many]["cpu_s"], 1 / 15),
        (f"CPU seconds of the collection, at {many} / at {few}", ours[many]["cpu_s"] / ours[few]["cpu_s"], 1.5),
        (f"max_connections at {many}", results["noop"]["max_connections"][many], 1000),
    ]


def table(results: t.Mapping[str, t.Any]) -> list[str]:
    """Return one line per figure."""
    keys = ("cpu_s", "wall_s", "control_s", "host_s", "containers_s", "idle_rate", "idle_spread")
    lines = [f"{'noop':<12}{'deployments':>12}" + "".join(f"{key:>14}" for key in keys)]
    for side in ("ours", "peer", "site"):
        for count, figures in results["noop"][side].items():
            if count != "tasks":
                lines.append(f"{side:<12}{count:>12}" + "".join(f"{figures[key]:>14}" for key in keys))
    return [
        *lines,
        f"executed tasks of the collection: {results['noop']['ours']['tasks']}",
        f"max_connections: {results['noop']['max_connections']}",
    ]
