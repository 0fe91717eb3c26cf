# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""container_service_info: the hash that spares the shipping of files which are up to date."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from types import SimpleNamespace

import pytest

from ansible_collections.selfhost.langgraph.plugins.modules.container_service_info import fingerprint

CONTENT = b"[Unit]\n"


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A file."""
    file = tmp_path / "unit"
    file.write_bytes(CONTENT)
    return str(file)


def as_owned(monkeypatch: pytest.MonkeyPatch, mode: int, uid: int = 0, gid: int = 0) -> None:
    """Let every file look like this, for tests need not run as root."""
    monkeypatch.setattr(os, "lstat", lambda _path: SimpleNamespace(st_mode=mode, st_uid=uid, st_gid=gid))


def test_a_file_as_it_should_be(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
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
def test_anything_else_is_written_anew(
    path: str, mode: int, uid: int, gid: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_owned(monkeypatch, mode, uid, gid)
    assert fingerprint(path) is None


def test_a_file_that_is_not_there(path: str) -> None:
    assert fingerprint(f"{path}.missing") is None
