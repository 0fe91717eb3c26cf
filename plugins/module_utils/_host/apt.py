# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What apt would do to install packages, from dpkg-query and apt's own simulation, and the files of installed packages."""

from __future__ import annotations

import fnmatch
import glob
import os
import re
import typing as t
from dataclasses import dataclass, field

# One line for each package that dpkg knows; an unknown name is an error of dpkg-query, which is ignored.
QUERY = ("dpkg-query", "--show", "--showformat", "${Package} ${db:Status-Status} ${Version}\n", "--")
SIMULATE = ("apt-get", "--simulate", "--no-install-recommends", "install", "--")
_THERE = ("installed", "triggers-awaited", "triggers-pending")
# dpkg's journal: changes that a killed dpkg has not written to its database. Apt refuses to work until that is done.
JOURNAL = "/var/lib/dpkg/updates"
# The directory with a list of files per package.
LISTS = "/var/lib/dpkg/info"


@dataclass(frozen=True)
class Plan:
    """The changes that apt would make; ``error`` if it would make none."""

    install: list[str]
    remove: list[str]
    downgrade: list[str]
    error: str
    upgrade: list[str] = field(default_factory=list)


def missing(wanted: t.Sequence[str], queried: str) -> list[str]:
    """Return the wanted packages (``name`` or ``name=version``) that dpkg-query does not print as installed."""
    known: dict[str, list[tuple[str, str]]] = {}
    for line in queried.splitlines():
        name, status, version = (*line.split(" "), "", "")[:3]
        known.setdefault(name, []).append((status, version))

    def is_there(item: str) -> bool:
        name, _equals, version = item.partition("=")
        there = [found for status, found in known.get(name, []) if status in _THERE]
        return any(fnmatch.fnmatchcase(found, version) for found in there) if version else bool(there)

    return [item for item in dict.fromkeys(wanted) if not is_there(item)]


def package(item: str) -> str:
    """Return the name without the version."""
    return item.partition("=")[0]


def files_of(items: t.Iterable[str]) -> dict[str, list[str]]:
    """Return the files of installed packages, as dpkg lists them, for all architectures.

    Packages are ``name`` or ``name=version``; the keys of the result are names only.
    """
    found: dict[str, list[str]] = {package(item): [] for item in items}
    for name, files in found.items():
        for path in glob.glob(f"{LISTS}/{name}.list") + glob.glob(f"{LISTS}/{name}:*.list"):
            with open(path, encoding="utf-8", errors="replace") as file:
                files += file.read().splitlines()
    return found


def read_simulation(output: str, errors: str, code: int) -> Plan:
    """Parse the output of ``apt-get --simulate install``, in the locale C."""

    def after(word: str) -> list[str]:
        return sorted(set(re.findall(rf"^{word} (\S+)", output, re.MULTILINE)))

    # "The following packages will be DOWNGRADED:" and the lines below it that are indented.
    block = re.search(r"^The following packages will be DOWNGRADED:\n((?:\s+.*\n?)+)", output, re.MULTILINE)
    downgrade = block.group(1).split() if block else []
    said = [line.removeprefix("E: ") for line in errors.splitlines() if line.startswith("E: ")]
    # Apt explains unmet dependencies in its output; its error only says that there are some.
    unmet = re.search(r"^The following packages have unmet dependencies:\n((?: .*\n?)+)", output, re.MULTILINE)
    why = " ".join([*(re.split(r"\s*\n\s*", unmet.group(1).strip()) if unmet else []), *said])
    error = "" if code == 0 else why or f"apt-get ended with {code}"
    # For an installed package the old version follows the name: "Inst NAME [OLD] (NEW ...)".
    newer = sorted(set(re.findall(r"^Inst (\S+) \[", output, re.MULTILINE)) - set(downgrade))
    return Plan(after("Inst"), after("Remv"), sorted(downgrade), error, newer)


def disturbed(files: t.Mapping[str, t.Collection[str]], running: t.Collection[str]) -> list[str]:
    """Return the packages, of those with their files, that have a running service: an upgrade would restart it."""
    # The file of a template unit has no instance name.
    there = {re.sub(r"@.*\.service$", "@.service", unit) for unit in running} | set(running)

    def has_one(paths: t.Collection[str]) -> bool:
        found = [os.path.split(path) for path in paths]
        units = {name for directory, name in found if directory.endswith("/systemd/system")}
        scripts = {f"{name}.service" for directory, name in found if directory == "/etc/init.d"}
        return bool((units | scripts) & there)

    return [name for name, paths in files.items() if has_one(paths)]


def refusal(names: t.Sequence[str], plan: Plan, restarted: t.Sequence[str] = ()) -> str:
    """Return in one line why nothing is installed; empty if apt would only add packages.

    ``restarted`` are packages that would be upgraded and whose services run. Requested packages may be upgraded.
    """
    wanted = ", ".join(names)
    if plan.error and not (plan.remove or plan.downgrade):
        return f"apt cannot install {wanted}: {plan.error}"
    harm = [
        f"{verb} {', '.join(packages)}"
        for verb, packages in (("remove", plan.remove), ("downgrade", plan.downgrade))
        if packages
    ]
    theirs = [name for name in restarted if name not in map(package, names)]
    if not harm and theirs:
        return (
            f"installing {wanted} would make apt upgrade {', '.join(theirs)}, whose services are running; nothing was changed; "
            f"at a convenient time, run apt-get install --only-upgrade {' '.join(theirs)} first"
        )
    if not harm:
        return ""
    return (
        f"installing {wanted} would make apt {' and '.join(harm)}, which other software of the host may need; nothing was "
        f"installed; see 'apt-get --simulate install {' '.join(names)}', and change these packages yourself if nothing needs them"
    )


def to_hold(units: t.Mapping[str, bool], held: t.Collection[str]) -> list[str]:
    """Return the distribution's units that must not start: those that do not exist yet, or that an earlier run holds."""
    return [unit for unit, exists in units.items() if not exists or unit in held]
