# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Taken ports, from the kernel's tables as Debian 12 and 13 write them."""

from __future__ import annotations

import os
import socket

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._ports import listening, parse_listening

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
    assert parse_listening(HEAD + TCP) == {"269552": 5432, "282655": 8124, "249477": 6379}


def test_ipv6() -> None:
    assert parse_listening(HEAD + TCP6) == {"281159": 8123}


@pytest.mark.parametrize("table", ["", HEAD, f"{HEAD}\n\n", f"{HEAD}\n   0: 0100007F:1538 00000000:0000 0A\n"])
def test_nothing_to_read(table: str) -> None:
    assert parse_listening(table) == {}


def test_this_very_process() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, open(f"/proc/{os.getpid()}/comm") as comm:
        assert listening()[server.getsockname()[1]] == comm.read().strip()
