# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Render the part of the proxy's configuration that has the deployments' routes. No I/O."""

from __future__ import annotations

import hashlib
import ipaddress
import re
import typing as t
from dataclasses import dataclass
from itertools import groupby

CERTIFICATES = "/etc/langgraph-proxy/certificates/"
DEFAULT_ADDRESS = "127.0.0.1"

_HEAD = """\
# Written by selfhost.langgraph; do not edit it: the next change of a deployment replaces it.
# The description identifies the configuration that a worker has loaded: `show info` on the admin socket prints it.
global
    description {config_id}

"""
# No deployment can have this name: names contain no dot.
_NOBODY = "no.deployment"
_NOBODY_LINES = (
    f"backend {_NOBODY} from langgraph",
    '    http-request return status 404 content-type text/plain string "No deployment answers here.\\n"',
)
_DESCRIPTION = re.compile(r"^    description (\S+)$", re.MULTILINE)
_BIND = re.compile(r"^    bind (\S+):(\d+)(?: |$)", re.MULTILINE)
_TARGET = re.compile(
    r"^backend (\S+) from langgraph\n(?:    http-request .*\n)*    server revision-(\d+) ", re.MULTILINE
)
_NAME = re.compile(r"[a-z0-9-]+")
# Characters that could end a word of the configuration, or have a meaning within one.
_PLAIN = re.compile(r"[!-~]+")
_SPECIAL = re.compile(r"[\"'#\\]")


@dataclass(frozen=True)
class Route:
    """One deployment's public address, and the address of its serving revision.

    Several deployments may share an address and a port if a host name, a path prefix, or both distinguish them.
    """

    name: str
    revision: int
    target_port: int
    bind_address: str
    port: int
    hostname: str | None = None
    prefix: str | None = None
    tls: bool = False
    target_address: str = DEFAULT_ADDRESS

    @property
    def listener(self) -> tuple[int, str]:
        """Return the port and the address in a normal form, for sorting and comparing."""
        return self.port, str(ipaddress.ip_address(self.bind_address.strip("[]")))

    @property
    def condition(self) -> tuple[str, str]:
        """Return the host name and the prefix; empty if any matches."""
        return (self.hostname or "").lower(), self.prefix or ""


def render(routes: t.Sequence[Route]) -> str:
    """Render 10-deployments.cfg, independent of the order of ``routes``. Raises ValueError if they conflict."""
    ordered = sorted(routes, key=lambda route: route.name)
    for route in ordered:
        _check(route)
    if len({route.name for route in ordered}) < len(ordered):
        raise ValueError("two routes have the same name")
    by_listener = sorted(ordered, key=lambda route: route.listener)
    groups = groupby(by_listener, lambda route: route.listener)
    sections = [_frontend(port, address, list(group)) for (port, address), group in groups]
    sections += [_backend(route) for route in ordered]
    body = "\n".join("".join(f"{line}\n" for line in section) for section in [*sections, _NOBODY_LINES])
    digest = hashlib.sha256(body.encode()).hexdigest()[:16]
    return _HEAD.format(config_id=f"selfhost.langgraph:{digest}") + body


def config_id(text: str) -> str:
    """Return the description by which a worker that has loaded ``text`` identifies itself."""
    found = _DESCRIPTION.search(text)
    if found is None:
        raise ValueError("the configuration has no description")
    return found[1]


def listeners(text: str) -> list[tuple[str, int]]:
    """Return the addresses and ports that a worker with this configuration listens on."""
    return [(address.strip("[]"), int(port)) for address, port in _BIND.findall(text)]


def targets(text: str) -> set[tuple[str, int]]:
    """Return the deployments to which a configuration routes requests, each with its revision."""
    return {(name, int(number)) for name, number in _TARGET.findall(text)}


def _check(route: Route) -> None:
    """Refuse values that could become a directive; deployments are checked earlier, this is the last check."""
    if not _NAME.fullmatch(route.name):
        raise ValueError(f"{route.name!r} is not a valid deployment name")
    for value in (route.target_address, route.bind_address, route.hostname, route.prefix):
        if value is not None and (not _PLAIN.fullmatch(value) or _SPECIAL.search(value)):
            raise ValueError(f"deployment '{route.name}': {value!r} is not allowed in the proxy's configuration")
    if route.prefix is not None and (not route.prefix.startswith("/") or route.prefix.endswith("/")):
        raise ValueError(f"deployment '{route.name}': {route.prefix!r} is not a valid path prefix")
    for port in (route.port, route.target_port):
        if not 0 < port < 65536:
            raise ValueError(f"deployment '{route.name}': {port} is not a valid port")


def _frontend(port: int, address: str, routes: t.Sequence[Route]) -> t.Iterator[str]:
    """Yield one frontend: a listener, and the rules that select one of ``routes`` for a request."""
    where = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    first = routes[0]
    _go_together(where, routes)
    yield f"frontend port-{port}{'' if address == DEFAULT_ADDRESS else f'-{address}'} from langgraph"
    if first.tls:
        yield f"    bind {where} ssl crt {CERTIFICATES} alpn h2,http/1.1"
        yield "    http-request set-header X-Forwarded-Proto https"
    else:
        yield f"    bind {where}"
        # The header of a load balancer in front of it takes precedence.
        yield "    http-request set-header X-Forwarded-Proto http unless { req.hdr(X-Forwarded-Proto) -m found }"
    otherwise = _NOBODY
    for route in sorted(routes, key=_from_special_to_general):
        hostname, prefix = route.condition
        conditions = []
        if hostname:
            yield f"    acl host:{route.name} req.hdr(host),host_only -m str -i -- {hostname}"
            conditions.append(f"host:{route.name}")
        if prefix:
            yield f"    acl path:{route.name} path -m str -- {prefix}"
            yield f"    acl path:{route.name} path -m beg -- {prefix}/"
            conditions.append(f"path:{route.name}")
        if conditions:
            yield f"    use_backend {route.name} if {' '.join(conditions)}"
        else:
            otherwise = route.name
    yield f"    default_backend {otherwise}"


def _go_together(where: str, routes: t.Sequence[Route]) -> None:
    names = ", ".join(f"'{route.name}'" for route in routes)
    if len({route.tls for route in routes}) > 1:
        raise ValueError(f"deployments {names} share {where}: either all of them or none must use TLS")
    if len({route.condition for route in routes}) < len(routes):
        raise ValueError(f"deployments {names} share {where}: each needs its own hostname or prefix")


def _from_special_to_general(route: Route) -> tuple[bool, int, str]:
    hostname, prefix = route.condition
    return not hostname, -len(prefix), route.name


def _backend(route: Route) -> t.Iterator[str]:
    """Yield the backend of the serving revision, without a health check: a drain would count it as a session."""
    yield f"backend {route.name} from langgraph"
    if route.prefix:
        # The server always has /ok at its root, whatever its mount prefix.
        yield f"    http-request set-path /ok if {{ path -m str -- {route.prefix}/ok }}"
    yield f"    server revision-{route.revision} {route.target_address}:{route.target_port}"
