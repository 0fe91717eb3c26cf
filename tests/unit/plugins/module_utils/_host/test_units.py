# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which process has not read which file, from what systemctl shows."""

from __future__ import annotations

import os
import subprocess
import typing as t
from pathlib import Path

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._host import systemd, units
from ansible_collections.selfhost.langgraph.plugins.module_utils._host.units import Unit, Verdict, Wanted

# systemd 257 (Debian 13), shortened; the second unit was never there.
SHOWN = """\
Type=notify
ReloadResult=success
ExecMainStartTimestamp=Fri 2026-11-27 20:31:43.719705 UTC
Id=dbus.service
LoadState=loaded
ActiveState=active
FragmentPath=/usr/lib/systemd/system/dbus.service
DropInPaths=/etc/systemd/system/dbus.service.d/a.conf /etc/systemd/system/dbus.service.d/b.conf
UnitFileState=enabled
StateChangeTimestamp=Fri 2026-11-27 20:31:43.752609 UTC
InactiveExitTimestamp=Fri 2026-11-27 20:31:43.721829 UTC
ActiveEnterTimestamp=Fri 2026-11-27 20:31:43.752609 UTC
NeedDaemonReload=no

Type=
ReloadResult=success
ExecMainStartTimestamp=
Id=nothere.service
LoadState=not-found
ActiveState=inactive
FragmentPath=
DropInPaths=
UnitFileState=
StateChangeTimestamp=
NeedDaemonReload=no
"""
STARTED = 1795811503.719705
DROP_INS = tuple(f"/etc/systemd/system/dbus.service.d/{name}.conf" for name in "ab")
SOURCES = ("/usr/lib/systemd/system/dbus.service", *DROP_INS)
RUNS = Unit(exists=True, active=True, enabled=True, started=100.0, ready=110.0)


@pytest.fixture
def systemctl(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Answers SHOWN; gives the commands that were run."""
    commands: list[list[str]] = []

    def run(command: list[str], **_more: t.Any) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(command, 0, SHOWN, "")

    monkeypatch.setattr(systemd, "run", run)
    return commands


def properties(**more: str) -> dict[str, str]:
    """The first unit of SHOWN, with some properties of its own."""
    return dict(line.split("=", 1) for line in SHOWN.partition("\n\n")[0].splitlines()) | more


def test_units_are_read_in_one_call(systemctl: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(units, "changed", {"/etc/dbus": STARTED + 1}.get)
    found = units.look([Wanted("dbus.service", ("/etc/dbus",)), Wanted("nothere.service", ("/etc/dbus",))])
    calm = {"stale": False, "stale_because": [], "reload": False, "reload_because": []}
    assert found == {
        "dbus.service": calm
        | {"exists": True, "active": True, "starting": False, "enabled": True, "started": STARTED}
        | {"stale": True, "stale_because": ["/etc/dbus"]},
        "nothere.service": calm
        | {"exists": False, "active": False, "starting": False, "enabled": False, "started": None},
    }
    assert len(systemctl) == 1
    assert systemctl[0][-3:] == ["--", "dbus.service", "nothere.service"]


def test_what_systemd_shows_is_understood() -> None:
    assert units.read_unit(properties()) == Unit(True, True, True, STARTED, STARTED + 0.032904, SOURCES)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"LoadState": "not-found"}, False),
        ({"LoadState": "masked", "UnitFileState": "masked"}, True),
        # Left in /etc/init.d by a package that was removed.
        ({"UnitFileState": "generated"}, False),
    ],
)
def test_what_counts_as_a_unit(more: dict[str, str], expected: bool) -> None:
    assert units.read_unit(properties(**more)).exists == expected


def test_a_forking_unit_began_when_it_left_inactivity() -> None:
    # Its process read its files before systemd knew it.
    unit = units.read_unit(properties(Type="forking", InactiveExitTimestamp="Fri 2026-11-27 20:31:40.000000 UTC"))
    assert unit.started == 1795811500.0


def test_a_unit_without_a_process_of_its_own_began_when_it_became_active() -> None:
    assert units.read_unit(properties(ExecMainStartTimestamp="")).started == STARTED + 0.032904


@pytest.mark.parametrize("state", ["inactive", "failed"])
def test_what_does_not_run_is_never_stale(state: str) -> None:
    unit = units.read_unit(properties(ActiveState=state, NeedDaemonReload="yes", ReloadResult="exit-code"))
    assert units.judge(unit, Wanted("a", ("/f",), ("/f",)), {"/f": STARTED + 9}.get) == Verdict()


def test_a_process_that_begins_again_and_again_is_stale_too() -> None:
    unit = units.read_unit(properties(ActiveState="activating"))
    assert not unit.active
    assert units.judge(unit, Wanted("a", ("/f",)), {"/f": STARTED + 9}.get).stale == ["/f"]


@pytest.mark.parametrize(("time", "expected"), [(99.0, []), (100.0, []), (100.1, ["/f"]), (None, [])])
def test_a_file_that_changed_after_the_start(time: float, expected: list[str]) -> None:
    assert units.judge(RUNS, Wanted("a", ("/f", "/f")), {"/f": time}.get) == Verdict(stale=expected)


def test_the_unit_and_its_drop_ins_are_files_of_it() -> None:
    unit = units.read_unit(properties(NeedDaemonReload="yes"))
    times = {DROP_INS[1]: STARTED + 1}
    assert units.judge(unit, Wanted("a"), times.get).stale == [DROP_INS[1], "NeedDaemonReload"]


def test_files_of_the_package_do_not_count_where_only_ours_do() -> None:
    unit = units.read_unit(properties())
    times = dict.fromkeys([*SOURCES, "/f"], STARTED + 1)
    assert units.judge(unit, Wanted("a", (DROP_INS[0],), unit_files=False), times.get).stale == [DROP_INS[0]]


@pytest.mark.parametrize(
    ("state", "sub", "expected"),
    [("activating", "start", True), ("activating", "auto-restart", False), ("active", "running", False)],
)
def test_a_process_that_is_not_ready_yet(state: str, sub: str, expected: bool) -> None:
    assert units.read_unit(properties(ActiveState=state, SubState=sub)).starting == expected


@pytest.mark.parametrize(("time", "expected"), [(105.0, []), (110.1, ["/f"])])
def test_a_file_for_a_reload_is_compared_with_the_last_one(time: float, expected: list[str]) -> None:
    assert units.judge(RUNS, Wanted("a", (), ("/f",)), {"/f": time}.get) == Verdict(reload=expected)


def test_a_reload_that_failed_is_due_again() -> None:
    unit = units.read_unit(properties(ReloadResult="exit-code"))
    assert units.judge(unit, Wanted("a"), {}.get).reload == ["ReloadResult"]


def test_a_directory_is_what_is_in_it(tmp_path: Path) -> None:
    inside = tmp_path / "d/f"
    inside.parent.mkdir()
    inside.write_text("a")
    os.utime(inside.parent)
    inside.write_text("b")
    assert units.changed(str(inside)) == inside.stat().st_ctime
    assert units.changed(str(inside.parent)) == max(path.stat().st_ctime for path in (inside, inside.parent))
    assert units.changed(str(tmp_path / "missing")) is None


def test_the_time_of_the_content_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("a")
    os.utime(path, (1, 1))
    assert (units.changed(str(path)) or 0) > 1000000000
