# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check that a change that users notice has a fragment in changelogs/fragments.

It is compared with CHANGED_SINCE (for example the branch that a change goes to), else with the last release's tag. Without
either, as before the first release or in a shallow clone, there must be fragments or a release.
"""

from __future__ import annotations

import os
import subprocess
import sys
import typing as t
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
NOTICED = ("plugins", "roles", "playbooks")
FRAGMENTS = "changelogs/fragments"


def git(*command: str) -> str | None:
    """Return the output of a git command, or None if it fails."""
    done = subprocess.run(["git", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def releases() -> list[str]:
    """Return the released versions, ascending."""
    found = yaml.safe_load((ROOT / "changelogs/changelog.yaml").read_text(encoding="utf-8"))["releases"] or {}
    return sorted(found, key=lambda version: [int(part) for part in version.split(".")])


def last_release() -> str | None:
    """Return the commit of the newest release, if its tag is in this clone."""
    for version in releases()[-1:]:
        for tag in (version, f"v{version}"):
            if commit := git("rev-parse", "--quiet", "--verify", f"refs/tags/{tag}^{{commit}}"):
                return commit
    return None


def changed(base: str, *paths: str, only: str = "ACDMRTUXB") -> list[str]:
    """Return the changed and the untracked files in directories."""
    tracked = git("diff", "--name-only", f"--diff-filter={only}", base, "--", *paths)
    untracked = git("ls-files", "--others", "--exclude-standard", "--", *paths)
    return f"{tracked or ''}\n{untracked or ''}".split()


def problem(environment: t.Mapping[str, str]) -> str:
    """Return what is wrong, or an empty string."""
    base = environment.get("CHANGED_SINCE") or last_release()
    if not base:
        return "" if releases() or list(ROOT.glob(f"{FRAGMENTS}/*.yml")) else f"no fragment in {FRAGMENTS}"
    since = git("merge-base", base, "HEAD")
    if since is None:
        print(f"the history to '{base}' is not in this clone: not compared")
        return ""
    files = changed(since, *NOTICED)
    if not files or changed(since, FRAGMENTS, only="d"):
        return ""
    return "\n".join((f"changed without a fragment in {FRAGMENTS}:", *files))


if __name__ == "__main__":
    if not (ROOT / ".git").exists():
        print("no clone, no range: nothing to compare")
    else:
        sys.exit(problem(os.environ) or 0)
