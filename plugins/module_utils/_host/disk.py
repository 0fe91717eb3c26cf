# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Space on the host's disks."""

from __future__ import annotations

import os


def free_bytes(folder: str) -> int:
    """Free bytes of the file system that a folder is on, or will be."""
    found = os.statvfs(existing(folder))
    return found.f_bavail * found.f_frsize


def existing(folder: str) -> str:
    """The folder, or the one above it that is there."""
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    return folder
