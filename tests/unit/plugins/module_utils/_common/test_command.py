# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs of a host with another locale."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

FILE = Path(__file__).parents[5] / "plugins/module_utils/_common/command.py"
ASK = """
import importlib.util, locale, sys
spec = importlib.util.spec_from_file_location("command", sys.argv[1])
command = importlib.util.module_from_spec(spec)
spec.loader.exec_module(command)
assert "utf" not in locale.getpreferredencoding().lower()
print(ascii(command.run(["cat"], text="Gr\\u00fc\\u00dfe \\u20ac").stdout))
"""


def test_texts_are_utf_8_whatever_the_locale() -> None:
    """A line of a log that is not decoded as it was written is not masked either."""
    environment = {**os.environ, "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    command = [sys.executable, "-c", ASK, str(FILE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.stdout == "'Gr\\xfc\\xdfe \\u20ac'\n", done.stderr
