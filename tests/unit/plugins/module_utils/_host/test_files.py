# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hash of a file, with which an up-to-date file need not be copied."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from types import SimpleNamespace

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._host.files import fingerprint

CONTENT = b"[Unit]\n"


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Return the path of a file."""
    file = tmp_path / "unit"
    file.write_bytes(CONTENT)
    return str(file)


def as_owned(monkeypatch: pytest.MonkeyPatch, mode: int, uid: int = 0, gid: int = 0) -> None:
    """Let every file look like this: tests need not run as root."""
    monkeypatch.setattr(os, "lstat", lambda _path: SimpleNamespace(st_mode=mode, st_uid=uid, st_gid=gid))


def test_a_file_of_root(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    as_owned(monkeypatch, stat.S_IFREG | 0o644)
    assert fingerprint(path) == hashlib.sha256(CONTENT).hexdigest()


@pytest.mark.parametrize(
    ("mode", "uid", "gid"),
    [
        (stat.S_IFREG | 0o666, 0, 0),
        (stat.S_IFREG | 0o600, 0, 0),
        (stat.S_IFREG | 0o644, 1000, 0),
        (stat.S_IFREG | 0o644, 0, 1000),
        (stat.S_IFLNK | 0o777, 0, 0),
        (stat.S_IFDIR | 0o755, 0, 0),
    ],
)
def test_any_other_file_is_written_again(
    path: str, mode: int, uid: int, gid: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_owned(monkeypatch, mode, uid, gid)
    assert fingerprint(path) is None


def test_a_file_that_does_not_exist(path: str) -> None:
    assert fingerprint(f"{path}.missing") is None
