# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client of the servers' APIs for the tests: `api_client.py run URL...` or `api_client.py healthy SECONDS URL...`; prints JSON."""

from __future__ import annotations

import asyncio
import json
import sys
import time
import urllib.request

from langgraph_sdk import get_client


async def run(url: str) -> dict[str, str]:
    """Start a run with a resumable stream, then one in the background; return ids, last values, status of the second."""
    client = get_client(url=url)
    thread = await client.threads.create()
    answer = {"thread": thread["thread_id"], "run": "", "text": ""}
    stream = client.runs.stream(
        thread["thread_id"],
        "agent",
        input={"text": "hello", "seconds": 0.2},
        stream_mode=["values"],
        stream_resumable=True,
    )
    async for part in stream:
        if part.event == "metadata":
            answer["run"] = part.data["run_id"]
        elif part.event == "values":
            answer["text"] = part.data.get("text", "")
    background = await client.runs.create(thread["thread_id"], "agent", input={"text": "bye", "seconds": 0.2})
    await client.runs.join(thread["thread_id"], background["run_id"])
    answer["background"] = (await client.runs.get(thread["thread_id"], background["run_id"]))["status"]
    return answer


def ok(url: str) -> bool:
    """Return whether the server and its database answer."""
    try:
        with urllib.request.urlopen(f"{url}/ok?check_db=1", timeout=2) as response:
            return json.load(response).get("ok") is True
    except (OSError, ValueError):
        return False


def healthy(seconds: float, urls: list[str]) -> float:
    """Wait until all servers are healthy; return the elapsed seconds."""
    begin = time.monotonic()
    while not all(ok(url) for url in urls):
        if time.monotonic() - begin > seconds:
            raise SystemExit(f"not healthy after {seconds:g} s")
        time.sleep(0.5)
    return time.monotonic() - begin


async def main() -> None:
    """Run the command in the first argument."""
    if sys.argv[1] == "healthy":
        print(json.dumps(healthy(float(sys.argv[2]), sys.argv[3:])))
    else:
        print(json.dumps(dict(zip(sys.argv[2:], await asyncio.gather(*(run(url) for url in sys.argv[2:]))))))


if __name__ == "__main__":
    asyncio.run(main())
