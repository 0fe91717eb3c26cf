# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The configuration that sends each request to its deployment."""

from __future__ import annotations

import re
import typing as t
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.selfhost.langgraph.plugins.module_utils._haproxy.config import (
    Route,
    config_id,
    listeners,
    render,
    targets,
)

ALONE = Route("bot", 3, 30001, "127.0.0.1", 8123)


def section(text: str, head: str) -> list[str]:
    """The lines of one section, without their indent."""
    lines = next(part for part in text.split("\n\n") if part.startswith(f"{head} from langgraph\n")).splitlines()
    return [line.strip() for line in lines[1:]]


def directives(text: str, *words: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.split()[:1] and line.split()[0] in words]


def serves(text: str, port: str, host: str, path: str) -> str:
    """The backend that HAProxy would choose: the first use_backend whose ACLs all match, else the default."""
    acls: dict[str, list[bool]] = {}
    for line in section(text, f"frontend {port}"):
        words = line.split()
        if words[0] == "acl":
            name, value, pattern = words[1], words[2], words[-1]
            if value == "path":
                matches = path == pattern if "str" in words else path.startswith(pattern)
            else:
                assert value == "req.hdr(host),host_only"
                matches = "-i" in words and re.sub(r":\d+$", "", host).lower() == pattern.lower()
            acls.setdefault(name, []).append(matches)
        elif words[0].endswith("_backend") and all(any(acls[name]) for name in words[3:]):
            return words[1]
    raise AssertionError(port)


def test_one_deployment_alone() -> None:
    text = render([ALONE])
    assert text.startswith("# Written by selfhost.langgraph; do not edit it")
    assert section(text, "frontend port-8123") == [
        "bind 127.0.0.1:8123",
        "http-request set-header X-Forwarded-Proto http unless { req.hdr(X-Forwarded-Proto) -m found }",
        "default_backend bot",
    ]
    # No check: systemd owns health, and a check would look like a request to a drain.
    assert section(text, "backend bot") == ["server revision-3 127.0.0.1:30001"]


def test_tls() -> None:
    lines = section(render([replace(ALONE, tls=True)]), "frontend port-8123")
    assert lines[:2] == [
        "bind 127.0.0.1:8123 ssl crt /etc/langgraph-proxy/certificates/ alpn h2,http/1.1",
        "http-request set-header X-Forwarded-Proto https",
    ]


@pytest.mark.parametrize(
    ("address", "frontend", "bind"),
    [
        ("127.0.0.1", "port-8123", "127.0.0.1:8123"),
        ("0.0.0.0", "port-8123-0.0.0.0", "0.0.0.0:8123"),
        ("::1", "port-8123-::1", "[::1]:8123"),
        ("[::]", "port-8123-::", "[::]:8123"),
        ("fd00:0:0::1", "port-8123-fd00::1", "[fd00::1]:8123"),
    ],
)
def test_addresses(address: str, frontend: str, bind: str) -> None:
    text = render([replace(ALONE, bind_address=address)])
    assert section(text, f"frontend {frontend}")[0] == f"bind {bind}"
    assert listeners(text) == [(bind.rpartition(":")[0].strip("[]"), 8123)]


def test_listeners_of_nothing_and_with_tls() -> None:
    assert listeners(render([])) == []
    assert listeners(render([replace(ALONE, tls=True), Route("b", 1, 30002, "::1", 9)])) == [
        ("::1", 9),
        ("127.0.0.1", 8123),
    ]


def test_targets() -> None:
    assert targets("") == targets(render([])) == set()
    assert targets(render([ALONE, Route("b", 7, 30002, "::1", 9, prefix="/b")])) == {
        (ALONE.name, ALONE.revision),
        ("b", 7),
    }


SHARED = [
    Route("plain", 1, 30001, "0.0.0.0", 80, prefix="/p"),
    Route("deep", 1, 30002, "0.0.0.0", 80, prefix="/p/q"),
    Route("host", 1, 30003, "0.0.0.0", 80, hostname="A.Example.org"),
    Route("both", 1, 30004, "0.0.0.0", 80, hostname="a.example.org", prefix="/p"),
    Route("other", 1, 30005, "0.0.0.0", 80, hostname="b.example.org", prefix="/p/q"),
]


@pytest.mark.parametrize(
    ("host", "path", "backend"),
    [
        ("a.example.org", "/p", "both"),
        ("a.example.org:80", "/p/x", "both"),
        ("A.EXAMPLE.ORG", "/p/q", "both"),
        ("a.example.org", "/", "host"),
        ("a.example.org", "/pp", "host"),
        ("b.example.org", "/p/q/ok", "other"),
        ("b.example.org", "/p/ok", "plain"),
        ("b.example.org", "/", "no.deployment"),
        ("xa.example.org", "/", "no.deployment"),
        ("c", "/p/q/r", "deep"),
        ("c", "/p/qr", "plain"),
        ("c", "/P", "no.deployment"),
        ("c", "/x/p", "no.deployment"),
    ],
)
def test_the_most_specific_one_serves(host: str, path: str, backend: str) -> None:
    assert serves(render(SHARED), "port-80-0.0.0.0", host, path) == backend


def test_who_asks_for_no_deployment_is_told_so() -> None:
    (line,) = section(render(SHARED), "backend no.deployment")
    assert line.startswith('http-request return status 404 content-type text/plain string "')


def test_one_without_host_and_prefix_takes_the_rest() -> None:
    text = render([*SHARED, replace(ALONE, bind_address="0.0.0.0", port=80)])
    assert serves(text, "port-80-0.0.0.0", "c", "/x") == "bot"
    assert serves(text, "port-80-0.0.0.0", "c", "/p") == "plain"


def test_a_prefix_alone_on_its_port_is_no_default() -> None:
    text = render([replace(ALONE, prefix="/p")])
    assert serves(text, "port-8123", "x", "/p/threads") == "bot"
    assert serves(text, "port-8123", "x", "/ok") == "no.deployment"


def test_the_health_page_behind_a_prefix_is_at_the_servers_root() -> None:
    assert section(render([replace(ALONE, prefix="/p")]), "backend bot") == [
        "http-request set-path /ok if { path -m str -- /p/ok }",
        "server revision-3 127.0.0.1:30001",
    ]
    assert "set-path" not in render([replace(ALONE, hostname="a.example.org")])


def test_the_mark_is_of_all_that_follows() -> None:
    text = render([ALONE])
    assert re.fullmatch(r"selfhost\.langgraph:[0-9a-f]{16}", config_id(text))
    assert f"    description {config_id(text)}\n" in text
    changes = [replace(ALONE, revision=4), replace(ALONE, target_port=30002), replace(ALONE, tls=True)]
    assert len({config_id(render(routes)) for routes in ([], [ALONE], *([route] for route in changes))}) == 5
    with pytest.raises(ValueError):
        config_id("global\n")


@pytest.mark.parametrize(
    "change",
    [
        {"name": "a b"},
        {"name": "Bot"},
        {"name": ""},
        {"name": "no.deployment"},
        {"bind_address": "localhost"},
        {"bind_address": "127.0.0.1 ssl"},
        {"bind_address": ""},
        {"hostname": ""},
        {"hostname": "a b"},
        {"hostname": "a\n    server x 1.2.3.4:5"},
        {"hostname": "a\tb"},
        {"hostname": "a#b"},
        {"hostname": 'a"b'},
        {"hostname": "ä.example.org"},
        {"prefix": "/a'b"},
        {"prefix": "/a\\ b"},
        {"prefix": "/a\x00"},
        {"prefix": "/a\x7f"},
        {"prefix": "/a\u2028b"},
        {"prefix": "a"},
        {"prefix": "/"},
        {"prefix": "/a/"},
        {"port": 0},
        {"target_port": 65536},
    ],
)
def test_what_cannot_stand_there_is_refused(change: dict[str, t.Any]) -> None:
    with pytest.raises(ValueError):
        render([replace(ALONE, **change)])


@pytest.mark.parametrize("prefix", ["/a,b", "/$HOME", "/%[x]", "/}", "/{", "/-i", "/a;b", "/(", "/a%20b"])
def test_what_means_something_elsewhere_is_plain_here(prefix: str) -> None:
    text = render([replace(ALONE, prefix=prefix, hostname="-i")])
    assert serves(text, "port-8123", "-i", prefix) == "bot"
    # After `--`, nothing is an option.
    assert all(" -- " in line for line in directives(text, "acl"))


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (replace(ALONE, port=1), "same name"),
        (Route("b", 1, 30002, "127.0.0.1", 8123), "'b', 'bot' share 127.0.0.1:8123: each needs"),
        (Route("b", 1, 30002, "127.0.0.1", 8123, prefix="/b", tls=True), "either all of them or none must use TLS"),
    ],
)
def test_what_cannot_go_together_is_refused(other: Route, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        render([ALONE, other])


def test_host_names_differ_by_more_than_case_and_addresses_by_more_than_spelling() -> None:
    first = Route("a", 1, 30001, "::1", 80, hostname="x.example.org")
    with pytest.raises(ValueError, match="each needs"):
        render([first, replace(first, name="b", bind_address="[0:0::1]", hostname="X.EXAMPLE.ORG")])


NAMES = st.from_regex(r"[a-z0-9][a-z0-9-]{0,12}", fullmatch=True)
HOSTNAMES = st.none() | st.sampled_from(["a.example.org", "B.example.org", "c"])
PREFIXES = st.none() | st.sampled_from(["/p", "/p/q", "/q", "/$x", "/p{", "/-i"])
ADDRESSES = st.sampled_from(["127.0.0.1", "0.0.0.0", "::1", "[::]"])
PORTS = st.integers(1, 65535)
PUBLIC_PORTS = st.sampled_from([80, 443, 8123])


def together(routes: list[Route]) -> list[Route]:
    """What the checks before would let through of them."""
    tls: dict[t.Any, bool] = {}
    taken = set()
    kept = []
    for route in routes:
        if (route.listener, route.condition) not in taken and tls.setdefault(route.listener, route.tls) == route.tls:
            taken.add((route.listener, route.condition))
            kept.append(route)
    return kept


MIXES = st.lists(
    st.builds(Route, NAMES, PORTS, PORTS, ADDRESSES, PUBLIC_PORTS, HOSTNAMES, PREFIXES, st.booleans()),
    unique_by=lambda route: route.name,
    max_size=12,
).map(together)


@given(MIXES, st.randoms())
def test_any_mix(routes: list[Route], random: t.Any) -> None:
    text = render(routes)
    # Each deployment once, with its own server, ...
    backends = [line.split()[1] for line in directives(text, "backend")]
    assert backends == [*sorted(route.name for route in routes), "no.deployment"]
    for route in routes:
        lines = section(text, f"backend {route.name}")
        assert lines[-1] == f"server revision-{route.revision} 127.0.0.1:{route.target_port}"
    # ... that one front-end sends to, ...
    chosen = [line.split()[1] for line in directives(text, "use_backend", "default_backend")]
    assert sorted(name for name in chosen if name != "no.deployment") == sorted(route.name for route in routes)
    # ... and one front-end a listener.
    heads = [line.split()[1] for line in directives(text, "frontend")]
    assert len(heads) == len(set(heads)) == len(listeners(text)) == len({route.listener for route in routes})
    # Nothing else begins a section or a line.
    known = "global description frontend bind http-request acl use_backend default_backend backend server #"
    assert {line.split()[0] for line in text.splitlines() if line} <= set(known.split())
    # What is asked for at its address reaches it, or one that is more special.
    by_name = {route.name: route for route in routes}
    for route in routes:
        port, address = route.listener
        host, prefix = route.condition
        where = f"port-{port}" if address == "127.0.0.1" else f"port-{port}-{address}"
        found = by_name[serves(text, where, host or "nobody", f"{prefix}/x")]
        assert found.listener == route.listener
        assert (bool(found.hostname), len(found.prefix or "")) >= (bool(host), len(prefix))
    shuffled = list(routes)
    random.shuffle(shuffled)
    assert render(shuffled) == text
