# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Space on the host's disks."""

from __future__ import annotations

import os
from pathlib import Path

from ansible_collections.selfhost.langgraph.plugins.module_utils._host.disk import free_bytes


def test_free_bytes_of_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    here = os.statvfs(tmp_path)
    found = free_bytes(str(tmp_path / "not/there/yet"))
    # Others write to the disk meanwhile.
    assert abs(found - here.f_bavail * here.f_frsize) < 2**30
    assert free_bytes("/") > 0
