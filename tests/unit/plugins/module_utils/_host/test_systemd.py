# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What systemctl and journalctl print, read back."""

from __future__ import annotations

import subprocess
import typing as t
from pathlib import Path

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._host import systemd
from ansible_collections.selfhost.langgraph.plugins.module_utils._host.systemd import SystemdError, UnitState

# systemd 252 (Debian 12); a unit that was never loaded is the last one.
SHOWN = """\
Result=success
ExecMainStatus=0
Id=langgraph@a.service
ActiveState=active
UnitFileState=enabled

Result=exit-code
ExecMainStatus=3
Id=langgraph@b.service
ActiveState=activating
UnitFileState=disabled

Result=success
ExecMainStatus=0
Id=langgraph@c.service
ActiveState=inactive
UnitFileState=
"""


@pytest.fixture
def systemctl(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Answers SHOWN to ``show``, refuses ``enable``; gives the commands that were run."""
    commands: list[list[str]] = []

    def run(command: list[str], **_more: t.Any) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        refused = command[1] == "enable"
        return subprocess.CompletedProcess(
            command, int(refused), SHOWN, "Unit file does not exist.\n" if refused else ""
        )

    monkeypatch.setattr(systemd, "run", run)
    return commands


def test_states_of_many_units_in_one_call(systemctl: list[list[str]]) -> None:
    units = [f"langgraph@{name}.service" for name in "abc"]
    assert systemd.unit_states(units) == {
        units[0]: UnitState("active", True, "success", 0),
        units[1]: UnitState("activating", False, "exit-code", 3),
        units[2]: UnitState("inactive", False, "success", 0),
    }
    assert len(systemctl) == 1


def test_instances_that_are_not_loaded_are_not_asked_for(
    systemctl: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(systemd, "WANTS", str(tmp_path))
    (tmp_path / "langgraph@e.service").symlink_to("/no/such/template")
    units = [f"langgraph@{name}.service" for name in "cbde"] + ["langgraph-drain@b.service"]
    assert systemd.instance_states(units) == {
        units[0]: UnitState("inactive", False, "success", 0),
        units[1]: UnitState("activating", False, "exit-code", 3),
        units[2]: UnitState("inactive", False, "success", 0),
        units[3]: UnitState("inactive", True, "success", 0),
        units[4]: UnitState("inactive", False, "success", 0),
    }
    ((*_options, first, second),) = systemctl
    assert (first, second) == ("langgraph-drain@*.service", "langgraph@*.service")
    assert systemd.instance_states([]) == {}
    assert len(systemctl) == 1


def test_nothing_to_do_is_no_call(systemctl: list[list[str]]) -> None:
    assert systemd.unit_states([]) == {}
    systemd.enable([])
    systemd.stop([])
    systemd.disable_now([])
    systemd.start([])
    systemd.reset_failed([])
    assert systemctl == []


def test_a_refusal_is_told_in_its_own_words(systemctl: list[list[str]]) -> None:
    with pytest.raises(SystemdError, match="^Unit file does not exist.$"):
        systemd.enable(["langgraph@a.service"])


def test_start_is_for_all_at_once_and_failures_are_read_later(systemctl: list[list[str]]) -> None:
    systemd.start(["langgraph@a.service", "langgraph@b.service"])
    assert systemctl[-1] == ["systemctl", "start", "--", "langgraph@a.service", "langgraph@b.service"]
