# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Change three things in the open runtime. The build fails if a file is not the one that the replacements were made for.

- It puts REDIS_KEY_PREFIX before every name in Redis, as the vendor's server is reported to do.
- A stream no longer ends before its last messages are sent. The runtime waits half a second for a message and then asks
  the database for the run's status. What another replica publishes while it asks is lost if the run has ended by then.
- A server that stops gives its runs back for as long as BG_JOB_SHUTDOWN_GRACE_PERIOD_SECS allows, as the vendor documents.
  The runtime has a fixed 5 seconds. With a database that is slower, runs stay "running" without a worker for minutes.

Usage: patch_runtime.py DIRECTORY
"""

import pathlib
import re
import sys

PREFIX = '_PREFIX = os.environ.get("REDIS_KEY_PREFIX", "")\n\n'
# The pattern, its replacement, and the number of matches.
NAMES = (
    (r'^(QUEUE_WAKE_CHANNEL = )"langgraph:', PREFIX + r'\1_PREFIX + "langgraph:', 1),
    # Redis allows a subscription to a pattern only where the same pattern stands in the user's rights: here PREFIX*.
    # Subscribers ignore channels of other kinds.
    (r'^((?:RUN|THREAD)_FANOUT_PATTERN = )("lg:(?:run|thread)-fanout:\*")$', r'\1_PREFIX + "*" if _PREFIX else \2', 2),
    (r'\bf"lg:', 'f"{_PREFIX}lg:', 5),
    (r'^(    prefix = )"lg:', r'\1_PREFIX + "lg:', 2),
)
# After the run has ended, the stream waits once more, and ends only if nothing came.
STREAMS = (
    (r'^(    """Consume the live queue .*\n)(    while True:\n)', r"\1    has_ended = False\n\2", 1),
    (
        r'^(            if action == "break":\n)(                return\n)(            if action is not None:\n                yield)',
        r"\1                if not has_ended:\n                    has_ended = True\n                    continue\n\2\3",
        1,
    ),
)
GRACE = (
    (
        r"^(SHUTDOWN_GRACE_PERIOD_SECS = )5$",
        r'import os  # noqa: E402\n\n\1float(os.environ.get("BG_JOB_SHUTDOWN_GRACE_PERIOD_SECS", "180"))',
        1,
    ),
)


def patched(text: str, replacements: tuple[tuple[str, str, int], ...]) -> str:
    """Return the text with all replacements; exit if one does not match exactly as often as it should."""
    for pattern, new, count in replacements:
        text, found = re.subn(pattern, new, text, flags=re.MULTILINE)
        if found != count:
            sys.exit(f"{pattern} is there {found} times instead of {count}")
    return text


def main(directory: pathlib.Path) -> None:
    """Patch the runtime in this directory."""
    names = (directory / "redis_stream.py").read_text(encoding="utf-8")
    expected = sum(count for _pattern, _new, count in NAMES)
    found = len(re.findall(r"lg:|langgraph:", names))
    if found != expected:
        sys.exit(f"the runtime has {found} names in Redis instead of {expected}")
    (directory / "redis_stream.py").write_text(patched(names, NAMES), encoding="utf-8")
    for name, replacements in (("ops.py", STREAMS), ("queue.py", GRACE)):
        text = (directory / name).read_text(encoding="utf-8")
        (directory / name).write_text(patched(text, replacements), encoding="utf-8")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
