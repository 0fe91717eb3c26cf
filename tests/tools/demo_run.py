# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start one real run on a thread through each deployment's API.

usage: demo_run.py FILE   (the host's variables, as `ansible-inventory --host` prints them)
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
import typing as t
from pathlib import Path

from langgraph_sdk import get_client

TEXT = "hello from {name}"


async def run_once(name: str, url: str) -> str:
    """Create a thread, run the agent on it, check the answer, print the result."""
    client = get_client(url=url)
    started = time.monotonic()
    thread = await client.threads.create()
    answer: t.Any = await client.runs.wait(
        thread["thread_id"], "agent", input={"text": TEXT.format(name=name), "seconds": 1}
    )
    if answer.get("text") != TEXT.format(name=name).upper():
        raise SystemExit(f"{name} at {url}: unexpected answer {answer}")
    seconds = time.monotonic() - started
    return f"  {name:<20} {url:<28} {answer['text']!r} {answer['log']} in {seconds:.1f} s"


async def main() -> None:
    """Run all deployments concurrently: they are independent."""
    deployments = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")).get("langgraph_deployments", [])
    live = [d for d in deployments if d.get("state", "present") != "stopped"]
    if not live:
        raise SystemExit("the inventory lists no deployment")
    runs = [run_once(d["name"], f"http://127.0.0.1:{d['port']}{d.get('mount_prefix', '')}") for d in live]
    print("\n".join(await asyncio.gather(*runs)))


if __name__ == "__main__":
    asyncio.run(main())
