# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Addresses on which programs listen."""

from __future__ import annotations

EVERY_ADDRESS = {"0.0.0.0", "::"}


def conflicts(address: str, port: int, other_address: str, other_port: int) -> bool:
    """Return whether two programs cannot listen on these addresses at the same time."""
    addresses = {address.strip("[]"), other_address.strip("[]")}
    return port == other_port and (len(addresses) == 1 or bool(addresses & EVERY_ADDRESS))


def public_url(tls: bool, bind_address: str, port: int, prefix: str | None) -> str:
    """Return the URL of a server for a client on the host itself; a host name has to be sent in the request."""
    address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bind_address, bind_address)
    return f"{'https' if tls else 'http'}://{f'[{address}]' if ':' in address else address}:{port}{prefix or ''}"


def health_url(proxy: str | None, tls: bool, bind_address: str, port: int, prefix: str | None) -> str:
    """Return the URL below which ``/ok`` is: the proxy serves it under the prefix, the server itself at its root."""
    return public_url(tls, bind_address, port, None if proxy == "none" else prefix)
