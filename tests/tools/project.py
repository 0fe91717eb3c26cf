# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What noxfile.py and the tools in this directory share: paths, settings, exports of the sources, commands with a log."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import shutil
import subprocess
import time
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
VENV = BUILD / "venv"
RESULTS = BUILD / "results"
COLLECTIONS = BUILD / "collections"
CONSTRAINTS = "requirements/constraints.txt"
PREFIX = "selfhost-langgraph"  # of all containers, volumes, networks and images of the project
LABEL = "selfhost.langgraph=1"  # every container, volume and network has it
# Like lib.sh. Nothing is written to the user's home.
SETTINGS = {
    "PATH": f"{VENV}/bin{os.pathsep}{os.environ.get('PATH', '')}",
    "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
    "ANSIBLE_HOME": str(BUILD / "ansible"),
    "DOCKER_BUILDKIT": "0",  # Debian 12's engine is complete without buildx
    "MOLECULE_PROJECT_DIRECTORY": str(ROOT),  # where Molecule's playbooks, and the demo's inventory, find files
    "MOLECULE_GLOB": "molecule/*/molecule.yml",
    "LANGGRAPH_CLI_NO_ANALYTICS": "1",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
}


def say(text: str) -> None:
    """Print one line of progress, with the seconds since `make` was started."""
    start = int(os.environ.get("SELFHOST_T0") or time.time())
    print(f"[{time.time() - start:4.0f}s] {text}", flush=True)


def run(*command: str | Path, cwd: Path = ROOT, **settings: str) -> None:
    """Run a command; raise CalledProcessError if it fails."""
    subprocess.run(command, cwd=cwd, env={**os.environ, **settings}, check=True)


def logged(command: t.Sequence[str | Path], log: Path, cwd: Path = ROOT, **settings: str) -> int:
    """Run a command with its output on the terminal and in a log file; return its exit code."""
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, **settings}
    with (
        log.open("w", encoding="utf-8") as file,
        subprocess.Popen(
            command,
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            text = line.decode(errors="replace")
            print(text, end="", flush=True)
            file.write(text)
    return process.returncode


@functools.cache
def export(name: str) -> Path:
    """Copy the files that git knows into the directory layout that Ansible's tools require; return the collection's directory.

    Each caller has its own copy in build/trees, which is locked until this process ends.
    """
    from antsibull_fileutils.copier import GitCopier

    place = BUILD / "trees" / name
    place.mkdir(parents=True, exist_ok=True)
    lock = (place.parent / f"{name}.lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    _LOCKS.append(lock)
    shutil.rmtree(place)
    tree = place / "ansible_collections/selfhost/langgraph"
    tree.parent.mkdir(parents=True)
    GitCopier().copy(ROOT, tree)
    return tree


_LOCKS: list[t.IO[str]] = []


def fingerprint(*inputs: str | Path) -> str:
    """Return one hash of words and of the contents of files."""
    sums = (hashlib.sha256(item.read_bytes() if isinstance(item, Path) else item.encode()).digest() for item in inputs)
    return hashlib.sha256(b"".join(sums)).hexdigest()


def is_fresh(stamp: Path, value: str) -> bool:
    """Return whether a result was made from the inputs with this fingerprint."""
    return stamp.is_file() and stamp.read_text() == value


def pins(name: str) -> list[str]:
    """Return the pins of a package in requirements/tools.txt, with their markers; the oldest version first."""
    lines = (ROOT / "requirements/tools.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.startswith(f"{name}==")]
