# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every message that the collection can print has an entry in docs/troubleshooting.md, and every entry a message.

The remedy that follows a finding is told by the message itself: the page has the finding.
"""

from __future__ import annotations

import re
from pathlib import Path

from ansible_collections.selfhost.langgraph.tests.unit.docs import messages

ROOT = Path(__file__).parents[3]
PAGE = "docs/troubleshooting.md"


def entries() -> set[str]:
    """The messages of the page: bold code, in which <words> stand for what differs."""
    found = re.findall(r"\*\*`(.+?)`\*\*", (ROOT / PAGE).read_text(encoding="utf-8"), re.DOTALL)
    return {messages.normal(re.sub(r"<[^<>]+>", messages.HOLE, entry)) for entry in found}


def test_every_message_has_an_entry() -> None:
    known = entries()
    missing = [f"{message.place}: {message.text}" for message in messages.collect(ROOT) if message.text not in known]
    assert not missing, f"without an entry in {PAGE} (as **`...`**, with <words> for *):\n" + "\n".join(missing)


def test_every_entry_is_a_message() -> None:
    texts = {message.text for message in messages.collect(ROOT)}
    assert not (stale := sorted(entries() - texts)), f"{PAGE} has what nothing prints:\n" + "\n".join(stale)


def test_no_sentence_leaves_by_an_unknown_way() -> None:
    unread = [f"{item.place}: {item.text}" for module in messages.modules(ROOT) for item in module.unread()]
    how = "tell tests/unit/docs/messages.py how it leaves (CALLS, GIVES, TABLES), or that it is none (NOT_MESSAGES)"
    assert not unread, f"{how}:\n" + "\n".join(unread)


def test_the_collector_follows_names_calls_and_holes(tmp_path: Path) -> None:
    file = tmp_path / "example.py"
    file.write_text(
        """
def caller(size):
    finding = "is large" if size else "is small"
    yield Problem("x", "y", finding, "remedy")
    raise ExampleError(f"{size} of" + " them")
    helper("given by the caller")

def helper(text):
    module.fail_json(msg=text.format(size=1))
""",
        encoding="utf-8",
    )
    found = {message.text for message in messages.Module(file, "example.py").messages()}
    assert found == {"is large", "is small", "* of them", "given by the caller"}
