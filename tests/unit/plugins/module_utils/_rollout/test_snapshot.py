# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Snapshots of a database, with a program in pg_dump's place."""

from __future__ import annotations

import multiprocessing
import os
import stat
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._host import disk
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout import snapshot
from ansible_collections.selfhost.langgraph.plugins.module_utils._server import schema as _schema

URI = "postgres://support_bot:p%40ss%3Aw%5Crd@172.29.0.1:5432/support_bot?sslmode=prefer"


@pytest.fixture
def pg_dump(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Callable[[str], Path]:
    """Put a shell script in the place of pg_dump, and note what it is called with; gives the note."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("PGPASSFILE", "/nowhere")

    def install(then: str) -> Path:
        note = tmp_path / "note"
        script = f'#!/bin/sh\necho "$*" >{note}\nprintenv PGPASSWORD >>{note}\n'
        script += "for word; do case $word in --file=*) file=${word#--file=};; esac; done\n"
        (folder / "pg_dump").write_text(script + then)
        (folder / "pg_dump").chmod(0o755)
        return note

    return install


def test_a_snapshot(pg_dump: t.Callable[[str], Path], tmp_path: Path) -> None:
    path = tmp_path / "dumps/bot/before-revision-2.dump"
    note = pg_dump('echo dump >"$file"\n')
    snapshot.take_snapshot(URI, str(path))
    assert path.read_text() == "dump\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    command, password = note.read_text().splitlines()
    assert command.startswith("--no-password --format=custom --lock-wait-timeout=60000 ")
    assert "host=172.29.0.1" in command
    assert not [text for text in ("password=", "p@ss", "p%40ss") if text in command]
    assert password == "p@ss:w\\rd"
    assert list(path.parent.iterdir()) == [path]


def test_nothing_secret_is_there_while_a_dump_runs(pg_dump: t.Callable[[str], Path], tmp_path: Path) -> None:
    """So nothing is left where the module is killed then."""
    note = pg_dump(f"grep -rl -e p@ss {tmp_path}/dumps >{tmp_path}/found; ls {tmp_path}/dumps/bot >>{tmp_path}/found\n")
    snapshot.take_snapshot(URI, str(tmp_path / "dumps/bot/before-revision-2.dump"))
    assert note.exists()
    assert (tmp_path / "found").read_text() == "before-revision-2.dump.new\n"


def test_what_a_killed_dump_left_goes(pg_dump: t.Callable[[str], Path], tmp_path: Path) -> None:
    folder = tmp_path / "dumps/bot"
    folder.mkdir(parents=True)
    pg_dump("")
    for name in (
        "before-revision-1-x.dump.new",
        "before-revision-1-x.dump.passwords",
        "of-somebody.dump.new",
        "a.dump",
    ):
        (folder / name).write_text("secret")
    snapshot.take_snapshot(URI, str(folder / "before-revision-2-x.dump"))
    assert {path.name for path in folder.iterdir()} == {"before-revision-2-x.dump", "of-somebody.dump.new", "a.dump"}


def test_a_link_in_its_place_leads_nowhere(pg_dump: t.Callable[[str], Path], tmp_path: Path) -> None:
    (tmp_path / "target").write_text("mine")
    folder = tmp_path / "dumps/bot"
    folder.mkdir(parents=True)
    (folder / "before-revision-2.dump.new").symlink_to(tmp_path / "target")
    pg_dump('echo dump >"$file"\n')
    snapshot.take_snapshot(URI, str(folder / "before-revision-2.dump"))
    assert (tmp_path / "target").read_text() == "mine"


def test_a_dump_that_takes_too_long_is_ended(
    pg_dump: t.Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pg_dump(f"echo $$ >{tmp_path}/pid; exec sleep 60\n")
    monkeypatch.setattr(snapshot, "SNAPSHOT_SECONDS", 0.5)
    with pytest.raises(
        snapshot.SnapshotError, match=r"^pg_dump took longer than 0.5 s and was stopped; dump this database by hand"
    ):
        snapshot.take_snapshot(URI, str(tmp_path / "dumps/before-revision-2.dump"))
    assert list((tmp_path / "dumps").iterdir()) == []
    assert not Path("/proc", (tmp_path / "pid").read_text().strip()).exists()


def test_a_dump_does_not_fill_the_disk(
    pg_dump: t.Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pg_dump('exec dd if=/dev/zero of="$file" bs=1M count=8 2>/dev/null\n')
    monkeypatch.setattr(disk, "free_bytes", lambda _folder: snapshot.LEFT_FREE + 4 * 1024 * 1024)
    with pytest.raises(snapshot.SnapshotError, match="^it would leave less than 512 MB free in "):
        snapshot.take_snapshot(URI, str(tmp_path / "dumps/before-revision-2.dump"))
    monkeypatch.setattr(disk, "free_bytes", lambda _folder: snapshot.LEFT_FREE)
    with pytest.raises(snapshot.SnapshotError, match="^it would leave less than 512 MB free in "):
        snapshot.take_snapshot(URI, str(tmp_path / "dumps/before-revision-2.dump"))
    assert list((tmp_path / "dumps").iterdir()) == []


def test_a_dump_ends_with_the_module(pg_dump: t.Callable[[str], Path], tmp_path: Path) -> None:
    pg_dump(f"echo $$ >{tmp_path}/pid.new; mv {tmp_path}/pid.new {tmp_path}/pid; exec sleep 60\n")
    path = str(tmp_path / "dumps/before-revision-2.dump")
    module = multiprocessing.get_context("fork").Process(target=snapshot.take_snapshot, args=(URI, path))
    module.start()
    deadline = time.monotonic() + 10
    while not (tmp_path / "pid").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    dump = Path("/proc", (tmp_path / "pid").read_text().strip(), "cmdline")
    assert dump.read_bytes()
    module.kill()
    module.join()
    while dump.exists() and dump.read_bytes() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not dump.exists() or not dump.read_bytes()


def test_a_snapshot_that_fails_leaves_nothing(pg_dump: t.Callable[[str], Path], tmp_path: Path) -> None:
    path = tmp_path / "dumps/bot/before-revision-2.dump"
    pg_dump('echo half >"$file"; echo "pg_dump: error: no space" >&2; exit 1\n')
    with pytest.raises(snapshot.SnapshotError, match="^pg_dump: error: no space$"):
        snapshot.take_snapshot(URI, str(path))
    assert list(path.parent.iterdir()) == []


def test_a_host_without_pg_dump(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(snapshot.SnapshotError) as failed:
        snapshot.take_snapshot(URI, str(tmp_path / "dumps/one.dump"))
    assert str(failed.value) == "pg_dump is missing: install postgresql-client on the host"
    assert not (tmp_path / "dumps").exists()


def test_a_host_without_psycopg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_schema, "PSYCOPG_IMPORT_ERROR", ImportError())
    with pytest.raises(snapshot.SnapshotError, match="^the Python library psycopg is missing on the host$"):
        snapshot.take_snapshot(URI, str(tmp_path / "one.dump"))


def test_a_directory_of_somebody_else_gets_no_dump(pg_dump: t.Callable[[str], Path], tmp_path: Path) -> None:
    path = tmp_path / "dumps/bot/before-revision-2.dump"
    note = pg_dump('echo dump >"$file"\n')
    path.parent.mkdir(parents=True)
    path.parent.chmod(0o777)
    with pytest.raises(snapshot.SnapshotError, match="the directory '.*' cannot be trusted: others may write"):
        snapshot.take_snapshot(URI, str(path))
    assert (note.exists(), list(path.parent.iterdir())) == (False, [])
