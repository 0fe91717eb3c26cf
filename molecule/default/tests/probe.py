# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Probe for containers and hosts in the network tests: probe.py listen|probe KIND:ADDRESS:PORT ... (tcp or udp).

``probe`` prints the addresses that send any response, including a refusal: each in its own thread, within two seconds.
"""

from __future__ import annotations

import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

SECONDS = 2


def split(place):
    """Split ``udp:172.29.0.1:53`` into socket type, family, address and port."""
    kind, _colon, rest = place.partition(":")
    address, _colon, port = rest.rpartition(":")
    family = socket.AF_INET6 if "[" in address else socket.AF_INET
    return socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM, family, address.strip("[]"), int(port)


def listen(place):
    """Answer every client."""
    kind, family, address, port = split(place)
    server = socket.socket(family, kind)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((address, port))
    if kind == socket.SOCK_DGRAM:
        while True:
            server.sendto(b"here", server.recvfrom(100)[1])
    server.listen(100)
    while True:
        with server.accept()[0] as connection:
            connection.sendall(b"here")


def reaches(place):
    """Return whether there is any response."""
    kind, family, address, port = split(place)
    with socket.socket(family, kind) as client:
        client.settimeout(SECONDS)
        try:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            client.connect((address, port))
            if kind == socket.SOCK_DGRAM:
                client.send(b"anybody?")
                client.recv(100)
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
        return True


if __name__ == "__main__":
    places = sys.argv[2:]
    if sys.argv[1] == "listen":
        for place in places:
            threading.Thread(target=listen, args=(place,), daemon=True).start()
        while True:
            time.sleep(60)
    with ThreadPoolExecutor(len(places)) as pool:
        print(*(place for place, found in zip(places, pool.map(reaches, places)) if found))
