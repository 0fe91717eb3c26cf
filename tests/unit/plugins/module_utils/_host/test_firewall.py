# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module's word to the firewall of the host; what that makes of it is in tests/unit/roles/test_firewall.py."""

from __future__ import annotations

import subprocess
import typing as t
from pathlib import Path

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._host import firewall


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The program of the role, which a test writes."""
    path = tmp_path / "langgraph-firewall.py"
    monkeypatch.setattr(firewall, "HELPER", str(path))
    return path


def test_a_host_without_it(helper: Path) -> None:
    firewall.apply()
    assert not helper.exists()


def test_it_is_applied(helper: Path) -> None:
    helper.write_text("import sys\nopen(sys.argv[0] + '.done', 'w').write(' '.join(sys.argv[1:]))\n")
    firewall.apply()
    assert Path(f"{helper}.done").read_text() == "apply"


@pytest.mark.parametrize(
    ("code", "reason"),
    [("import sys; sys.exit('nft: no such thing')", "nft: no such thing"), ("exit(3)", "ended with 3")],
)
def test_what_it_refuses_is_told(helper: Path, code: str, reason: str) -> None:
    helper.write_text(code)
    with pytest.raises(firewall.FirewallError, match=f"^the firewall is not up to date: .*{reason}$"):
        firewall.apply()


def test_one_that_does_not_end(helper: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(command: list[str], *, timeout: float) -> t.NoReturn:
        raise subprocess.TimeoutExpired(command, timeout)

    helper.write_text("")
    monkeypatch.setattr(firewall, "run", slow)
    with pytest.raises(firewall.FirewallError, match=r"did not finish within 60 s; the previous table remains loaded$"):
        firewall.apply()
