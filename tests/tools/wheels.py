# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Download wheels for another Python than the one that runs here.

usage: wheels.py PYTHON DIRECTORY [ARGUMENT...]   (PYTHON: 3.13; arguments of `pip download`)
"""

from __future__ import annotations

import platform
import sys
import typing as t

from project import VENV, run

# pip downloads only for the given platforms, not for older ones that are compatible.
GLIBC = (5, 12, 17, 24, 26, 27, 28, 31, 34, 35, 36)


def target(python: str, machine: str) -> list[str]:
    """Return pip's options for a CPython on Debian."""
    options = ["--only-binary=:all:", "--python-version", python, "--implementation", "cp"]
    for abi in (f"cp{python.replace('.', '')}", "abi3", "none"):
        options += ["--abi", abi]
    for minor in GLIBC:
        options += ["--platform", f"manylinux_2_{minor}_{machine}"]
    return options


def download(python: str, directory: str, arguments: t.Sequence[str]) -> None:
    """Download wheels to a directory; wheels that it already contains are used."""
    places = ["--find-links", directory, "--dest", directory]
    run(VENV / "bin/pip", "download", "-q", *target(python, platform.machine()), *places, *arguments)


if __name__ == "__main__":
    download(sys.argv[1], sys.argv[2], sys.argv[3:])
