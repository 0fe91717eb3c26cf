# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""systemd, with one call for many units."""

from __future__ import annotations

import os
import subprocess
import typing as t
from dataclasses import dataclass

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.command import run


class SystemdError(RuntimeError):
    """systemctl failed; the message is its own."""


@dataclass(frozen=True)
class UnitState:
    """ActiveState, UnitFileState, Result and the exit code of the main process, as systemd reports them."""

    active: str
    enabled: bool
    result: str
    exit_code: int


_PROPERTIES = "Id,ActiveState,UnitFileState,Result,ExecMainStatus"
# Where systemd records that units with WantedBy=multi-user.target start at boot.
WANTS = "/etc/systemd/system/multi-user.target.wants"


def _systemctl(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = run(["systemctl", *arguments])
    if check and done.returncode != 0:
        raise SystemdError(done.stderr.strip() or f"systemctl {arguments[0]} ended with {done.returncode}")
    return done


def show(units: t.Sequence[str], properties: str) -> dict[str, dict[str, str]]:
    """Read ``properties``, separated by commas, of all ``units`` in one call. Times are in UTC, with microseconds."""
    if not units:
        return {}
    return dict(zip(units, _shown(units, properties), strict=False))


def _shown(units_or_patterns: t.Iterable[str], properties: str) -> list[dict[str, str]]:
    output = _systemctl("show", "--timestamp=us+utc", "--property", properties, "--", *units_or_patterns).stdout
    blocks = [block.strip().splitlines() for block in output.split("\n\n") if block.strip()]
    return [dict(line.partition("=")[::2] for line in block) for block in blocks]


def unit_states(units: t.Sequence[str]) -> dict[str, UnitState]:
    """Read the state of all ``units`` in one call. A unit that was never loaded is inactive."""
    return {unit: _state(fields) for unit, fields in show(units, _PROPERTIES).items()}


def instance_states(units: t.Sequence[str]) -> dict[str, UnitState]:
    """Read the state of all ``units``, instances of the collection's templates, in one call.

    It asks for the instances that are loaded, by pattern: systemctl loads a unit that it is asked for by name, which takes
    6 ms for each (seen: systemd 252), and neither kept revisions nor their drains are loaded.
    """
    patterns = sorted({f"{unit.partition('@')[0]}@*.service" for unit in units})
    loaded = {fields.get("Id", ""): _state(fields) for fields in (_shown(patterns, _PROPERTIES) if patterns else ())}
    return {unit: loaded.get(unit) or _not_loaded(unit) for unit in units}


def _state(fields: t.Mapping[str, str]) -> UnitState:
    return UnitState(
        active=fields.get("ActiveState", "inactive"),
        enabled=fields.get("UnitFileState", "") == "enabled",
        result=fields.get("Result", ""),
        exit_code=int(fields.get("ExecMainStatus") or 0),
    )


def _not_loaded(unit: str) -> UnitState:
    return UnitState("inactive", enabled=starts_at_boot(unit), result="success", exit_code=0)


def starts_at_boot(unit: str) -> bool:
    """Return whether a unit with WantedBy=multi-user.target is enabled, without making systemd load it."""
    return os.path.islink(os.path.join(WANTS, unit))


def running_services() -> list[str]:
    """Return the running services, including instances of templates."""
    output = _systemctl("list-units", "--type=service", "--state=running", "--plain", "--no-legend", "--full").stdout
    return [line.split()[0] for line in output.splitlines() if line.strip()]


def enable(units: t.Sequence[str]) -> None:
    """Enable ``units``: they start at boot."""
    if units:
        _systemctl("enable", "--quiet", "--", *units)


def disable(units: t.Sequence[str]) -> None:
    """Disable ``units``: they no longer start at boot."""
    if units:
        _systemctl("disable", "--quiet", "--", *units)


def reset_failed(units: t.Sequence[str]) -> None:
    """Reset the failed state of ``units``."""
    if units:
        _systemctl("reset-failed", "--", *units, check=False)


def disable_now(units: t.Sequence[str]) -> None:
    """Stop ``units``, wait until they have stopped, and disable them."""
    if units:
        _systemctl("disable", "--now", "--quiet", "--", *units)
        _systemctl("reset-failed", "--", *units, check=False)


def stop(units: t.Sequence[str], *, block: bool = True) -> None:
    """Stop ``units`` and wait until they have stopped, unless ``block`` is False (asynchronous)."""
    if units:
        _systemctl("stop", *(() if block else ("--no-block",)), "--", *units)


def start(units: t.Sequence[str]) -> None:
    """Start ``units`` in parallel, and return when each has started or failed.

    Read failures from unit_states() afterwards, because systemctl reports one exit code for all.
    """
    if units:
        _systemctl("reset-failed", "--", *units, check=False)
        _systemctl("start", "--", *units, check=False)


def journal(unit: str, lines: int, since: float | None = None) -> list[str]:
    """Return the last ``lines`` lines that the unit logged, without time stamps; ``since`` is in seconds since the epoch."""
    command = ["journalctl", "--unit", unit, "--lines", str(lines), "--output", "cat", "--no-pager", "--quiet"]
    if since is not None:
        command.append(f"--since=@{since:.0f}")
    done = run(command)
    return done.stdout.splitlines()
