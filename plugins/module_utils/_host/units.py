# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Whether the process of a unit runs with its current files.

A written file does not prove that the process has read it: a play may have been killed in between. So the time at which a
file last changed is compared with the time at which the process started.
"""

from __future__ import annotations

import datetime
import os
import typing as t
from dataclasses import dataclass, field

from ansible_collections.selfhost.langgraph.plugins.module_utils._host import systemd

PROPERTIES = (
    "Id,LoadState,ActiveState,SubState,UnitFileState,Type,FragmentPath,DropInPaths,NeedDaemonReload,ReloadResult,"
    "ExecMainStartTimestamp,InactiveExitTimestamp,ActiveEnterTimestamp,StateChangeTimestamp"
)


@dataclass(frozen=True)
class Unit:
    """systemd's state of a unit."""

    exists: bool
    active: bool
    enabled: bool
    # When its process started, in seconds since the epoch; None if it has none.
    started: float | None
    # When it last became ready, by a start or a reload.
    ready: float | None
    sources: tuple[str, ...] = ()
    unread: bool = False
    reload_failed: bool = False
    # Its process runs and is not ready yet.
    starting: bool = False


@dataclass(frozen=True)
class Wanted:
    """A unit to read, with the files that its process reads once and those that a reload reads again.

    - ``unit_files``: whether its own file and its drop-ins count, which a package upgrade may have rewritten.
    """

    name: str
    files: tuple[str, ...] = ()
    reload_files: tuple[str, ...] = ()
    unit_files: bool = True


@dataclass(frozen=True)
class Verdict:
    """The files that a process has not read yet."""

    stale: list[str] = field(default_factory=list)
    reload: list[str] = field(default_factory=list)


def seconds(text: str) -> float | None:
    """Convert a time of ``systemctl show --timestamp=us+utc`` to seconds since the epoch; None if it is empty."""
    if not text:
        return None
    # Without the name of the day, which strptime would parse in the locale of the host.
    _day, date, time, _zone = text.split(" ")
    return datetime.datetime.fromisoformat(f"{date}T{time}+00:00").timestamp()


def read_unit(shown: t.Mapping[str, str]) -> Unit:
    """Parse the properties of one unit."""
    state = shown.get("ActiveState", "inactive")
    # systemd knows the process of a forking unit only once it is ready, and that one has read its files before.
    first = "InactiveExitTimestamp" if shown.get("Type") == "forking" else "ExecMainStartTimestamp"
    times = [seconds(shown.get(name, "")) for name in (first, "ActiveEnterTimestamp", "StateChangeTimestamp")]
    runs = state not in ("inactive", "failed")
    # A stub for a script in /etc/init.d does not count as a unit: it outlives its package.
    exists = shown.get("LoadState", "not-found") != "not-found" and shown.get("UnitFileState") != "generated"
    return Unit(
        exists=exists,
        active=state in ("active", "reloading"),
        enabled=shown.get("UnitFileState") in ("enabled", "enabled-runtime"),
        started=(times[0] or times[1]) if runs else None,
        ready=times[2] if runs else None,
        sources=tuple(path for path in (shown.get("FragmentPath", ""), *shown.get("DropInPaths", "").split()) if path),
        unread=shown.get("NeedDaemonReload") == "yes",
        reload_failed=shown.get("ReloadResult", "success") not in ("", "success"),
        # False while it waits for another attempt ("auto-restart").
        starting=state == "activating" and shown.get("SubState", "").startswith("start"),
    )


def judge(unit: Unit, wanted: Wanted, changed: t.Callable[[str], float | None]) -> Verdict:
    """Return the files that changed after the process started, and those that changed after it last became ready."""
    if unit.started is None:
        return Verdict()
    begin, ready = unit.started, unit.ready or unit.started

    def newer(paths: t.Iterable[str], than: float) -> list[str]:
        return [path for path in dict.fromkeys(paths) if (changed(path) or 0) > than]

    stale = newer((*wanted.files, *(unit.sources if wanted.unit_files else ())), begin)
    if unit.unread:
        stale.append("NeedDaemonReload")
    reload = newer(wanted.reload_files, max(begin, ready))
    if unit.reload_failed:
        reload.append("ReloadResult")
    return Verdict(stale=stale, reload=reload)


def changed(path: str) -> float | None:
    """Return when a file, or a directory or its direct entries, last changed in any way; None if it is missing.

    It is the time of the inode, not that of the content: a file that was moved to its path has old content.
    """
    try:
        latest = os.stat(path).st_ctime
        for entry in os.scandir(path) if os.path.isdir(path) else ():
            latest = max(latest, entry.stat(follow_symlinks=False).st_ctime)
        return latest
    except OSError:
        return None


def look(wanted: t.Sequence[Wanted]) -> dict[str, dict[str, t.Any]]:
    """Return the state of each unit, and the files that its process has not read."""
    shown = systemd.show([unit.name for unit in wanted], PROPERTIES)
    found = {}
    for item in wanted:
        unit = read_unit(shown.get(item.name, {}))
        verdict = judge(unit, item, changed)
        found[item.name] = {
            "exists": unit.exists,
            "active": unit.active,
            "starting": unit.starting,
            "enabled": unit.enabled,
            "started": unit.started,
            "stale": bool(verdict.stale),
            "stale_because": verdict.stale,
            "reload": bool(verdict.reload),
            "reload_because": verdict.reload,
        }
    return found
