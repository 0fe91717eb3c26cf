# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the open runtime put REDIS_KEY_PREFIX before every name in Redis, as the vendor's server is reported to do.

All its names stand in one file. The build fails where that file is not the one that these replacements were made for.
Usage: honour_prefix.py FILE
"""

import pathlib
import re
import sys

PREFIX = '_PREFIX = os.environ.get("REDIS_KEY_PREFIX", "")\n\n'
# What is there, what stands there then, and how often.
REPLACEMENTS = (
    (r'^(QUEUE_WAKE_CHANNEL = )"langgraph:', PREFIX + r'\1_PREFIX + "langgraph:', 1),
    # Redis allows a subscription to a pattern only where the same pattern stands in the user's rights: here PREFIX*.
    # Channels of other kinds are passed over by whoever listens.
    (r'^((?:RUN|THREAD)_FANOUT_PATTERN = )("lg:(?:run|thread)-fanout:\*")$', r'\1_PREFIX + "*" if _PREFIX else \2', 2),
    (r'\bf"lg:', 'f"{_PREFIX}lg:', 5),
    (r'^(    prefix = )"lg:', r'\1_PREFIX + "lg:', 2),
)


def patched(text: str) -> str:
    """Give the text with all replacements; fail where one does not fit exactly."""
    names = len(re.findall(r"lg:|langgraph:", text))
    expected = sum(count for _pattern, _new, count in REPLACEMENTS)
    if names != expected:
        sys.exit(f"the runtime has {names} names in Redis instead of {expected}")
    for pattern, new, count in REPLACEMENTS:
        text, found = re.subn(pattern, new, text, flags=re.MULTILINE)
        if found != count:
            sys.exit(f"{pattern} is there {found} times instead of {count}")
    return text


if __name__ == "__main__":
    file = pathlib.Path(sys.argv[1])
    file.write_text(patched(file.read_text(encoding="utf-8")), encoding="utf-8")
