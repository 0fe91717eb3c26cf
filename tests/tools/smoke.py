# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Install the tarball like a user: offline, next to ansible-core and its dependencies only; check what needs no host."""

from __future__ import annotations

import json
import shutil
import typing as t
from pathlib import Path

import yaml
from project import BUILD, COLLECTIONS, ROOT

if t.TYPE_CHECKING:
    import nox

SMOKE = BUILD / "smoke"
NAME = "selfhost.langgraph"
# A common first error of users: an invalid list, refused by name; through the role too, which needs all of its files.
PLAY = [
    {
        "hosts": "localhost",
        "gather_facts": False,
        "tasks": [{"ansible.builtin.import_role": {"name": f"{NAME}.langgraph", "tasks_from": "check.yml"}}],
    }
]
VARIABLES = {
    "langgraph_secret_key": "0123456789abcdef0123456789abcdef",
    "ansible_connection": "local",
    "langgraph_deployments": [{"name": "Support Bot", "image": "bot:1", "port": 70000}],
}
REFUSALS = [f"deployment 'Support Bot', option '{option}':" for option in ("name", "port")]


def dependencies(wanted: t.Iterable[str], of: t.Callable[[str], t.Iterable[str]]) -> list[str]:
    """Return direct and indirect dependencies; the rest of build/collections is for tests."""
    found: set[str] = set()
    left = list(wanted)
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += of(name)
    return sorted(found)


def required_by(name: str) -> list[str]:
    """Return the direct dependencies of an installed collection."""
    manifest = COLLECTIONS / "ansible_collections" / name.replace(".", "/") / "MANIFEST.json"
    return list(json.loads(manifest.read_text(encoding="utf-8"))["collection_info"]["dependencies"])


def names(directory: Path, suffix: str = "") -> list[str]:
    """Return the public names of the files or directories in a directory of the collection."""
    return sorted(f"{NAME}.{path.name.removesuffix(suffix)}" for path in directory.glob(f"[a-z]*{suffix}"))


class Smoke:
    """An environment without access to the repository, its settings or its tools."""

    def __init__(self, session: nox.Session) -> None:
        self._session = session

    def run(self, *command: str, **options: t.Any) -> t.Any:
        """Run a command as a user without any settings."""
        settings = {
            "PATH": f"{self._session.bin}:/usr/bin:/bin",
            "HOME": str(SMOKE / "home"),
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_HOME": str(SMOKE / "home"),
            "ANSIBLE_COLLECTIONS_PATH": str(SMOKE / "collections"),
            "ANSIBLE_LOCALHOST_WARNING": "false",
        }
        with self._session.chdir(SMOKE / "empty"):
            return self._session.run(*command, env=settings, include_outer_env=False, **options)

    def install(self, tarball: Path) -> None:
        """Install the dependencies and the tarball."""
        shutil.rmtree(SMOKE, ignore_errors=True)
        for name in ("home", "empty"):
            (SMOKE / name).mkdir(parents=True)
        direct = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))["dependencies"]
        for name in dependencies(direct, required_by):
            place = Path("ansible_collections", *name.split("."))
            shutil.copytree(COLLECTIONS / place, SMOKE / "collections" / place)
        self.run("ansible-galaxy", "collection", "install", "--offline", "-p", str(SMOKE / "collections"), str(tarball))
        self.run("ansible-galaxy", "collection", "verify", "--offline", NAME)

    def documentation(self, kind: str, wanted: t.Sequence[str]) -> None:
        """Read the documentation of all files of one kind, as JSON and as text."""
        found = json.loads(self.run("ansible-doc", "--type", kind, "--json", *wanted, silent=True, stderr=None))
        if sorted(found) != sorted(wanted):
            self._session.error(f"documented are only {sorted(found)}")
        self.run("ansible-doc", "--type", kind, *wanted, silent=True)

    def playbooks(self, wanted: t.Sequence[str]) -> None:
        """Check the syntax of all playbooks."""
        for name in wanted:
            self.run("ansible-playbook", "--inventory", "localhost,", "--syntax-check", name)

    def refusal(self) -> None:
        """Run the check of an invalid list."""
        (SMOKE / "empty/check.yml").write_text(yaml.safe_dump(PLAY), encoding="utf-8")
        command = ["ansible-playbook", "check.yml", "--extra-vars", json.dumps(VARIABLES)]
        output = self.run(*command, silent=True, success_codes=[2])
        if missing := [text for text in REFUSALS if text not in output]:
            self._session.error(f"not in the output: {missing}\n{output}")


def smoke(session: nox.Session, tarball: Path, tree: Path) -> None:
    """Run all checks."""
    user = Smoke(session)
    user.install(tarball)
    user.documentation("module", names(tree / "plugins/modules", ".py"))
    user.documentation("filter", names(tree / "plugins/filter", ".py"))
    user.documentation("role", names(tree / "roles"))
    user.playbooks(names(tree / "playbooks", ".yml"))
    user.refusal()
