# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every file has a licence, in its own line or in REUSE.toml, and the text of that licence exists."""

from __future__ import annotations

import fnmatch
import re
import subprocess
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[3]
(ANNOTATION,) = tomllib.loads((ROOT / "REUSE.toml").read_text())["annotations"]
# Split, because `reuse lint` would read the following word as a licence.
HEADER = re.compile(r"^\W*SPDX-License-Identifier" + r": ([\w.-]+)(?: -->)?$", re.MULTILINE)
TEXTS = {path.stem for path in (ROOT / "LICENSES").iterdir()}


def tracked() -> list[str]:
    """Return the files that git tracks or would track; an export without git has only these and the files that tests write."""
    if (ROOT / ".git").exists():
        command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    else:
        names = [str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if "__pycache__" not in path.parts]
    left_out = ("LICENSE", "tests/output/", ".hypothesis/", ".pytest_cache/")
    return sorted(name for name in names if not name.startswith(left_out) and (ROOT / name).is_file())


def has_header(name: str) -> bool:
    head = (ROOT / name).read_bytes()[:1000].decode(errors="replace")
    return bool(HEADER.search(head))


def annotated(name: str, pattern: str) -> bool:
    """Match like REUSE: one star stays within a directory, two do not."""
    expression = re.escape(pattern).replace(r"\*\*", ".*").replace(r"\*", "[^/]*")
    return re.fullmatch(expression, name) is not None


def test_every_file_has_a_licence() -> None:
    files = tracked()
    assert len(files) > 200
    without = [
        name
        for name in files
        if not has_header(name) and not any(annotated(name, pattern) for pattern in ANNOTATION["path"])
    ]
    assert without == []


def test_code_has_its_own_licence_line() -> None:
    """REUSE.toml is for files that cannot have one, or that readers of the repository do not open."""
    code = [name for name in tracked() if fnmatch.fnmatch(name, "*.py") or fnmatch.fnmatch(name, "*.sh")]
    assert [name for name in code if not has_header(name)] == []


def test_the_texts_match_the_licences() -> None:
    used = {ANNOTATION["SPDX-License-Identifier"]}
    for name in tracked():
        used |= set(HEADER.findall((ROOT / name).read_bytes()[:1000].decode(errors="replace")))
    assert used == TEXTS
    assert (ROOT / "LICENSE").read_text() == (ROOT / "LICENSES/GPL-3.0-or-later.txt").read_text()
