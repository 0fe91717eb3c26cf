# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The faked host (fake_host.py) for every test that asks for one."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.selfhost.langgraph.tests.unit.plugins.module_utils._rollout.fake_host import Host, bot, install


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A host without anything."""
    folder = tmp_path / "etc"
    folder.mkdir()
    return install(Host(folder), monkeypatch)


@pytest.fixture
def served(host: Host) -> Host:
    """The same with a deployment that clients ask all the time."""
    host.converge(bot())
    host.clients = {"bot"}
    return host
