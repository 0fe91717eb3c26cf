# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Addresses that somebody else has are found before a network is made of them."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._host.engine_network import (
    Route,
    network_problems,
    parse_routes,
)

WANTED = {"name": "langgraph", "subnet": "172.29.0.0/16", "gateway": "172.29.0.1", "bridge": "langgraph0"}
# A default route, one of the machine's network, one of a VPN, one that is down, one that rejects.
TABLE = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
tun0\t00001DAC\t00000000\t0003\t0\t0\t0\t0000FFFF\t0\t0\t0
tun1\t00001EAC\t00000000\t0000\t0\t0\t0\t0000FFFF\t0\t0\t0
*\t00001FAC\t00000000\t0201\t0\t0\t0\t0000FFFF\t0\t0\t0
"""


def network(name: str, subnet: str, gateway: str = "", bridge: str = "", **more: t.Any) -> dict[str, t.Any]:
    options = {"com.docker.network.bridge.name": bridge} if bridge else {}
    config = {"Subnet": subnet, **({"Gateway": gateway} if gateway else {})}
    return {"Name": name, "Id": f"{name:0<64}", "Options": options, "IPAM": {"Config": [config]}, **more}


OURS = network("langgraph", "172.29.0.0/16", "172.29.0.1", "langgraph0")
ROUTE = Route("172.29.0.0/16", "langgraph0")


def problems(
    networks: t.Sequence[t.Any] = (), routes: t.Sequence[Route] = (), addresses: t.Sequence[str] = (), **wanted: str
) -> list[str]:
    return list(network_problems({**WANTED, **wanted}, networks, routes, addresses))


def test_routes_are_read() -> None:
    assert parse_routes(TABLE) == [
        Route("0.0.0.0/0", "eth0"),
        Route("192.168.1.0/24", "eth0"),
        Route("172.29.0.0/16", "tun0"),
    ]


def test_a_bare_host_has_room() -> None:
    assert (
        problems(routes=[Route("0.0.0.0/0", "eth0"), Route("10.0.0.0/8", "eth0")], addresses=["10.0.0.5", "::5"]) == []
    )


@pytest.mark.parametrize("subnet", ["172.29.0.0/16", "172.29.7.0/24", "172.16.0.0/12"])
def test_another_network_of_the_engine(subnet: str) -> None:
    (found,) = problems([network("shop_default", subnet), network("v6", "fd00::/64")])
    assert found.startswith(
        f"docker_network_subnet: 172.29.0.0/16 is already in use on the host by the engine's network 'shop_default' ({subnet}); "
    )
    assert "docker_network_gateway" in found


def test_a_route_of_the_host() -> None:
    (found,) = problems(routes=[Route("172.29.4.0/22", "wg0")])
    assert "in use on the host by the route to 172.29.4.0/22 by wg0" in found


def test_a_way_to_everywhere_takes_nothing() -> None:
    assert problems(routes=[Route("0.0.0.0/1", "tun0"), Route("128.0.0.0/1", "tun0")]) == []


def test_an_address_of_the_host() -> None:
    (found,) = problems(addresses=["172.29.0.1"])
    assert "by its own address 172.29.0.1" in found


def test_one_line_names_a_network_that_is_free() -> None:
    (found,) = problems([network("a", "172.29.0.0/16"), network("b", "172.31.0.0/16")], [Route("172.30.0.0/17", "wg0")])
    assert found.endswith(
        "set it and docker_network_gateway to a free subnet, for example 172.28.0.0/16 and 172.28.0.1"
    )


@pytest.mark.parametrize("networks", [[OURS], []])
def test_our_own_network_is_nobody_elses(networks: list[t.Any]) -> None:
    """With an engine that stands still there is the bridge alone."""
    assert problems(networks, [ROUTE], ["172.29.0.1"]) == []


def test_what_came_after_our_network_stops_no_upgrade() -> None:
    assert problems([OURS], [ROUTE, Route("172.29.8.0/24", "wg0")]) == []


def test_our_network_may_get_other_addresses_that_are_free() -> None:
    assert problems([OURS], [ROUTE], ["172.29.0.1"], subnet="172.29.0.0/17") == []
    moved = {"subnet": "172.28.0.0/16", "gateway": "172.28.0.1"}
    assert problems([OURS], [ROUTE], ["172.29.0.1"], **moved) == []
    (found,) = problems([OURS, network("shop", "172.28.0.0/16")], [ROUTE], **moved)
    assert "'shop'" in found


def test_a_network_of_that_name_with_others_in_it_is_not_made_anew() -> None:
    theirs = network(
        "langgraph", "10.9.0.0/16", "10.9.0.1", Containers={"1": {"Name": "shop"}, "2": {"Name": "langgraph-a.1"}}
    )
    (found,) = problems([theirs])
    assert found.startswith("docker_network_name: the engine has a different network 'langgraph', used by shop; set")
    theirs["Containers"] = {"2": {"Name": "langgraph-a.1"}}
    assert problems([theirs]) == []


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"subnet": "172.29.0.1/16"}, "has host bits set"),
        ({"subnet": "fd00::/64"}, "docker_network_subnet, docker_network_gateway"),
        ({"gateway": "172.30.0.1"}, "172.30.0.1 is not a host address in 172.29.0.0/16; set it to 172.29.0.1"),
        ({"gateway": "172.29.255.255"}, "is not a host address"),
    ],
)
def test_addresses_that_make_no_network(wanted: dict[str, str], said: str) -> None:
    (found,) = problems(**wanted)
    assert said in found
