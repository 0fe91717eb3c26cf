# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run ansible-test with the oldest and the newest ansible-core, without the download of pip that it would try.

antsibull-nox has sessions for ansible-test too, but they always use its container image, which only a registry has.

The oldest ansible-core is that of build/venv. The newest needs Python 3.13: of this machine, or of the Debian 13 test image.
ansible-test needs a copy of the sources: it refuses a link.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import typing as t
import zipfile
from dataclasses import dataclass
from pathlib import Path

import wheels
from project import (
    BUILD,
    CONSTRAINTS,
    LABEL,
    PREFIX,
    RESULTS,
    ROOT,
    VENV,
    export,
    fingerprint,
    is_fresh,
    logged,
    pins,
    run,
)

NEWEST = BUILD / "newest"
WHEELS = NEWEST / "wheels"
PIP = {"oldest": "24.2", "newest": "25.2"}  # the versions that each ansible-test installs
# ansible-test downloads this script from the internet; the wheel from the package index is equivalent.
STAND_IN = """\
import pathlib, sys
WHEEL = pathlib.Path(__file__).with_name("pip-{version}-py3-none-any.whl")
if __name__ == "__main__":
    sys.path.insert(0, str(WHEEL))
    from pip._internal.cli.main import main
    sys.exit(main(["install", "--no-index", "--disable-pip-version-check", str(WHEEL)]))
"""


@dataclass(frozen=True)
class Core:
    """An ansible-core: how its commands are run."""

    name: str
    python: str  # its version
    home: Path
    path: str
    image: str = ""  # of the container, if this machine has no such Python

    def command(self, directory: Path, *words: str | Path) -> list[str]:
        """Return the command that runs a command with this core; on this machine it must be started in the directory."""
        environment = ["env", f"HOME={self.home}", f"PATH={self.path}"]
        inside = [*environment, *map(str, words)]
        if not self.image:
            return inside
        options = ["--rm", "--name", f"{PREFIX}-newest", "--label", LABEL, "--network", "none"]
        options += ["--sysctl", "net.ipv6.conf.all.disable_ipv6=0", "--user", f"{os.getuid()}:{os.getgid()}"]
        options += ["--volume", f"{BUILD}:{BUILD}", "--workdir", str(directory)]
        return ["docker", "run", *options, self.image, *inside]


def stand_in(home: Path, version: str) -> None:
    """Provide pip in the cache of ansible-test."""
    cache = home / ".ansible/test/cache"
    script = cache / f"get_pip_{version.replace('.', '_')}.py"
    if not script.exists():
        cache.mkdir(parents=True, exist_ok=True)
        run(VENV / "bin/pip", "download", "-q", "--no-deps", "--dest", cache, f"pip=={version}")
        script.write_text(STAND_IN.format(version=version))


def oldest() -> Core:
    """Prepare the ansible-core of build/venv, with a home directory in build/ in which pip finds the user's settings."""
    home = BUILD / "home"
    home.mkdir(parents=True, exist_ok=True)
    for name in (".config", ".pip", ".netrc"):
        if (Path.home() / name).exists() and not (home / name).exists():
            (home / name).symlink_to(Path.home() / name)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    stand_in(home, PIP["oldest" if version == "3.11" else "newest"])
    return Core("oldest", version, home, os.environ["PATH"])


def newest() -> Core:
    """Prepare the newest ansible-core."""
    found = (
        subprocess.run(
            ["python3.13", "-c", "import sys; print(sys.executable)"], capture_output=True, text=True, check=False
        )
        if shutil.which("python3.13")
        else None
    )
    # Run it instead of searching for it: version managers have commands for Pythons that are not installed.
    python = found.stdout.strip() if found and found.returncode == 0 else ""
    image = "" if python else f"{PREFIX}/rootfs:trixie"
    if image:
        run(ROOT / "tests/tools/bootstrap.sh", "engine")
        run(ROOT / "tests/tools/images.sh", "rootfs:trixie")
        # Of a run that was killed.
        subprocess.run(["docker", "rm", "--force", f"{PREFIX}-newest"], capture_output=True, check=False)
    core = Core("newest", "3.13", NEWEST / "home", f"{NEWEST}/venv/bin:/usr/local/bin:/usr/bin:/bin", image)
    pin = pins("ansible-core")[-1].partition(";")[0]
    inputs = (ROOT / CONSTRAINTS, ROOT / "tests/unit/requirements.txt", Path(__file__))
    stamp, value = NEWEST / "stamp", fingerprint(pin, python, *inputs)
    if not is_fresh(stamp, value):
        fetch(pin)
        install(core, python or "/usr/bin/python3.13", pin)
        stamp.write_text(value)
    return core


def fetch(core: str) -> None:
    """Download everything for the newest one with this machine's pip, so that it needs no network."""
    shutil.rmtree(NEWEST, ignore_errors=True)
    WHEELS.mkdir(parents=True)
    settings = NEWEST / "home/.config/pip/pip.conf"
    settings.parent.mkdir(parents=True)
    settings.write_text(f"[global]\nno-index = true\nfind-links = {WHEELS}\n")
    wheels.download("3.13", str(WHEELS), [f"pip=={PIP['newest']}", core, "-c", CONSTRAINTS])
    with zipfile.ZipFile(next(WHEELS.glob("ansible_core-*.whl"))) as wheel:
        wheel.extractall(NEWEST / "core", [name for name in wheel.namelist() if is_requirements(name)])
    # The pins of its sanity tests conflict with each other: one call per test.
    for file in [*sorted(NEWEST.glob("core/**/*.txt")), Path("tests/unit/requirements.txt")]:
        wheels.download("3.13", str(WHEELS), ["-r", str(file)])
    stand_in(NEWEST / "home", PIP["newest"])


def is_requirements(name: str) -> bool:
    """Return whether a file of ansible-core's wheel has the requirements of a test that is run here."""
    directory = "ansible_test/_data/requirements/"
    return re.fullmatch(rf"{directory}(ansible|ansible-test|units|sanity\.[\w.-]+)\.txt", name) is not None


def install(core: Core, python: str, pin: str) -> None:
    """Create the virtual environment of the newest one."""
    pip = WHEELS / f"pip-{PIP['newest']}-py3-none-any.whl/pip"
    run(*core.command(NEWEST, python, "-m", "venv", "--without-pip", NEWEST / "venv"), cwd=NEWEST)
    run(*core.command(NEWEST, NEWEST / "venv/bin/python", pip, "install", "-q", pin), cwd=NEWEST)


def ansible_test(name: str, what: str, options: t.Sequence[str] = ()) -> str:
    """Run the tests with one ansible-core; return what failed, or an empty string."""
    core = {"oldest": oldest, "newest": newest}[name]()
    tree = export(f"ansible-test-{name}")
    if not core.image:
        # ansible-test lists the files with git if it is installed; the image has no git, and the copy has no other files.
        run("git", "init", "-q", ".", cwd=tree)
        run("git", "add", "-A", cwd=tree)
    words = ("ansible-test", what, "--venv", "--python", core.python, "--color", "no", *options)
    log = BUILD / f"log/{what}-{name}.log"
    code = logged(core.command(tree, *words), log, cwd=tree)
    RESULTS.mkdir(parents=True, exist_ok=True)
    for report in tree.glob("tests/output/junit/*.xml"):
        shutil.copy(report, RESULTS / f"units-{name}-{report.name}")
    # pip's output hides the errors: they are repeated at the end.
    errors = [line for line in log.read_text(encoding="utf-8").splitlines() if line.startswith("ERROR: ")]
    return "\n".join([*errors, f"exit {code}"]) if code else ""
