# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's table ``inet langgraph``: langgraph-firewall.py apply|watch|remove.

``apply`` renders the table from the settings and the deployments' records, and loads it in one transaction if it differs.
It runs before each container starts. ``watch`` is the service: it applies at boot, and again whenever somebody flushed or
changed the table; it ends if this file was replaced, and systemd starts the new one. The table stays loaded when nobody
watches it.
"""

from __future__ import annotations

import contextlib
import fcntl
import ipaddress
import json
import os
import re
import select
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

SETTINGS = os.environ.get("LANGGRAPH_FIREWALL_SETTINGS", "/etc/langgraph-firewall/settings.json")
STATE_DIR = os.environ.get("LANGGRAPH_FIREWALL_STATE", "/run/langgraph-firewall")
TABLE = "langgraph"
# Bridges that engines create by themselves; the host's uplink may be a bridge too, with another name.
ENGINE_BRIDGE = re.compile(r"docker0|br-[0-9a-f]{12}")
# linux/netlink.h and linux/netfilter/nfnetlink.h: every transaction of nftables is announced there.
_NETLINK_NETFILTER = 12
_GET_GENERATION = (10 << 8) | 16
_GROUP_NFTABLES = 1 << (7 - 1)
# Seconds until a change of other tables is checked; a change of our table is checked at once.
_INTERVAL = 1.0
# How often to retry loading the table while others change theirs.
_ATTEMPTS = 5

# The keys that the role writes.
_KEYS = {"bridge", "subnet", "gateway", "services", "closed_addresses", "config_dir"}
# A word in the table's comment that identifies it.
_MARK = '"selfhost.langgraph:'
_TEXT = """\
table inet {table}
delete table inet {table}
table inet {table} {{
    comment "selfhost.langgraph: what deployments reach, and who reaches them"

    set services {{ type ipv4_addr . inet_service; {services} }}
    set services6 {{ type ipv6_addr . inet_service; {services6} }}
    set may_reach {{ type ipv4_addr . inet_service; {may_reach} }}
    set loopback_ports {{ type inet_service; {loopback_ports} }}
    set closed {{ type ipv4_addr; flags interval; auto-merge; {closed} }}
    set closed6 {{ type ipv6_addr; flags interval; auto-merge; {closed6} }}
    set bridges {{ type ifname; {bridges} }}

    chain prerouting {{
        type filter hook prerouting priority mangle; policy accept;
        iifname "{bridge}" goto from_deployment
        iifname != "lo" goto from_elsewhere
    }}

    chain forward {{
        type filter hook forward priority mangle; policy accept;
        iifname "{bridge}" oifname @bridges ct direction original drop
    }}

    chain from_deployment {{
        ip daddr {subnet} ip daddr != {gateway} drop
        ct direction reply accept
        icmpv6 type {{ nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert }} accept
        meta l4proto {{ tcp, udp }} th dport 53 accept
        ip daddr . tcp dport @services accept
        ip6 daddr . tcp dport @services6 accept
        ip daddr @closed drop
        ip6 daddr @closed6 drop
        fib daddr type local ip saddr . tcp dport @may_reach accept
        fib daddr type {{ local, broadcast, anycast, multicast }} drop
    }}

    chain from_elsewhere {{
        ct direction reply accept
        ip daddr {subnet} drop
        ip daddr 127.0.0.0/8 tcp dport @loopback_ports drop
    }}
}}
"""


def render(settings, deployments, bridges=(), resolved=None):
    """Render the table in nft's syntax, as a replacement of the loaded one. No I/O.

    ``settings`` is the role's file; ``deployments`` maps names to ``{"settings": deployment.json, "endpoints": [slot.json]}``;
    ``bridges`` are names of the engine's other networks; ``resolved`` maps host names of services to addresses.
    """
    subnet = ipaddress.ip_network(settings["subnet"])
    services = list(_services(settings, resolved or {}))
    closed = [ipaddress.ip_network(address) for address in settings["closed_addresses"]]
    may_reach = sorted({(str(ip), port) for ip, port in _may_reach(deployments, subnet)})
    ours = _loopback_ports(deployments) | {port for _address, port in services}
    return _TEXT.format(
        table=TABLE,
        bridge=settings["bridge"],
        subnet=subnet,
        gateway=ipaddress.ip_address(settings["gateway"]),
        services=_elements(f"{a} . {port}" for a, port in services if a.version == 4),
        services6=_elements(f"{a} . {port}" for a, port in services if a.version == 6),
        may_reach=_elements(f"{address} . {port}" for address, port in may_reach),
        loopback_ports=_elements(map(str, sorted(ours))),
        closed=_elements(str(network) for network in closed if network.version == 4),
        closed6=_elements(str(network) for network in closed if network.version == 6),
        bridges=_elements(f'"{name}"' for name in sorted(bridges) if name != settings["bridge"]),
    )


def _elements(items):
    items = list(dict.fromkeys(items))
    return f"elements = {{ {', '.join(items)} }};" if items else ""


def _services(settings, resolved):
    """Return address and port of each service that deployments use, sorted and without duplicates."""
    found = set()
    for service in settings["services"]:
        host = service["host"].strip("[]")
        for address in resolved.get(host, [host]):
            with contextlib.suppress(ValueError):
                found.add((ipaddress.ip_address(address), int(service["port"])))
    return sorted(found, key=lambda item: (item[0].version, item))


def _may_reach(deployments, subnet):
    """Yield pairs of a container's address and the public port of a deployment that it may reach."""
    for deployment in deployments.values():
        for endpoint in deployment["endpoints"]:
            with contextlib.suppress(ValueError, KeyError):
                address = ipaddress.ip_address(endpoint["address"])
                for name in endpoint.get("may_reach") or () if address in subnet else ():
                    port = (deployments.get(name) or {}).get("settings", {}).get("port")
                    if port:
                        yield address, int(port)


def _loopback_ports(deployments):
    """Return our ports on the loopback: containers' ports of earlier versions, and the deployments' public ports."""
    places = [endpoint for deployment in deployments.values() for endpoint in deployment["endpoints"]]
    places += [
        {"address": deployment["settings"].get("bind_address"), "port": deployment["settings"].get("port")}
        for deployment in deployments.values()
    ]
    return {int(place["port"]) for place in places if place.get("port") and _on_loopback(place.get("address"))}


def _on_loopback(address):
    return str(address).startswith("127.") or str(address) == "0.0.0.0"


def read_json(path):
    """Read a JSON file as a mapping; empty if it is missing or truncated."""
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def read_settings():
    """Read the role's file; empty if it does not exist. Raises OSError or ValueError if it is unreadable or incomplete."""
    try:
        found = json.loads(Path(SETTINGS).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ValueError(f"{SETTINGS}: {error}") from error
    if not isinstance(found, dict) or not found.keys() >= _KEYS:
        raise ValueError(f"{SETTINGS} is not in the format that the role firewall writes")
    return found


def read_deployments(config_dir):
    """Read all deployments of the host: the settings, and the endpoints of every revision."""
    return {
        directory.name: {
            "settings": read_json(directory / "deployment.json"),
            "endpoints": [read_json(path) for path in sorted(directory.glob("revisions/*/slot.json"))],
        }
        for directory in Path(config_dir).glob("*")
        if directory.is_dir()
    }


def engine_bridges():
    """Return the bridges of the engine's other networks."""
    return [
        path.parent.name
        for path in Path("/sys/class/net").glob("*/bridge")
        if ENGINE_BRIDGE.fullmatch(path.parent.name)
    ]


def resolve(settings):
    """Map the host name of each service, if it has one, to its addresses; names that do not resolve now are left out."""
    found = {}
    for service in settings["services"]:
        host = service["host"].strip("[]")
        try:
            ipaddress.ip_address(host)
        except ValueError:
            with contextlib.suppress(OSError):
                found[host] = sorted({info[4][0] for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)})
    return found


def nft(*arguments, text=None):
    """Run nft and return the completed process."""
    return subprocess.run(["/usr/sbin/nft", *arguments], input=text, capture_output=True, text=True, check=False)


def listing():
    """Return the kernel's table as a sorted list of words, independent of the order of elements; None if it is missing."""
    done = nft("--stateless", "list", "table", "inet", TABLE)
    return sorted(done.stdout.replace(",", " ").split()) if done.returncode == 0 else None


def generation():
    """Return the generation of nftables: the number of all transactions so far, of any program."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER) as kernel:
        # Headers of netlink (length, type, NLM_F_REQUEST, no number, no port) and of nfnetlink (any family, version 0).
        kernel.send(struct.pack("=IHHIIBBH", 20, _GET_GENERATION, 1, 0, 0, 0, 0, 0))
        answer = kernel.recv(4096)
    # The first attribute, after both headers and its own: NFTA_GEN_ID.
    return struct.unpack_from(">I", answer, 24)[0]


def load(text):
    """Load the table; return its new listing, None if another transaction came in between."""
    before = generation()
    done = nft("-f", "-", text=text)
    if done.returncode != 0:
        sys.exit(f"nft cannot load the table inet langgraph: {done.stderr.strip()}")
    found = listing()
    return found if generation() == before + 1 else None


@contextlib.contextmanager
def lock():
    """Hold the lock for reading and loading the table. It ends with the process."""
    os.makedirs(STATE_DIR, mode=0o700, exist_ok=True)
    with open(os.path.join(STATE_DIR, "lock"), "w", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def ensure(look_up=False):
    """Load the table if it differs; return True if it was loaded. ``look_up``: resolve host names of services too."""
    settings = read_settings()
    if not settings:
        return False
    # Outside the lock, because resolving may take long.
    resolved = resolve(settings) if look_up else None
    with lock():
        state_file = os.path.join(STATE_DIR, "state.json")
        state = read_json(state_file)
        # A name that does not resolve now keeps its previous addresses.
        resolved = {**state.get("resolved", {}), **(resolved or {})}
        text = render(settings, read_deployments(settings["config_dir"]), engine_bridges(), resolved)
        found = listing()
        if found is not None and _MARK not in found:
            sys.exit("the table inet langgraph belongs to another program; rename it, or set firewall_enabled to false")
        if found is not None and text == state.get("text") and found == state.get("listing"):
            return False
        # A listing that may include another transaction is not remembered, so the next check loads the table again.
        found = next((found for found in (load(text) for _attempt in range(_ATTEMPTS)) if found), None)
        with open(f"{state_file}.new", "w", encoding="utf-8") as file:
            json.dump({"text": text, "listing": found, "resolved": resolved}, file)
        os.replace(f"{state_file}.new", state_file)
        return True


def remove():
    """Remove the table, unless it belongs to another program."""
    with lock():
        if _MARK in (listing() or ()):
            done = nft("delete", "table", "inet", TABLE)
            if done.returncode != 0:
                sys.exit(f"nft cannot remove the table inet langgraph: {done.stderr.strip()}")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(STATE_DIR, "state.json"))


def notify(text):
    """Notify systemd, if it started this process."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
            connection.sendto(text.encode(), address.replace("@", "\0", 1) if address[0] == "@" else address)


def wait_for_change(events):
    """Return at once when our table may have changed, and within _INTERVAL when any other table has."""
    deadline = None
    while True:
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        if not select.select([events], [], [], left)[0]:
            return
        try:
            data = events.recv(1 << 16)
        except OSError:
            # The queue has overflowed: some of the events may have been ours.
            return
        if f"{TABLE}\0".encode() in data:
            return
        deadline = deadline or time.monotonic() + _INTERVAL


def version():
    """Identify the current file of this program; None if it no longer exists."""
    try:
        found = os.stat(__file__)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def watch():
    """Apply, notify systemd, and apply again after each change, until this file is replaced by another version."""
    begun_as = version()
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER) as events:
        events.bind((0, _GROUP_NFTABLES))
        ensure()
        notify("READY=1")
        while True:
            wait_for_change(events)
            # This version must not undo what a newer one loaded. If the file was deleted, keep watching the table.
            if version() not in (begun_as, None):
                return
            if ensure():
                print("the table inet langgraph was loaded again because it or its input had changed", flush=True)


def apply():
    """Load the table if needed, and report that on standard output."""
    if ensure(look_up=True):
        sys.stdout.write("loaded\n")


def main():
    """Run one of the three commands."""
    steps = {"apply": apply, "watch": watch, "remove": remove}
    if len(sys.argv) != 2 or sys.argv[1] not in steps:
        sys.exit(
            "langgraph-firewall.py is run by langgraph-firewall.service; usage: langgraph-firewall.py apply|watch|remove"
        )
    try:
        steps[sys.argv[1]]()
    except (OSError, ValueError) as error:
        does = "remove" if sys.argv[1] == "remove" else "load"
        sys.exit(f"nft cannot {does} the table inet langgraph: {error}")


if __name__ == "__main__":
    main()
