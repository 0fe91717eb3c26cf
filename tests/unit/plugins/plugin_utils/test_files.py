# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of the control node and their copies on hosts."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ansible_collections.selfhost.langgraph.plugins.plugin_utils._files import is_inventory, stale_files


def test_only_files_that_differ_are_stale(tmp_path: Path) -> None:
    sources = {}
    for name in ("same", "other", "missing", "unknown"):
        (tmp_path / name).write_text(name)
        sources[f"/usr/local/lib/{name}"] = str(tmp_path / name)
    digest = hashlib.sha256(b"same").hexdigest()
    found = {"/usr/local/lib/same": digest, "/usr/local/lib/other": digest, "/usr/local/lib/missing": None}
    assert stale_files(sources, found) == ["/usr/local/lib/missing", "/usr/local/lib/other", "/usr/local/lib/unknown"]
    assert stale_files({}, found) == []


def test_files_that_ansible_reads_as_an_inventory(tmp_path: Path) -> None:
    directory, hosts = tmp_path / "inventory", tmp_path / "hosts.yml"
    (directory / "group_vars/all").mkdir(parents=True)
    hosts.touch()
    sources = [str(directory), str(hosts), "a,b,"]
    read = ("bot.env", "deeper/bot.env", "group_vars.env")
    assert [is_inventory(str(directory / name), sources) for name in read] == [True, True, True]
    spared = (
        ".env",
        ".secrets/bot.env",
        "group_vars/all/bot.env",
        "deeper/host_vars/one/bot.env",
        "bot.env.orig",
        "../bot.env",
        "../inventory.env",
    )
    assert [is_inventory(str(directory / name), sources) for name in spared] == [False] * len(spared)
    assert not is_inventory("", sources)
    (tmp_path / "link.env").symlink_to(directory / "bot.env")
    assert is_inventory(str(tmp_path / "link.env"), sources)
    (directory / "link.env").symlink_to(tmp_path / "elsewhere.env")
    assert is_inventory(str(directory / "link.env"), sources)
