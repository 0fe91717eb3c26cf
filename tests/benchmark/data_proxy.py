# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cost of the data proxy: a Postgres query, a Redis command and a whole run, with and without it.

Three deployments with one difference: the deployment ``direct`` uses a second address of the bridge, on which Redis and
Postgres themselves listen during the benchmark, and ``relayed`` a third one, on which systemd-socket-proxyd listens: a program
that does nothing but copy shows how much of the cost is any program's. Each round measures all of them, one after the other,
and the next round in the reverse order.

postgres, redis
    ``SELECT 1`` and ``GET`` over one connection, from inside the deployment's container.
run
    A run without a thread, from the request on the public port until its answer.
p50_ms, p99_ms
    Over all rounds. ``ratio`` is p50 with the data proxy divided by p50 without, as the median of the rounds; ``low`` and
    ``high`` are an interval that contains the true median in 19 of 20 cases (third from below, third from above).
    ``relay_ratio`` is the same for the program that only copies.
cpu_ms
    CPU milliseconds of the whole host per operation, including the client. The difference is the data proxy's share, and the
    difference of the two paths through the kernel.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import typing as t

from _bench import BUILD, Host, play, say

HOST = "selfhost-langgraph-bench"
PROXIED, RELAYED, DIRECT = "proxied", "relayed", "direct"
PORTS = {PROXIED: 20000, RELAYED: 20001, DIRECT: 20002}
SIDES = (PROXIED, RELAYED, DIRECT)
ROUNDS = int(os.environ.get("SELFHOST_BENCH_ROUNDS", "12"))
# Per round and side.
COUNTS = {"postgres": 2000, "redis": 2000, "run": 30}
# The others are outside of their network, in which the firewall lets them reach the gateway alone.
GATEWAY, SECOND, THIRD = "172.29.0.1", "172.28.255.254", "172.28.255.253"
ADDRESSES = {PROXIED: GATEWAY, RELAYED: THIRD, DIRECT: SECOND}
# Positions of the interval's ends in the sorted rounds.
END = 2

# Inside a container: the operation, its count, and the other address if any; prints milliseconds.
ASK = """
import json, os, sys, time
what, count, address = sys.argv[1], int(sys.argv[2]), sys.argv[3]
if what == "postgres":
    import psycopg
    connection = psycopg.connect(os.environ["DATABASE_URI"].replace("GATEWAY", address), autocommit=True)
    ask = lambda: connection.execute("SELECT 1").fetchone()
else:
    import redis
    connection = redis.Redis.from_url(os.environ["REDIS_URI"].replace("GATEWAY", address))
    ask = lambda: connection.get(KEY)
for _number in range(50):
    ask()
times = []
for _number in range(count):
    begin = time.perf_counter()
    ask()
    times.append(1000 * (time.perf_counter() - begin))
print(json.dumps(times))
"""
# On the host: one run after the other.
RUN = """
import json, sys, time, urllib.request
count, port = int(sys.argv[1]), sys.argv[2]
body = json.dumps({"assistant_id": "agent", "input": {"text": "hello"}}).encode()
times = []
for _number in range(count):
    begin = time.perf_counter()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/runs/wait", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        assert json.load(response)["text"] == "HELLO"
    times.append(1000 * (time.perf_counter() - begin))
print(json.dumps(times))
"""
# Let Redis and Postgres listen on the second address of the bridge, and the relays on the third; point a deployment to each.
OPEN = f"""
ip address replace {SECOND}/32 dev langgraph0
ip address replace {THIRD}/32 dev langgraph0
version=$(pg_lsclusters --no-header | awk '$2 == "langgraph" {{print $1}}')
rules=$(runuser -u langgraph-postgres -- psql -h /run/langgraph-postgres -qAtX -d postgres -c 'SHOW hba_file')
echo 'host all all 172.29.0.0/16 scram-sha-256' >>"$rules"
runuser -u langgraph-postgres -- psql -h /run/langgraph-postgres -qX -d postgres \
  -c "ALTER SYSTEM SET listen_addresses = '{SECOND}'"
timeout 60 systemctl restart "postgresql@$version-langgraph"
ask() {{ redis-cli -s /run/langgraph-redis/redis.sock --no-auth-warning --user langgraph-admin \
  -a "$(cat /etc/langgraph-redis/admin.password)" "$@" >/dev/null; }}
ask CONFIG SET bind {SECOND}
ask CONFIG SET port 6379
relay() {{ systemd-run --quiet --unit="bench-relay-$1" --socket-property="ListenStream={THIRD}:$1" \
  --socket-property=NoDelay=yes $(ls /usr/lib/systemd/systemd-socket-proxyd /lib/systemd/systemd-socket-proxyd | head -n 1) "$2"; }}
relay 5432 /run/langgraph-postgres/.s.PGSQL.5432
relay 6379 /run/langgraph-redis/redis.sock
sed -i 's/@{GATEWAY}:/@{SECOND}:/' /etc/langgraph/{DIRECT}/credentials
sed -i 's/@{GATEWAY}:/@{THIRD}:/' /etc/langgraph/{RELAYED}/credentials
timeout 200 systemctl restart 'langgraph@{DIRECT}.*' 'langgraph@{RELAYED}.*'
for port in {" ".join(map(str, PORTS.values()))}; do
  until curl --fail --silent --max-time 5 "http://127.0.0.1:$port/ok?check_db=1" >/dev/null; do sleep 0.5; done
done
"""

Times = dict[str, dict[str, list[list[float]]]]


def run() -> dict[str, t.Any]:
    """Measure all paths on one host, alternately."""
    with Host(HOST) as host:
        play("site.yml", *_wanted(), title="install everything, deploy 3")
        host.run(OPEN, "let Redis and Postgres listen next to the data proxy")
        _refuse_one_way(host)
        host.settle()
        times: Times = {what: {side: [] for side in SIDES} for what in COUNTS}
        cpu = {what: {side: [] for side in SIDES} for what in COUNTS}
        for number in range(ROUNDS):
            for side in SIDES if number % 2 else reversed(SIDES):
                for what, count in COUNTS.items():
                    begin = host.read()
                    times[what][side].append(_ask(host, what, side))
                    cpu[what][side].append(1000 * (host.read().total - begin.total) / count)
            say(f"round {number + 1} of {ROUNDS}")
    return {"data_proxy": {what: _figures(times[what], cpu[what]) for what in COUNTS}}


def _wanted() -> tuple[str, str]:
    """Return a file with the deployments as extra variables."""
    entries = [
        {"name": name, "image": "demo-agent:1", "port": port, "edition": "none", "langsmith_tracing": False}
        for name, port in PORTS.items()
    ]
    services = [{"host": host, "port": port} for host in (SECOND, THIRD) for port in (5432, 6379)]
    path = BUILD / "bench-data-proxy.json"
    path.write_text(json.dumps({"langgraph_deployments": entries, "firewall_services": services}))
    return "--extra-vars", f"@{path}"


def _refuse_one_way(host: Host) -> None:
    """Check that all deployments use the intended path; otherwise the figures would be meaningless."""
    shown = host.run(
        "ss --tcp --numeric --no-header state established '( dport = :5432 or dport = :6379 )' || true", "the ways"
    )
    inside = {
        side: host.run(f"docker exec $(docker ps -qf name=langgraph-{side}) env", f"the addresses of {side}")
        for side in SIDES
    }
    if any(
        (f"@{address}:" in inside[side]) != (ADDRESSES[side] == address)
        for side in SIDES
        for address in ADDRESSES.values()
    ):
        raise SystemExit(f"data_proxy: the deployments do not go the ways that are compared: {shown}")


def _ask(host: Host, what: str, side: str) -> list[float]:
    words = [str(COUNTS[what])]
    if what == "run":
        command, program, words = ["python3", "-"], RUN, [*words, str(PORTS[side])]
    else:
        # Both from the same container: only the address differs.
        command = [
            "sh",
            "-c",
            f'exec docker exec -i $(docker ps -qf name=langgraph-{PROXIED}) python3 - "$@"',
            "sh",
            what,
        ]
        program, words = ASK, [*words, ADDRESSES[side]]
        program = program.replace("GATEWAY", GATEWAY).replace("KEY", repr(f"{PROXIED}:nothing"))
    done = subprocess.run(
        ["docker", "exec", "-i", host.name, *command, *words],
        input=program,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(f"data_proxy: {what}, {side}: {done.stderr}")
    return json.loads(done.stdout)


def _figures(times: t.Mapping[str, list[list[float]]], cpu: t.Mapping[str, list[float]]) -> dict[str, t.Any]:
    ratios, relay_ratios = (
        sorted(statistics.median(one) / statistics.median(other) for one, other in zip(times[side], times[DIRECT]))
        for side in (PROXIED, RELAYED)
    )
    end = min(END, (len(ratios) - 1) // 2)
    figures: dict[str, t.Any] = {
        "ratio": round(statistics.median(ratios), 3),
        "low": round(ratios[end], 3),
        "high": round(ratios[-1 - end], 3),
        "relay_ratio": round(statistics.median(relay_ratios), 3),
    }
    for side in SIDES:
        ordered = sorted(value for values in times[side] for value in values)
        figures[side] = {
            "p50_ms": round(statistics.median(ordered), 3),
            "p99_ms": round(ordered[math.ceil(0.99 * len(ordered)) - 1], 3),
            "cpu_ms": round(statistics.median(cpu[side]), 3),
            "count": len(ordered),
        }
    figures["p99_ratio"] = round(figures[PROXIED]["p99_ms"] / figures[DIRECT]["p99_ms"], 3)
    figures["cpu_ratio"] = round(figures[PROXIED]["cpu_ms"] / figures[DIRECT]["cpu_ms"], 3)
    return figures


def bars(results: t.Mapping[str, t.Any]) -> list[tuple[str, float, float]]:
    """Return the limits: a run is at most a twentieth slower, beyond random variation."""
    return [("p50 of a run, with / without, lower end", results["data_proxy"]["run"]["low"], 1.05)]


def table(results: t.Mapping[str, t.Any]) -> list[str]:
    """Return one line per figure."""
    keys = ("p50_ms", "p99_ms", "cpu_ms", "count")
    lines = [f"{'':<12}{'way':<12}" + "".join(f"{key:>12}" for key in keys)]
    for what, figures in results["data_proxy"].items():
        for side in SIDES:
            lines.append(f"{what:<12}{side:<12}" + "".join(f"{figures[side][key]:>12}" for key in keys))
        spread = f"{figures['ratio']} ({figures['low']} to {figures['high']})"
        lines.append(f"{what:<12}p50 {spread}, p99 {figures['p99_ratio']}, CPU {figures['cpu_ratio']}")
    return lines
