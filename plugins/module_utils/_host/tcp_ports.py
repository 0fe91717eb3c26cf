# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""TCP ports of this host, from the kernel's own tables: which programs listen, and how many connections there are.

Shipped to the host too, where the drain uses it: no imports but the standard library's.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import os
import pwd
import socket
import typing as t

_LISTEN = "0A"
# Established, or with one side still sending: a stream may be half closed.
_OPEN = ("01", "04", "05", "08")
# ::1, each word of 32 bits in the machine's own order (little-endian).
_LOOPBACK_6 = "00000000000000000000000001000000"
_TABLES = ("/proc/net/tcp", "/proc/net/tcp6")


def parse_listening(table: str) -> dict[str, tuple[str, int, int]]:
    """Parse ``/proc/net/tcp`` or ``tcp6``: inode of each listening socket -> address, port and user id."""
    sockets = {}
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[3] == _LISTEN:
            address, _colon, port = fields[1].rpartition(":")
            sockets[fields[9]] = (_address(address), int(port, 16), int(fields[7]))
    return sockets


def _address(digits: str) -> str:
    """Parse an address, which is written in words of 32 bits in the machine's own order (little-endian)."""
    packed = b"".join(bytes.fromhex(digits[at : at + 8])[::-1] for at in range(0, len(digits), 8))
    # An IPv4-mapped IPv6 address is an IPv4 address.
    if len(packed) == 16 and packed.startswith(b"\0" * 10 + b"\xff\xff"):
        packed = packed[12:]
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)


def sockets() -> list[dict[str, t.Any]]:
    """Return each listening socket: ``address``, ``port``, ``user``, and ``program`` (``another program`` if unknown)."""
    found: dict[str, tuple[str, int, int]] = {}
    for path in _TABLES:
        try:
            with open(path, encoding="ascii") as file:
                found.update(parse_listening(file.read()))
        except OSError:
            continue
    owners = _owners(set(found))
    return [
        {"address": address, "port": port, "user": _user(uid), "program": owners.get(inode, "another program")}
        for inode, (address, port, uid) in found.items()
    ]


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def listening() -> dict[int, str]:
    """Map each port to the name of the program that listens there."""
    return {int(item["port"]): str(item["program"]) for item in sockets()}


def parse_remotes(table: str) -> collections.Counter[str]:
    """Parse ``/proc/net/tcp`` or ``tcp6``: remote address and port of each open connection, as written there -> how many."""
    rows = (line.split() for line in table.splitlines()[1:])
    return collections.Counter(fields[2] for fields in rows if len(fields) > 9 and fields[3] in _OPEN)


def count_sessions(remotes: t.Mapping[str, int], address: str, port: int) -> int:
    """Count the connections of this host to ``port`` of an IPv4 address, among those of parse_remotes().

    Connections to the loopback may use IPv6 too; they also count for a wildcard address or an address that is not IPv4.
    """
    local = address in ("127.0.0.1", "0.0.0.0") or ":" in address
    words = "".join(f"{byte:02X}" for byte in reversed(socket.inet_aton("127.0.0.1" if local else address)))
    addresses = (words, f"0000000000000000FFFF0000{words}", *([_LOOPBACK_6] if local else []))
    return sum(remotes.get(f"{known}:{port:04X}", 0) for known in addresses)


def session_counter() -> t.Callable[[str, int], int]:
    """Read the open connections from this host; return a function that counts those to a port of an IPv4 address."""
    remotes: collections.Counter[str] = collections.Counter()
    for path in _TABLES:
        try:
            with open(path, encoding="ascii") as file:
                remotes.update(parse_remotes(file.read()))
        except OSError:
            continue
    return functools.partial(count_sessions, remotes)


def sessions(address: str, port: int) -> int:
    """Count the open connections from this host to ``port`` of an IPv4 address: the sessions of a proxy on this host."""
    return session_counter()(address, port)


def parse_addresses(fib_trie: str, if_inet6: str) -> list[str]:
    """Parse ``/proc/net/fib_trie`` and ``/proc/net/if_inet6``: the addresses of this host, without the loopback."""
    found = set()
    address = ""
    for line in fib_trie.splitlines():
        words = line.split()
        if words[:1] == ["|--"]:
            address = words[1]
        elif words[1:] == ["host", "LOCAL"] and words[0] == "/32" and not address.startswith("127."):
            found.add(address)
    for line in if_inet6.splitlines():
        digits = line.split()[0]
        written = ":".join(digits[at : at + 4] for at in range(0, 32, 4))
        found.add(socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, written)))
    return sorted(found - {"::1"})


def addresses() -> list[str]:
    """Return the addresses of this host, without the loopback."""
    texts = []
    for path in ("/proc/net/fib_trie", "/proc/net/if_inet6"):
        try:
            with open(path, encoding="ascii") as file:
                texts.append(file.read())
        except OSError:
            texts.append("")
    return parse_addresses(*texts)


def _owners(inodes: set[str]) -> dict[str, str]:
    """Map inodes of sockets to programs. It ends with the last socket: a host has thousands of open files."""
    owners: dict[str, str] = {}
    for process in filter(str.isdecimal, os.listdir("/proc")):
        if len(owners) == len(inodes):
            break
        found = _sockets_of(process) & inodes
        if found:
            with (
                contextlib.suppress(OSError),
                open(f"/proc/{process}/comm", encoding="utf-8", errors="replace") as file,
            ):
                owners = {**dict.fromkeys(found, file.read().strip()), **owners}
    return owners


def _sockets_of(process: str) -> set[str]:
    """Return the inodes of a process's sockets; those that it closes meanwhile, and all if it ends, are left out."""
    found = set()
    with contextlib.suppress(OSError):
        for descriptor in os.listdir(f"/proc/{process}/fd"):
            with contextlib.suppress(OSError):
                kind, _colon, inode = os.readlink(f"/proc/{process}/fd/{descriptor}").partition(":[")
                if kind == "socket":
                    found.add(inode[:-1])
    return found
