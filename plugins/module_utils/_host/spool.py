# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The spool directory for files on their way to the engine: owned by the running user, and checked before each use.

Nobody else can have created it, can write to it, or can replace it. Each file in it is opened once, so that the checked
file is the one used; only regular files of the user are accepted.
"""

from __future__ import annotations

import contextlib
import errno
import grp
import hashlib
import os
import pwd
import secrets
import shutil
import stat
import time
import typing as t

ROOTS = "/var/lib/langgraph/spool"
# The spool directories of earlier versions; the user's own files there are removed like the others.
_EARLIER = ("/var/tmp/langgraph-images", "/var/tmp/langgraph-builds")
_STALE_SECONDS = 24 * 3600
_CHUNK = 1024 * 1024
_WORK = "work-"


class SpoolError(RuntimeError):
    """The directory cannot be trusted; the message says why and what to do."""


def place() -> str:
    """Return the directory of the running user: root's, else one of the user's own (docs: XDG Base Directory)."""
    if os.geteuid() == 0:
        return ROOTS
    state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return os.path.join(state, "langgraph/spool")


def check(path: str | None = None) -> str:
    """Return the directory. Raises SpoolError if it exists and is not the user's own, or if another user could replace it.

    It need not exist yet: it is also refused if another user could create it or one of its parents.
    """
    path = path or place()
    for real in (path, os.path.realpath(os.path.dirname(path))):
        parent = os.path.dirname(real) if real == path else real
        while True:
            _check_parent(parent, path)
            if parent == os.path.dirname(parent):
                break
            parent = os.path.dirname(parent)
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return path
    if not stat.S_ISDIR(found.st_mode):
        raise _refusal(path, "it is not a directory")
    if found.st_uid != os.geteuid():
        raise _refusal(path, f"it belongs to user id {found.st_uid}")
    if stat.S_IMODE(found.st_mode) & 0o022:
        raise _refusal(path, "others may write into it")
    return path


def _check_parent(parent: str, path: str) -> None:
    try:
        found = os.stat(parent)
    except FileNotFoundError:
        return
    if found.st_uid not in (0, os.geteuid()):
        raise _parent_refusal(path, parent, f"its parent '{parent}' belongs to user id {found.st_uid}")
    # In a sticky directory such as /tmp nobody else can rename or remove the user's own entries.
    if found.st_mode & (0o002 if _is_private(found.st_gid) else 0o022) and not found.st_mode & stat.S_ISVTX:
        raise _parent_refusal(path, parent, f"others may write into its parent '{parent}'")


def _is_private(gid: int) -> bool:
    """Return whether a group is the running user's own: it has the same id and name, and no other member.

    Debian creates such a group for each user; with the umask 002 it may write to what the user creates.
    """
    uid = os.geteuid()
    try:
        user, group = pwd.getpwuid(uid), grp.getgrgid(gid)
    except KeyError:
        return False
    return uid == gid == user.pw_gid and user.pw_name == group.gr_name and set(group.gr_mem) <= {user.pw_name}


def _refusal(path: str, why: str) -> SpoolError:
    return SpoolError(
        f"the directory '{path}' cannot be trusted: {why}; check what is there, then remove it, or give it to "
        f"user id {os.geteuid()} with mode 0700{_another_place()}"
    )


def _parent_refusal(path: str, parent: str, why: str) -> SpoolError:
    return SpoolError(
        f"the directory '{path}' cannot be trusted: {why}; check what is there, then correct the owner and mode of "
        f"'{parent}'{_another_place()}"
    )


def _another_place() -> str:
    return "" if os.geteuid() == 0 else ", or set XDG_STATE_HOME to another directory"


def make(path: str | None = None) -> str:
    """Return the directory, and create it if it is missing. Raises SpoolError."""
    path = check(path)
    try:
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, 0o700)
    except OSError as error:
        raise SpoolError(f"the spool directory '{path}' cannot be created: {error.strerror}") from error
    check(path)
    os.chmod(path, 0o700)
    return path


def open_file(path: str) -> t.BinaryIO:
    """Open a regular file of the running user. Raises OSError for a link, a pipe or another user's file; it never hangs."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), path)
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def checksum(file: t.BinaryIO) -> str:
    """Return the SHA-256 of an open file (in hexadecimal), and rewind the file."""
    digest = hashlib.sha256()
    file.seek(0)
    for piece in pieces(file):
        digest.update(piece)
    file.seek(0)
    return digest.hexdigest()


def pieces(file: t.BinaryIO) -> t.Iterator[bytes]:
    """Yield the rest of an open file in chunks."""
    yield from iter(lambda: file.read(_CHUNK), b"")


@contextlib.contextmanager
def work() -> t.Iterator[str]:
    """Provide a directory of this process for the block, after removing those of killed processes. Raises SpoolError."""
    spool = make()
    for entry in list(os.scandir(spool)):
        if entry.name.startswith(_WORK) and not _lives(entry.name):
            # Left by a killed process.
            shutil.rmtree(entry.path, ignore_errors=True)
    directory = os.path.join(spool, f"{_WORK}{os.getpid()}-{_started(os.getpid())}-{secrets.token_hex(8)}")
    os.mkdir(directory, 0o700)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _lives(name: str) -> bool:
    """Return whether the process that created a directory of work() still runs, by its id and start time."""
    pid, _dash, rest = name.removeprefix(_WORK).partition("-")
    started = _started(int(pid)) if pid.isdecimal() else None
    return started is not None and rest.startswith(f"{started}-")


def _started(pid: int) -> str | None:
    """Return when a process started, in this boot (docs: proc_pid_stat, field 22, clock ticks); None if it does not exist."""
    try:
        with (
            open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file,
            open("/proc/sys/kernel/random/boot_id", encoding="ascii") as boot,
        ):
            # The program name, in parentheses, may contain spaces.
            return f"{boot.read(8)}.{file.read().rpartition(')')[2].split()[19]}"
    except OSError:
        return None


def remove_stale(path: str | None = None) -> None:
    """Remove entries that are older than a day, from the directories of earlier versions too. Raises SpoolError."""
    for spool in (check(path), *(() if path else _EARLIER)):
        try:
            if os.lstat(spool).st_uid != os.geteuid() or os.path.islink(spool):
                continue
            entries = list(os.scandir(spool))
        except OSError:
            continue
        for entry in entries:
            if time.time() - entry.stat(follow_symlinks=False).st_mtime > _STALE_SECONDS:
                _remove(entry)


def _remove(entry: os.DirEntry[str]) -> None:
    if entry.is_dir(follow_symlinks=False):
        shutil.rmtree(entry.path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            os.unlink(entry.path)
