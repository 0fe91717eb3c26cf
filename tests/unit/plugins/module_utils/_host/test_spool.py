# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The spool directory: what another user could have made, or could put in its place, is refused in one line."""

from __future__ import annotations

import multiprocessing
import os
import pwd
import stat
import time
import types
import typing as t
from pathlib import Path

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._host import spool as _spool
from ansible_collections.selfhost.langgraph.plugins.module_utils._host.spool import (
    SpoolError,
    check,
    make,
    open_file,
    remove_stale,
    work,
)

NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where it is to be."""
    path = tmp_path / "var/langgraph/spool"
    monkeypatch.setattr(_spool, "place", lambda: str(path))
    monkeypatch.setattr(_spool, "_EARLIER", ())
    return path


def test_it_is_made_for_its_user_alone(spool: Path) -> None:
    assert check() == str(spool)
    assert not spool.exists()
    assert make() == make() == check() == str(spool)
    assert stat.S_IMODE(spool.stat().st_mode) == 0o700
    spool.chmod(0o755)
    make()
    assert stat.S_IMODE(spool.stat().st_mode) == 0o700


def belongs_to_another(spool: Path) -> None:
    spool.mkdir(parents=True)
    os.chown(spool, NOBODY, NOBODY)


def is_a_link(spool: Path) -> None:
    spool.parent.mkdir(parents=True)
    spool.with_name("elsewhere").mkdir()
    spool.symlink_to("elsewhere")


def is_a_dangling_link(spool: Path) -> None:
    spool.parent.mkdir(parents=True)
    spool.symlink_to("nowhere")


def is_a_file(spool: Path) -> None:
    spool.parent.mkdir(parents=True)
    spool.touch()


def is_open_to_others(spool: Path) -> None:
    spool.mkdir(parents=True)
    spool.chmod(0o777)


def stands_in_one_of_another(spool: Path) -> None:
    spool.mkdir(parents=True)
    os.chown(spool.parent, NOBODY, NOBODY)


def stands_in_one_that_is_open(spool: Path) -> None:
    spool.mkdir(parents=True)
    spool.parent.parent.chmod(0o777)


def stands_behind_a_link_to_one_of_another(spool: Path) -> None:
    real = spool.parents[2] / "real"
    (real / "spool").mkdir(parents=True)
    os.chown(real, NOBODY, NOBODY)
    spool.parent.parent.mkdir()
    spool.parent.symlink_to(real)


BAD: dict[str, tuple[t.Callable[[Path], None], str]] = {
    "belongs to another": (belongs_to_another, "it belongs to user id 65534"),
    "is a link": (is_a_link, "it is not a directory"),
    "is a dangling link": (is_a_dangling_link, "it is not a directory"),
    "is a file": (is_a_file, "it is not a directory"),
    "is open to others": (is_open_to_others, "others may write into it"),
    "stands in one of another": (stands_in_one_of_another, "its parent '{parent}' belongs to user id 65534"),
    "stands in one that is open": (stands_in_one_that_is_open, "others may write into its parent '{above}'"),
    "stands behind a link": (stands_behind_a_link_to_one_of_another, "belongs to user id 65534"),
}


@as_root
@pytest.mark.parametrize(("plant", "why"), BAD.values(), ids=BAD)
def test_what_another_may_have_planted_is_refused(spool: Path, plant: t.Callable[[Path], None], why: str) -> None:
    plant(spool)
    for function in (check, make):
        with pytest.raises(SpoolError) as refused:
            function()
        text = str(refused.value)
        assert text.startswith(f"the directory '{spool}' cannot be trusted: ")
        assert why.format(parent=spool.parent, above=spool.parent.parent) in text
        assert text.endswith("with mode 0700" if "parent" not in text else "'")
        assert "\n" not in text


@as_root
def test_a_link_of_root_on_the_way_is_none(spool: Path) -> None:
    """As an administrator makes them: /var on another disk."""
    (spool.parents[2] / "disk").mkdir()
    spool.parents[1].symlink_to("disk")
    assert make() == str(spool)


@as_root
def test_who_is_not_root_has_one_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_spool.os, "geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_STATE_HOME", "/home/ann/state")
    assert _spool.place() == "/home/ann/state/langgraph/spool"
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", "/home/ann")
    assert _spool.place() == "/home/ann/.local/state/langgraph/spool"
    monkeypatch.setattr(_spool.os, "geteuid", lambda: 0)
    assert _spool.place() == "/var/lib/langgraph/spool"


@as_root
def test_files(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    with open_file(str(path)) as file:
        assert b"".join(_spool.pieces(file)) == b"content"
        assert _spool.checksum(file) == "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73"
        assert file.read() == b"content"
    (tmp_path / "link").symlink_to("file")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "given").touch()
    os.chown(tmp_path / "given", NOBODY, NOBODY)
    before = len(os.listdir("/proc/self/fd"))
    for name in ("link", "pipe", "given", "none"):
        with pytest.raises(OSError):
            open_file(str(tmp_path / name))
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_a_killed_process_left_goes(spool: Path) -> None:
    def be_killed() -> None:
        with work() as folder:
            Path(folder, "secret").touch()
            os.kill(os.getpid(), 9)

    process = multiprocessing.get_context("fork").Process(target=be_killed)
    process.start()
    process.join()
    (left,) = spool.iterdir()
    assert left.name.startswith(f"work-{process.pid}-")
    # Another process has got the id of one that is gone; what is another's stays.
    (spool / f"work-{os.getpid()}-00000000.1-abc").mkdir()
    (spool / "part").mkdir()
    with work() as one, work() as two:
        assert {path.name for path in spool.iterdir()} == {"part", Path(one).name, Path(two).name}
    assert [path.name for path in spool.iterdir()] == ["part"]


def test_parts_of_yesterday_go_and_those_of_today_stay(spool: Path) -> None:
    remove_stale()
    for name, hours in (("old", 25), ("new", 23)):
        (spool / name).mkdir(parents=True)
        (spool / name / "part-0001").write_bytes(b"x")
        then = time.time() - hours * 3600
        os.utime(spool / name, (then, then))
    remove_stale()
    assert [path.name for path in spool.iterdir()] == ["new"]
    assert (spool / "new/part-0001").exists()


@as_root
def test_directories_of_earlier_versions_are_cleaned_where_they_are_ours(
    spool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, planted, link = tmp_path / "ours", tmp_path / "planted", tmp_path / "link"
    for folder in (ours, planted):
        (folder / "part").mkdir(parents=True)
        os.utime(folder / "part", (0, 0))
    (ours / "old.tar").touch()
    os.utime(ours / "old.tar", (0, 0))
    os.chown(planted, NOBODY, NOBODY)
    link.symlink_to(planted)
    monkeypatch.setattr(_spool, "_EARLIER", (str(ours), str(planted), str(link), str(tmp_path / "none")))
    remove_stale()
    assert (list(ours.iterdir()), [path.name for path in planted.iterdir()]) == ([], ["part"])


def as_another(look: t.Callable[[str], os.stat_result]) -> t.Any:
    """The module os of a process of the user 1234, to whom directories look as asked for."""
    return types.SimpleNamespace(**{**vars(os), "geteuid": lambda: 1234, "stat": look})


class Group(t.NamedTuple):
    gr_name: str
    gr_mem: list[str]


@pytest.mark.parametrize(
    ("gid", "name", "members", "private"),
    [
        (1234, "ann", [], True),
        (1234, "ann", ["ann"], True),
        (1234, "ann", ["ann", "bob"], False),
        (1234, "staff", [], False),
        (50, "ann", [], False),
    ],
)
def test_the_group_of_the_user_alone_may_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gid: int, name: str, members: list[str], private: bool
) -> None:
    """With the umask 002, as of Debian's and Ubuntu's users, a home has directories that it may write into."""
    found = os.stat(tmp_path)
    as_it_is = os.stat_result((stat.S_IFDIR | 0o775, *found[1:4], 1234, gid, *found[6:]))
    monkeypatch.setattr(_spool, "os", as_another(lambda _path: as_it_is))
    user = pwd.struct_passwd(("ann", "x", 1234, 1234, "", "/home/ann", "/bin/sh"))
    monkeypatch.setattr(_spool.pwd, "getpwuid", lambda _uid: user)
    monkeypatch.setattr(_spool.grp, "getgrgid", lambda _gid: Group(name, members))
    path = str(tmp_path / "spool")
    if private:
        assert check(path) == path
    else:
        with pytest.raises(SpoolError, match="others may write into .*XDG_STATE_HOME"):
            check(path)
    # The same for all.
    as_it_is = os.stat_result((stat.S_IFDIR | 0o777, *as_it_is[1:]))
    with pytest.raises(SpoolError, match="others may write into"):
        check(path)
