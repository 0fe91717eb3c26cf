# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exit 0 when this container's own /ok answers that it is ok."""

import json
import os
import sys
import urllib.request

URL = f"http://127.0.0.1:{os.environ.get('PORT', '8000')}/ok"

try:
    with urllib.request.urlopen(URL, timeout=5) as answer:
        sys.exit(0 if json.load(answer).get("ok") is True else 1)
except OSError as error:
    sys.exit(f"{URL}: {error}")
