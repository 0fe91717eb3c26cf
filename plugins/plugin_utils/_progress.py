# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Progress messages of long tasks: a module on a host cannot print, the control node can."""

from __future__ import annotations

import contextlib
import threading
import time
import typing as t

from ansible.utils.display import Display

# Seconds between two lines; a shorter task prints none.
INTERVAL = 15.0
LONGEST_LIST = 3


@contextlib.contextmanager
def progress(what: str, limit: str = "", interval: float = INTERVAL, display: t.Any = None) -> t.Iterator[None]:
    """While the block runs, print at intervals what it waits for, the time elapsed, and the limit."""
    display = display or Display()
    ended, begin = threading.Event(), time.monotonic()

    def report() -> None:
        while not ended.wait(interval):
            display.display(f"  {what}: {time.monotonic() - begin:.0f} s elapsed{f' ({limit})' if limit else ''}")

    reporter = threading.Thread(target=report, daemon=True)
    reporter.start()
    try:
        yield
    finally:
        ended.set()
        reporter.join()


def listed(names: t.Sequence[str]) -> str:
    """Return names for such a line, shortened to the first ones if there are many."""
    first = ", ".join(names[:LONGEST_LIST])
    more = len(names) - LONGEST_LIST
    return f"{first} and {more} more" if more > 0 else first
