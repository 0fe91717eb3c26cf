# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Only one run at a time changes a host. The others wait for as long as it may take, and can report who holds the lock.

The holder writes to the lock file who it is, what it does, since when, and how long that may take at most.
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import json
import os
import time
import typing as t
from dataclasses import asdict, dataclass

# In a directory that only root can write to.
LOCK = "/run/langgraph-rollout.lock"
# The limit of a holder without a note: it has just started, or is of an earlier version.
DEFAULT_SECONDS = 3600
# The note of a killed holder remains until the next holder has written its own.
_SETTLE_SECONDS = 5.0
_POLL_SECONDS = 0.2
_MOST_BYTES = 4096


class LockedError(RuntimeError):
    """Another run has held the lock for longer than its limit; the message names it."""


@dataclass(frozen=True)
class Holder:
    """The holder of the lock: process id, what it does, since when (seconds since the epoch), and for how long at most."""

    pid: int | None = None
    what: str = "unknown"
    since: float | None = None
    seconds: float = DEFAULT_SECONDS

    def __str__(self) -> str:
        begin = datetime.datetime.fromtimestamp(self.since or 0, datetime.timezone.utc)  # noqa: UP017 - Python 3.10
        since = f" since {begin.isoformat(timespec='seconds')}" if self.since else ""
        return f"process {self.pid or 'unknown'}{since}: {self.what}"

    @property
    def left(self) -> float:
        """Return the seconds that it may still take."""
        return self.seconds if self.since is None else self.since + self.seconds - time.time()


class HostLock:
    """The lock that this process holds; note() records what for."""

    def __init__(self, handle: int) -> None:
        self._handle, self._since = handle, time.time()
        self.note("reading the host", DEFAULT_SECONDS)

    def note(self, what: str, seconds: float) -> None:
        """Record what is done, and for how many seconds at most, for those who wait."""
        text = json.dumps(asdict(Holder(os.getpid(), what[:1000], self._since, seconds))).encode()
        with contextlib.suppress(OSError):
            # A note that cannot be written is not essential: it only changes how long others wait.
            os.pwrite(self._handle, text, 0)
            os.ftruncate(self._handle, len(text))


@contextlib.contextmanager
def host_lock() -> t.Iterator[HostLock]:
    """Hold the lock of the host. The lock ends with the process, so nothing stays locked.

    Raises LockedError if another run holds it for longer than its limit.
    """
    handle = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        _wait(handle)
        yield HostLock(handle)
        with contextlib.suppress(OSError):
            os.ftruncate(handle, 0)
    finally:
        os.close(handle)


def _wait(handle: int) -> None:
    seen, deadline = None, 0.0
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            pass
        holder = _holder(os.pread(handle, _MOST_BYTES, 0))
        if holder != seen:
            # It may be the note of a killed holder, while another run has just taken the lock.
            seen, deadline = holder, time.monotonic() + max(_SETTLE_SECONDS, holder.left)
        if time.monotonic() > deadline:
            raise LockedError(
                f"another run ({holder}) has been changing this host for longer than its limit of {holder.seconds:.0f} s; "
                "check that process and end it; nothing was changed"
            )
        time.sleep(_POLL_SECONDS)


def _holder(note: bytes) -> Holder:
    """Parse the holder's note."""
    try:
        found = json.loads(note)
        if isinstance(found, int):
            # The process id alone is the note of earlier versions.
            return Holder(found)
        return Holder(int(found["pid"]), str(found["what"]), float(found["since"]), float(found["seconds"]))
    except (ValueError, TypeError, KeyError):
        return Holder()
