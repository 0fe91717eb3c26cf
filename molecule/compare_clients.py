# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare the own cost of the load generator's HTTP clients against one server on this machine; it takes about 7 minutes.

usage: compare_clients.py [--pairs 10] [--seconds 15] [--rate 50] [--think-ms 5]

Both clients send the same load in turn. The limit is for the 99th percentile of the latency: the median of the ratios of all
pairs may be at most 1.1.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

from aiohttp import web

LOAD_GENERATOR = Path(__file__).with_name("load_generator.py")
CLIENTS = ("plain", "aiohttp")
LIMIT = 1.1
PATHS = (("GET", "/ok", {"ok": True}), ("POST", "/threads/search", []), ("GET", "/info", {"version": "0.11.1"}))


@contextlib.contextmanager
def running_server(think_seconds: float) -> t.Iterator[int]:
    """Run a server in a process of its own, so that its cost is not the client's; yield its port."""
    command = [sys.executable, __file__, "--serve", str(think_seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.kill()


async def server(think_seconds: float) -> None:
    """Answer like the real server: after a while, with a little JSON."""

    def answer(content: t.Any) -> t.Callable[[web.Request], t.Awaitable[web.Response]]:
        async def handler(request: web.Request) -> web.Response:
            await request.read()
            await asyncio.sleep(think_seconds)
            return web.json_response(content)

        return handler

    app = web.Application()
    for method, path, content in PATHS:
        app.router.add_route(method, path, answer(content))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


def measure(client: str, port: int, options: argparse.Namespace) -> dict[str, float]:
    """Run one load; return the figures of its steady part."""
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "report"
        command = [sys.executable, str(LOAD_GENERATOR), f"http://127.0.0.1:{port}", "--report", str(report)]
        command += ["--client", client, "--seconds", str(options.seconds), "--rate", str(options.rate)]
        command += ["--streams", "", "--runs", "0"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=options.seconds + 60)
        found = json.loads(report.read_text(encoding="utf-8"))
    phase = found["phases"]["before"]
    assert phase["errors"] == 0, phase
    return {"p50_ms": phase["p50_ms"], "p99_ms": phase["p99_ms"], "cpu_percent": found["client"]["cpu_percent"]}


def main() -> int:
    """Measure pairs in turn, print the figures; return whether the limit is exceeded."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--rate", type=float, default=50)
    parser.add_argument("--think-ms", type=float, default=5)
    options = parser.parse_args()
    pairs = []
    with running_server(options.think_ms / 1000) as port:
        for number in range(options.pairs):
            order = CLIENTS if number % 2 else CLIENTS[::-1]
            pairs.append({client: measure(client, port, options) for client in order})
            print(f"pair {number + 1}: {pairs[-1]}", flush=True)
    return 0 if report(pairs) else 1


def report(pairs: t.Sequence[t.Mapping[str, t.Mapping[str, float]]]) -> bool:
    """Print medians, ratios and their spread; return whether the ratio of the 99th percentiles is within the limit."""
    middles = {}
    for figure in ("p50_ms", "p99_ms", "cpu_percent"):
        plain, library = (statistics.median(pair[client][figure] for pair in pairs) for client in CLIENTS)
        ratios = sorted(pair["aiohttp"][figure] / pair["plain"][figure] for pair in pairs)
        middles[figure] = middle = statistics.median(ratios)
        print(
            f"{figure:<12} plain {plain:.2f}  aiohttp {library:.2f}  ratio {middle:.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f})"
        )
    good = middles["p99_ms"] <= LIMIT
    print(f"the ratio of the 99th percentiles is {'within' if good else 'above'} {LIMIT}")
    return good


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        asyncio.run(server(float(sys.argv[2])))
    else:
        sys.exit(main())
