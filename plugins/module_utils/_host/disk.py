# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Space on the host's disks."""

from __future__ import annotations

import os


def free_bytes(directory: str) -> int:
    """Return the free bytes of the file system of a directory, which need not exist yet."""
    found = os.statvfs(existing(directory))
    return found.f_bavail * found.f_frsize


def existing(directory: str) -> str:
    """Return the directory, or its closest parent that exists."""
    while not os.path.isdir(directory):
        directory = os.path.dirname(directory)
    return directory
