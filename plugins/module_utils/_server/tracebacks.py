# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Find the exception of the application itself in a log: the server's own error often has neither its type nor its line."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

# `langgraph build` copies applications there (langgraph-cli 0.4.40). Their dependencies are elsewhere.
_FRAME = re.compile(r'File "(/deps/[^"]+)", line (\d+)')
_EXCEPTION = re.compile(r"((?:[A-Za-z_]\w*\.)*[A-Z]\w*)(: .*)?")
_MISSING_KEY = re.compile(r"KeyError: '([A-Za-z_]\w*)'")
# Parts of a traceback through os.environ: the line of the application, and the frame below it in Python 3.11 and 3.12.
_ENVIRONMENT = ("environ", "<frozen os>", "/os.py")


@dataclass(frozen=True)
class Raised:
    """An exception, the last frame of the application in its traceback, and the missing variable that it is about, if any."""

    exception: str
    path: str
    number: int
    variable: str | None = None

    @property
    def line(self) -> str:
        """Return both on one line, for users."""
        return f"{self.exception} ({self.path}, line {self.number})"


def raised_by_application(lines: t.Sequence[str]) -> Raised | None:
    """Return the last exception whose traceback has a frame of the application; None if the log has none."""
    frames = [(index, match) for index, line in enumerate(lines) if (match := _FRAME.search(line))]
    if not frames:
        return None
    index, frame = frames[-1]
    for later, line in enumerate(lines[index + 1 :], start=index + 1):
        # Everything else in a traceback is indented.
        if line[:1].isspace() or not _EXCEPTION.fullmatch(line):
            continue
        key = _MISSING_KEY.fullmatch(line)
        read = any(part in text for text in lines[index:later] for part in _ENVIRONMENT)
        return Raised(line, frame[1], int(frame[2]), key[1] if key and read else None)
    return None
