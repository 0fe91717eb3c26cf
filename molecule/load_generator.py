# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Constant load on one server's API for the tests: `load_generator.py URL --report FILE ...`; writes and prints JSON.

It sends short requests at a fixed rate (half over new connections, half over persistent ones), opens streams of given
lengths again when they end, and starts background runs. There are no retries: a failure on a persistent connection counts.

Client and caller mark moments with files. The client creates FILE.before when the start is over. The caller creates
FILE.during and FILE.after, which split the requests into phases by their due time, and FILE.switch, which starts the
second wave of runs; all four of an earlier load are removed first. The load lasts --seconds, then until the file
--until exists, but at most --longest, or until SIGTERM. Then open streams and runs get their own time and --patience
(they may wait for a free worker of the server) to end.
"""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import json
import math
import re
import signal
import time
import typing as t
import urllib.parse
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from http_client import REQUEST_SECONDS, TROUBLE, Client, describe
from plain_client import PlainClient

# Cheap but real requests: the second one queries the database.
MIX: list[tuple[str, str, t.Any]] = [
    ("GET", "/ok", None),
    ("POST", "/threads/search", {"limit": 1}),
    ("GET", "/info", None),
]
MARKS = ("before", "during", "after", "switch")
STREAM = ("opened", "completed", "cut", "not_opened")
START_SECONDS = 3  # a separate phase in which all streams and runs start; an upgrade is not compared with it
SHOWN = 10
CLIENTS: dict[str, type[Client | PlainClient]] = {"aiohttp": Client, "plain": PlainClient}


@dataclass
class Work:
    """One run of the demo graph, with its expected result."""

    text: str
    seconds: float
    thread: str = ""
    run: str = ""
    until: float = 0.0

    @property
    def request(self) -> dict[str, t.Any]:
        """Return the body of the request that starts it."""
        values = {"text": self.text, "seconds": self.seconds}
        return {"assistant_id": "agent", "input": values, "stream_mode": ["values"]}

    def done(self, values: t.Any) -> bool:
        """Return whether these are the graph's last values, with each node run once."""
        log = ["shout", f"wait {self.seconds:g} s", f"count {len(self.text)}"]
        return isinstance(values, dict) and values.get("text") == self.text.upper() and values.get("log") == log


@dataclass
class Load:
    """The load and its measurements; times are seconds since its start."""

    options: argparse.Namespace
    client: Client | PlainClient
    over: asyncio.Event = field(default_factory=asyncio.Event)
    begin: float = 0.0
    ended: float = 0.0
    marks: dict[str, float] = field(default_factory=lambda: {"start": 0.0})
    samples: list[tuple[float, float, str]] = field(default_factory=list)  # due time, duration, error
    lags: list[float] = field(default_factory=list)
    streams: dict[str, Counter[str]] = field(default_factory=dict)
    cuts: list[dict[str, t.Any]] = field(default_factory=list)
    asked: int = 0
    runs: list[Work] = field(default_factory=list)
    refused: list[dict[str, t.Any]] = field(default_factory=list)

    def now(self) -> float:
        """Return the seconds since the start of the load."""
        return asyncio.get_running_loop().time() - self.begin

    def mark(self, name: str) -> Path:
        """Return the path of a marker file."""
        return Path(f"{self.options.report}.{name}")

    async def watch(self) -> None:
        """Record the marks, start a second wave of runs if requested, and end the load in time."""
        waves = [asyncio.create_task(self.wave())]
        while not self.over.is_set():
            await asyncio.sleep(0.05)
            if "before" not in self.marks and self.now() >= START_SECONDS:
                self.mark("before").touch()
            for name in MARKS:
                if name not in self.marks and self.mark(name).exists():
                    self.marks[name] = self.now()
            if len(waves) < self.options.run_waves and "switch" in self.marks:
                waves.append(asyncio.create_task(self.wave()))
            stopped = not self.options.until or self.options.until.exists()
            if self.now() >= self.options.longest or (self.now() >= self.options.seconds and stopped):
                self.over.set()
        await asyncio.gather(*waves)

    async def requests(self) -> None:
        """Start each request when it is due, independent of previous requests."""
        tasks = set()
        while not self.over.is_set():
            number, due = len(self.lags), len(self.lags) / self.options.rate
            await asyncio.sleep(due - self.now())
            self.lags.append(self.now() - due)
            tasks.add(task := asyncio.create_task(self.request(number, due)))
            task.add_done_callback(tasks.discard)
        self.ended = self.now()
        await asyncio.gather(*tasks)

    async def request(self, number: int, due: float) -> None:
        """Send one short request; its duration is measured from its due time."""
        method, path, content = MIX[number // 2 % len(MIX)]
        until, error = self.begin + due + REQUEST_SECONDS, ""
        try:
            answer = json.loads(await self.client.call(method, path, content, until, keep=number % 2 == 1))
            error = "/ok is not ok" if path == "/ok" and answer["ok"] is not True else ""
        except TROUBLE as caught:
            error = describe(caught)
        self.samples.append((due, self.now() - due, error))

    async def stream(self, length: float) -> None:
        """Open streams of this length, one after the other."""
        tally = self.streams.setdefault(f"{length:g}", Counter(dict.fromkeys(STREAM, 0)))
        while not (tally["opened"] and (self.options.once or self.over.is_set())):
            tally["opened"] += 1
            work, opened = Work(f"stream {length:g} no {tally['opened']}", length), self.now()
            error = await self.follow(work)
            tally["cut" if error else "completed"] += 1
            tally["not_opened"] += not work.thread  # these are included in the cut ones
            tally["longest_ms"] = max(tally["longest_ms"], round(1000 * (self.now() - opened)))
            if error:
                self.cuts.append({"at_s": round(self.now(), 3), "opened_s": round(opened, 3), "text": error})
                await asyncio.sleep(1)

    async def follow(self, work: Work) -> str:
        """Read a stream to its end, which must be the graph's end: a server that stops may end the body cleanly."""
        try:
            work.thread = (await self.client.json("POST", "/threads", {}))["thread_id"]
            until = self.begin + self.now() + work.seconds + self.options.patience
            body = await self.client.call("POST", f"/threads/{work.thread}/runs/stream", work.request, until)
            events = re.findall(r"^event: (\S+)\r?\ndata: (.*?)\r?$", body.decode(), re.MULTILINE) or [("no event", "")]
            event, data = events[-1]
            return "" if event == "values" and work.done(json.loads(data)) else f"ended with {event} {data}"[:200]
        except TROUBLE as error:
            return describe(error)

    async def wave(self) -> None:
        """Start all background runs."""
        first, self.asked = self.asked, self.asked + self.options.runs
        works = [Work(f"run no {number}", self.options.run_seconds) for number in range(first, self.asked)]
        await asyncio.gather(*(self.create(work) for work in works))

    async def create(self, work: Work) -> None:
        """Start one background run on a new thread."""
        try:
            work.thread = (await self.client.json("POST", "/threads", {}))["thread_id"]
            work.run = (await self.client.json("POST", f"/threads/{work.thread}/runs", work.request))["run_id"]
            work.until = self.now() + work.seconds + self.options.patience
            self.runs.append(work)
        except TROUBLE as error:
            self.refused.append({"at_s": round(self.now(), 3), "text": describe(error)})

    async def judge(self, work: Work) -> dict[str, t.Any]:
        """Wait for a run, for as long as it may take, and return its result."""
        while True:
            verdict: dict[str, t.Any] = {"run": work.run, "success": False, "attempt": None}
            try:
                runs = await self.client.json("GET", f"/threads/{work.thread}/runs")
                state = await self.client.json("GET", f"/threads/{work.thread}/state")
                verdict["status"] = "+".join(run["status"] for run in runs) or "missing"
                verdict |= {"attempt": (state["metadata"] or {}).get("run_attempt"), "values": state["values"]}
                once = [(run["run_id"], run["status"]) for run in runs] == [(work.run, "success")]
                verdict["success"] = once and work.done(state["values"])
                if not re.search("pending|running", verdict["status"]):
                    return verdict
            except TROUBLE as error:
                verdict |= {"status": "unknown", "success": False, "error": describe(error)}
            if self.now() > work.until:
                return verdict
            await asyncio.sleep(1)

    async def all(self) -> dict[str, t.Any]:
        """Run the load, wait for open streams and runs, and return the report."""
        loop = asyncio.get_running_loop()
        for name in MARKS:
            self.mark(name).unlink(missing_ok=True)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.over.set)
        began, self.begin = time.time(), loop.time()
        streams = asyncio.gather(self.watch(), *(self.stream(length) for length in self.options.streams))
        await self.requests()
        cpu = {"cpu_percent": round(100 * time.process_time() / self.ended, 1)}
        await streams
        verdicts = await asyncio.gather(*(self.judge(work) for work in self.runs))
        return {
            "url": self.options.url,
            "began": round(began, 3),
            "seconds": round(self.ended, 3),
            "marks": {name: round(moment, 3) for name, moment in self.marks.items()},
            "phases": self._phases(),
            "streams": self._streams(),
            "runs": self._runs(verdicts),
            "connections": self.client.connections,
            "client": cpu | {f"lag_{name}": value for name, value in milliseconds(self.lags).items()},
        }

    def _phases(self) -> dict[str, t.Any]:
        marks = sorted((moment, name) for name, moment in self.marks.items() if name != "switch")
        ends = [moment for moment, _name in marks[1:]] + [math.inf]
        return {name: self._phase(moment, end) for (moment, name), end in zip(marks, ends)}

    def _phase(self, begin: float, end: float) -> dict[str, t.Any]:
        samples = sorted(sample for sample in self.samples if begin <= sample[0] < end)
        errors = [(due, error) for due, _took, error in samples if error]
        times = Counter(error for _due, error in errors)
        first = {error: round(due, 3) for due, error in reversed(errors)}
        return {
            "count": len(samples),
            "errors": len(errors),
            "error_texts": [{"at_s": first[text], "times": times[text], "text": text} for text in list(times)[:SHOWN]],
            "rate": round(len(samples) / max(min(end, self.ended) - begin, 0.001), 2),
            **milliseconds([took for _due, took, error in samples if not error]),
        }

    def _streams(self) -> dict[str, t.Any]:
        total = {name: sum(tally[name] for tally in self.streams.values()) for name in STREAM}
        return total | {"by_length": self.streams, "cuts": self.cuts[:SHOWN]}

    def _runs(self, verdicts: list[dict[str, t.Any]]) -> dict[str, t.Any]:
        lost = [verdict for verdict in verdicts if not verdict["success"]]
        return {
            "asked": self.asked,
            "created": len(self.runs),
            "success": len(verdicts) - len(lost),
            "lost": len(lost),
            "statuses": Counter(verdict["status"] for verdict in verdicts),
            "last_attempts": Counter(str(verdict["attempt"]) for verdict in verdicts),
            "attempted_twice": None,  # the caller knows this from the servers' logs
            "not_created": self.refused[:SHOWN],
            "lost_runs": lost[:SHOWN],
            "ids": [work.run for work in self.runs],
        }


def milliseconds(seconds: list[float]) -> dict[str, float | None]:
    """Return median, 99th percentile and maximum, each a measured value."""
    ordered, ranks = sorted(seconds) or [math.nan], {"p50_ms": 0.5, "p99_ms": 0.99, "max_ms": 1.0}
    values = {name: round(1000 * ordered[math.ceil(rank * len(ordered)) - 1], 2) for name, rank in ranks.items()}
    return {name: value if seconds else None for name, value in values.items()}


def loopback(url: str) -> str:
    """Return the URL if it is on the loopback: the load must not reach other machines."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "http" or not parts.port or parts.path.strip("/"):
        raise ValueError(url)
    if not ipaddress.ip_address(parts.hostname or "").is_loopback:
        raise argparse.ArgumentTypeError(f"{parts.hostname} is not this machine")
    return url


def lengths(text: str) -> list[float]:
    """Parse seconds, separated by commas."""
    return [float(word) for word in text.split(",") if word]


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    add = parser.add_argument
    add("url", type=loopback, help="http://ADDRESS:PORT, of this machine")
    add("--report", type=Path, required=True, help="FILE")
    add("--seconds", type=float, default=60, help="the shortest load")
    add("--until", type=Path, help="the load continues until this file exists")
    add("--longest", type=float, default=600, help="the longest load")
    add("--rate", type=float, default=50, help="requests per second")
    add("--kept", type=int, default=20, help="connections that are kept")
    add("--streams", type=lengths, default="5,60,170", help="their seconds")
    add("--once", action="store_true", help="open each stream only once")
    add("--runs", type=int, default=10, help="background runs in a wave")
    add("--run-seconds", type=float, default=60, help="their seconds")
    add("--run-waves", type=int, choices=[1, 2], default=1, help="2: one more at the mark switch")
    add("--client", choices=list(CLIENTS), default="plain", help="the HTTP client")
    add("--patience", type=float, default=240, help="seconds that a stream or run may take beyond its own")
    return parser.parse_args()


async def main() -> None:
    """Run the load and write the report."""
    options = arguments()
    client = CLIENTS[options.client](options.url, options.kept)
    report = await Load(options, client).all()
    await client.close()
    options.report.write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report))


if __name__ == "__main__":
    asyncio.run(main())
