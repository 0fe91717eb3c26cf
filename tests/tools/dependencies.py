# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Install the other collections in build/collections, from the PyPI package `ansible`: it has the same files as Galaxy."""

from __future__ import annotations

import shutil
import tempfile
import typing as t
import zipfile
from pathlib import Path

from project import BUILD, COLLECTIONS, ROOT, VENV, run

ANSIBLE = "ansible==12.3.0"
NAMES = (
    "ansible.posix",
    "community.crypto",
    "community.docker",
    "community.general",
    "community.library_inventory_filtering_v1",
    "community.postgresql",
)


def files_of(names: t.Iterable[str], files: t.Iterable[str]) -> list[str]:
    """Return the files of a wheel that belong to collections."""
    directories = tuple(f"ansible_collections/{name.replace('.', '/')}/" for name in names)
    return [file for file in files if file.startswith(directories)]


def install(target: Path) -> None:
    """Replace the collections in a directory."""
    shutil.rmtree(target, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=BUILD) as directory:
        run(VENV / "bin/pip", "download", "-q", "--no-deps", "--dest", directory, ANSIBLE)
        with zipfile.ZipFile(next(Path(directory).glob("ansible-*.whl"))) as wheel:
            wheel.extractall(target, files_of(NAMES, wheel.namelist()))


def main() -> None:
    """Install them, and this collection as a link."""
    install(COLLECTIONS)
    link = COLLECTIONS / "ansible_collections/selfhost/langgraph"
    link.parent.mkdir(parents=True)
    link.symlink_to(ROOT)


if __name__ == "__main__":
    main()
