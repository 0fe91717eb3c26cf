# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Taken ports, from the kernel's tables as Debian 12 and 13 write them."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._host import tcp_ports
from ansible_collections.selfhost.langgraph.plugins.module_utils._host.tcp_ports import (
    addresses,
    count_sessions,
    listening,
    parse_addresses,
    parse_listening,
    parse_remotes,
    sessions,
)

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
TCP = """
   0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000   101        0 269552 1 00000000fe5cabcb 100 0
   2: 0100007F:1FBC 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 282655 1 00000000f729626e 100 0
   7: 01001DAC:18EB 00000000:0000 0A 00000000:00000000 00:00000000 00000000   100        0 249477 1 0000000064558093 100 0
   8: 01001DAC:1538 02001DAC:AFBE 01 00000000:00000000 02:000942C7 00000000   101        0 285778 3 00000000197f11b3 21 4
"""
TCP6 = """
   0: 00000000000000000000000000000000:1FBB 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 281159 1 00000000f77e504c 100 0
"""  # noqa: E501


def test_only_sockets_that_listen() -> None:
    assert parse_listening(HEAD + TCP) == {
        "269552": ("127.0.0.1", 5432, 101),
        "282655": ("127.0.0.1", 8124, 0),
        "249477": ("172.29.0.1", 6379, 100),
    }


def test_ipv6() -> None:
    assert parse_listening(HEAD + TCP6) == {"281159": ("::", 8123, 0)}


def test_ipv4_in_a_socket_of_ipv6() -> None:
    table = HEAD + TCP6.replace("00000000000000000000000000000000:1FBB", "0000000000000000FFFF000001001DAC:1FBB")
    assert parse_listening(table) == {"281159": ("172.29.0.1", 8123, 0)}
    table = HEAD + TCP6.replace("00000000000000000000000000000000:1FBB", "000080FE000000000000000001000000:1FBB")
    assert parse_listening(table) == {"281159": ("fe80::1", 8123, 0)}


@pytest.mark.parametrize("table", ["", HEAD, f"{HEAD}\n\n", f"{HEAD}\n   0: 0100007F:1538 00000000:0000 0A\n"])
def test_nothing_to_read(table: str) -> None:
    assert parse_listening(table) == {}


# A proxy's sessions on a revision's port 30000 (7530 in hex), as Debian 12 writes them: two open ones, one that is half
# closed, one that has ended, the server's own ends of two, its listening socket, and one to another host's 30000.
SESSIONS = """
   0: 0100007F:7530 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 900001 1 0000000000000000 100 0
   1: 0100007F:C350 0100007F:7530 01 00000000:00000000 00:00000000 00000000   999        0 900002 1 0000000000000000 20 4
   2: 0100007F:C351 0100007F:7530 01 00000000:00000000 02:000942C7 00000000   999        0 900003 3 0000000000000000 20 4
   3: 0100007F:C352 0100007F:7530 08 00000000:00000001 00:00000000 00000000   999        0 900004 1 0000000000000000 20 4
   4: 0100007F:C353 0100007F:7530 06 00000000:00000000 03:00001770 00000000     0        0 0 3 0000000000000000
   5: 0100007F:7530 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 900005 1 0000000000000000 20 4
   6: 0100007F:7530 0100007F:C351 01 00000000:00000000 00:00000000 00000000     0        0 900006 1 0000000000000000 20 4
   7: 0100007F:C354 0100007F:7531 01 00000000:00000000 00:00000000 00000000   999        0 900007 1 0000000000000000 20 4
"""


@pytest.mark.parametrize(("port", "count"), [(30000, 3), (30001, 1), (30002, 0), (50000, 1), (0, 0)])
def test_sessions_on_a_port(port: int, count: int) -> None:
    assert count_sessions(parse_remotes(HEAD + SESSIONS), "127.0.0.1", port) == count


# Remote ends of connections to port 30000: whether they are this host's loopback.
REMOTES = {
    "127.0.0.1": ("0100007F", True),
    "127.0.0.2": ("0200007F", False),
    "10.1.2.3": ("0302010A", False),
    "nobody": ("00000000", False),
    "::1": ("00000000000000000000000001000000", True),
    "::ffff:127.0.0.1": ("0000000000000000FFFF00000100007F", True),
    "::ffff:10.1.2.3": ("0000000000000000FFFF00000302010A", False),
    "fd00::5": ("000000FD000000000000000005000000", False),
}


@pytest.mark.parametrize(("address", "counts"), REMOTES.values(), ids=REMOTES)
def test_only_sessions_on_the_loopback(address: str, counts: bool) -> None:
    """A server that asks another host's port of that number is no client of the revision."""
    line = f"   0: {'0' * len(address)}:C350 {address}:7530 01 00000000:00000000 00:00000000 00000000 999 0 900001 1"
    assert count_sessions(parse_remotes(f"{HEAD}\n{line}\n"), "127.0.0.1", 30000) == int(counts)
    assert count_sessions(parse_remotes(f"{HEAD}\n{line}\n"), "0.0.0.0", 30000) == int(counts)


@pytest.mark.parametrize("address", REMOTES)
def test_only_sessions_with_a_container(address: str) -> None:
    """Every container has the same port; the address identifies the container of a session."""
    remote = REMOTES[address][0]
    line = f"   0: {'0' * len(remote)}:C350 {remote}:1F40 01 00000000:00000000 00:00000000 00000000 999 0 900001 1"
    assert count_sessions(parse_remotes(f"{HEAD}\n{line}\n"), "10.1.2.3", 8000) == int(
        address in ("10.1.2.3", "::ffff:10.1.2.3")
    )


@pytest.mark.parametrize("table", ["", HEAD, f"{HEAD}\n   0: 0100007F:C350 0100007F:7530 01\n"])
def test_no_sessions_to_read(table: str) -> None:
    assert count_sessions(parse_remotes(table), "127.0.0.1", 30000) == 0


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_sessions_of_this_very_process(family: socket.AddressFamily, address: str) -> None:
    with socket.create_server((address, 0), family=family) as server:
        port = server.getsockname()[1]
        assert sessions("127.0.0.1", port) == 0
        first, second = (socket.create_connection((address, port)) for _number in range(2))
        answers = [server.accept()[0] for _number in range(2)]
        assert sessions("127.0.0.1", port) == 2
        first.shutdown(socket.SHUT_WR)
        # The answer may still be on its way.
        assert sessions("127.0.0.1", port) == 2
        answers[0].close()
        assert sessions("127.0.0.1", port) == 1
        for end in (first, second, answers[1]):
            end.close()
        assert sessions("127.0.0.1", port) == 0


def test_a_program_that_shares_a_socket_and_one_that_ends() -> None:
    """The first of them is named; a process that ends while it is read is left out."""
    own = Path(f"/proc/{os.getpid()}/comm").read_text().strip()
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        subprocess.Popen(["sleep", "60"], pass_fds=[server.fileno()]) as child,
    ):
        assert listening()[server.getsockname()[1]] in ("sleep", own)
        child.kill()
    assert tcp_ports._sockets_of("0") == set()


def test_this_very_process() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, open(f"/proc/{os.getpid()}/comm") as comm:
        assert listening()[server.getsockname()[1]] == comm.read().strip()


FIB_TRIE = """Main:
  +-- 0.0.0.0/0 3 0 4
        |-- 127.0.0.1
           /32 host LOCAL
           |-- 172.29.0.0
              /16 link UNICAST
           |-- 172.29.0.1
              /32 host LOCAL
        |-- 192.0.2.7
           /32 host LOCAL
           |-- 192.0.2.255
              /32 link BROADCAST
Local:
        |-- 192.0.2.7
           /32 host LOCAL
"""
IF_INET6 = """00000000000000000000000000000001 01 80 10 80       lo
fd000000000000000000000000000007 02 40 00 80     eth0
"""


def test_addresses_of_the_host() -> None:
    assert parse_addresses(FIB_TRIE, IF_INET6) == ["172.29.0.1", "192.0.2.7", "fd00::7"]
    assert parse_addresses("", "") == []
    assert "127.0.0.1" not in addresses()
