# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A deterministic agent: no model calls, so that a demo costs nothing and a test can predict every answer.

It shouts the text, waits as long as it was asked to (a stand-in for a slow tool) and says how long the text was.
"""

from __future__ import annotations

import asyncio
import operator
import typing as t

from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict


class State(TypedDict, total=False):
    """What a run takes (text, seconds) and gives back (text, log)."""

    text: str
    seconds: float
    log: t.Annotated[list[str], operator.add]


async def shout(state: State) -> State:
    """Turn the text into capital letters."""
    return {"text": state.get("text", "").upper(), "log": ["shout"]}


async def wait(state: State) -> State:
    """Sleep for `seconds`, as a slow tool would, without blocking the server."""
    seconds = float(state.get("seconds", 0))
    await asyncio.sleep(seconds)
    return {"log": [f"wait {seconds:g} s"]}


async def count(state: State) -> State:
    """Report the length of the text."""
    return {"log": [f"count {len(state.get('text', ''))}"]}


builder = StateGraph(State)
builder.add_node("shout", shout)
builder.add_node("wait", wait)
builder.add_node("count", count)
builder.add_edge(START, "shout")
builder.add_edge("shout", "wait")
builder.add_edge("wait", "count")
builder.add_edge("count", END)
graph = builder.compile()
