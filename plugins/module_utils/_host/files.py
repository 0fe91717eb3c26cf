# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Files that only root can have written."""

from __future__ import annotations

import hashlib
import os
import stat


def fingerprint(path: str) -> str | None:
    """Hash a file that only root can have written; any other file has to be written again (None)."""
    try:
        found = os.lstat(path)
        if found.st_mode != stat.S_IFREG | 0o644 or found.st_uid != 0 or found.st_gid != 0:
            return None
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return None
