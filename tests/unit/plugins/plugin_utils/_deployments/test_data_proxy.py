# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The listeners and backends of a host's data proxy, and ports that another program uses."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.data_proxy import (
    data_proxy_plan,
    not_accepted,
    own_addresses,
    servers_not_in_run,
    taken_ports,
)

GATEWAY = "172.29.0.1"
PG, REDIS = "/run/langgraph-postgres/.s.PGSQL.5432", "/run/langgraph-redis/redis.sock"
SINGLE = {"langgraph_hosts": ["one"], "langgraph_redis": ["one"], "langgraph_postgres": ["one"]}
FLEET = {"langgraph_hosts": ["app1", "app2"], "langgraph_redis": ["data"], "langgraph_postgres": ["data"]}


def facts(address: str, more: t.Sequence[str] = ()) -> dict[str, t.Any]:
    """Return the facts of a host with Docker: other hosts cannot reach it by its bridges."""
    return {
        "default_ipv4": {"address": address},
        "interfaces": ["lo", "eth0", "eth-1", "docker0", "langgraph0"],
        "lo": {"type": "loopback", "ipv4": {"address": "127.0.0.1"}},
        "eth0": {
            "type": "ether",
            "ipv4": {"address": address},
            "ipv6": [{"address": "fe80::1", "scope": "link"}, {"address": "fd00::5", "scope": "global"}],
        },
        "eth_1": {"type": "ether", "ipv4_secondaries": [{"address": one} for one in more]},
        "docker0": {"type": "bridge", "ipv4": {"address": "172.17.0.1"}},
        "langgraph0": {"type": "bridge", "ipv4": {"address": GATEWAY}},
    }


def host(name: str, address: str = "", **more: t.Any) -> dict[str, t.Any]:
    """Return the variables of a host; its facts are known if it has an address."""
    return {"inventory_hostname": name, **({"ansible_facts": facts(address)} if address else {}), **more}


def gateway(which: str, server: str, **more: t.Any) -> dict[str, t.Any]:
    """Return the gateway listener of a service on a host with deployments."""
    port = {"postgres": 5432, "redis": 6379}[which]
    local = server.startswith("/")
    return {"name": which, "address": GATEWAY, "port": port, "sources": [], "server": server, "local": local, **more}


def plan(hosts: t.Sequence[dict[str, t.Any]], name: str, groups: t.Any = None) -> dict[str, t.Any]:
    """Return the plan of one host; all hosts are in the play."""
    return data_proxy_plan(hosts, name, groups or {}, [item["inventory_hostname"] for item in hosts])


def test_a_single_host_needs_no_facts() -> None:
    wanted = [gateway("postgres", PG), gateway("redis", REDIS)]
    assert plan([host("one")], "one", SINGLE) == {"listeners": wanted, "unknown": [], "problems": []}
    assert plan([host("one")], "one") == {"listeners": wanted, "unknown": [], "problems": []}


def test_options_of_a_single_host() -> None:
    options = {
        "docker_network_gateway": "10.9.0.1",
        "redis_port": "6390",
        "postgres_port": 5433,
        "redis_unix_socket": "/run/x",
    }
    assert plan([host("one", **options)], "one", SINGLE)["listeners"] == [
        gateway("postgres", PG.replace("5432", "5433"), address="10.9.0.1", port=5433),
        gateway("redis", "/run/x", address="10.9.0.1", port=6390),
    ]


def test_services_by_uri_are_reached_directly() -> None:
    uri = {"langgraph_postgres_admin_uri": "postgresql://u:p@db/postgres"}
    assert plan([host("one", **uri)], "one", SINGLE)["listeners"] == [gateway("redis", REDIS)]
    uri["langgraph_redis_admin_uri"] = "rediss://u:p@r"
    assert plan([host("one", **uri)], "one", SINGLE)["listeners"] == []


def test_data_on_a_separate_host() -> None:
    hosts = [host("app1", "10.0.0.11"), host("app2", "10.0.0.12"), host("data", "10.0.0.10", redis_port=6390)]
    assert plan(hosts, "app1", FLEET) == {
        "listeners": [
            gateway("postgres", "10.0.0.10:5432", host="data"),
            gateway("redis", "10.0.0.10:6390", port=6390, host="data"),
        ],
        "unknown": [],
        "problems": [],
    }
    (postgres, redis) = plan(hosts, "data", FLEET)["listeners"]
    assert postgres == {
        "name": "postgres-hosts",
        "address": "10.0.0.10",
        "port": 5432,
        "sources": ["10.0.0.11", "10.0.0.12", "fd00::5"],
        "server": PG,
        "local": True,
    }
    assert (redis["name"], redis["port"], redis["server"]) == ("redis-hosts", 6390, REDIS)


def test_a_data_host_with_deployments_has_both_listeners() -> None:
    groups = {**FLEET, "langgraph_hosts": ["app1", "data"]}
    names = [
        (item["name"], item["address"])
        for item in plan([host("app1", "10.0.0.11"), host("data", "10.0.0.10")], "data", groups)["listeners"]
    ]
    assert names == [
        ("postgres", GATEWAY),
        ("postgres-hosts", "10.0.0.10"),
        ("redis", GATEWAY),
        ("redis-hosts", "10.0.0.10"),
    ]


def test_a_users_own_play_on_another_group() -> None:
    """A host in none of our groups runs deployments; a data host does not, even if it is in the play."""
    hosts = [host("mine", "10.0.0.9"), host("app1", "10.0.0.11"), host("app2", "10.0.0.12"), host("data", "10.0.0.10")]
    assert [item["address"] for item in plan(hosts, "mine", FLEET)["listeners"]] == [GATEWAY, GATEWAY]
    assert {item["address"] for item in plan(hosts, "data", FLEET)["listeners"]} == {"10.0.0.10"}


def test_a_users_own_play_on_the_data_host() -> None:
    """Without the group langgraph_hosts, every host of the play runs deployments."""
    groups = {"langgraph_redis": ["one"], "langgraph_postgres": ["one"]}
    assert [item["address"] for item in plan([host("one")], "one", groups)["listeners"]] == [GATEWAY, GATEWAY]


def test_each_host_may_have_its_own_servers() -> None:
    own = [host(name, langgraph_redis_server=name, langgraph_postgres_server=name) for name in ("app1", "app2")]
    for name in ("app1", "app2"):
        assert [item["server"] for item in plan(own, name, FLEET)["listeners"]] == [PG, REDIS]


@pytest.mark.parametrize(
    ("known", "name", "unknown"),
    [
        ({}, "app1", ["data"]),
        ({"data": "10.0.0.10"}, "app1", []),
        ({}, "data", ["app1", "app2", "data"]),
        ({"data": "10.0.0.10", "app2": "10.0.0.12"}, "data", ["app1"]),
    ],
)
def test_hosts_with_unknown_addresses(known: dict[str, str], name: str, unknown: list[str]) -> None:
    hosts = [host(each, known.get(each, "")) for each in ("app1", "app2", "data")]
    found = plan(hosts, name, FLEET)
    assert (found["unknown"], found["problems"]) == (unknown, [])


def test_a_configured_address_needs_no_facts() -> None:
    hosts = [host(f"app{number}", data_proxy_address=f"10.1.0.{number}") for number in (1, 2)]
    hosts.append(host("data", data_proxy_address="fd00::7"))
    assert plan(hosts, "app1", FLEET)["listeners"][0]["server"] == "[fd00::7]:5432"
    found = plan(hosts, "data", FLEET)
    assert found["unknown"] == []
    assert [(item["address"], item["sources"]) for item in found["listeners"]] == [
        ("fd00::7", ["10.1.0.1", "10.1.0.2"])
    ] * 2


def test_the_inventory_address_is_preferred_if_the_host_has_it() -> None:
    data = host("data", ansible_host="10.5.0.1", ansible_facts=facts("198.51.100.7", ["10.5.0.1"]))
    assert plan([host("app1"), host("app2"), data], "app1", FLEET)["listeners"][0]["server"] == "10.5.0.1:5432"


PUBLIC = host("data", "8.8.8.8", ansible_host="8.8.4.4")
PROBLEMS: dict[str, tuple[dict[str, t.Any], str]] = {
    "public": (
        PUBLIC,
        "data serves Redis or Postgres to other hosts and its usual address is not private; set data_proxy_address",
    ),
    "wildcard": (
        host("data", data_proxy_address="0.0.0.0"),
        "data_proxy_address of data is '0.0.0.0'; set the address",
    ),
    "name": (
        host("data", data_proxy_address="data.example"),
        "data_proxy_address of data is 'data.example', which is not an IP address",
    ),
}


@pytest.mark.parametrize(("data", "problem"), PROBLEMS.values(), ids=PROBLEMS)
def test_an_unusable_address(data: dict[str, t.Any], problem: str) -> None:
    hosts = [host("app1", "10.0.0.11"), host("app2", "10.0.0.12"), data]
    for name in ("app1", "data"):
        found = plan(hosts, name, FLEET)
        assert len(found["problems"]) == 1
        assert found["problems"][0].startswith(problem)
        assert found["listeners"] == []


def test_a_configured_public_address_is_accepted() -> None:
    hosts = [host("app1", "10.0.0.11"), host("app2", "10.0.0.12"), {**PUBLIC, "data_proxy_address": "8.8.8.8"}]
    assert plan(hosts, "data", FLEET)["problems"] == []


def test_other_problems() -> None:
    assert plan([host("one", redis_port=5432)], "one", SINGLE)["problems"] == [
        "Redis and Postgres have the same port 5432; change redis_port or postgres_port"
    ]
    assert plan([host("one", langgraph_redis_server="db")], "one", SINGLE)["problems"] == [
        "langgraph_redis_server is 'db', which is not a host of the inventory; correct it"
    ]


def test_addresses_of_a_host() -> None:
    assert own_addresses(host("one", "10.0.0.1")) == ["10.0.0.1", "fd00::5"]
    assert own_addresses(host("one", ansible_facts={"distribution": "Debian"})) is None


def bridged(name: str, address: str, **more: t.Any) -> dict[str, t.Any]:
    """Return a hypervisor: its uplink is a bridge, in addition to Docker's bridges."""
    bridge = {"type": "bridge", "ipv4": {"address": address}}
    interfaces = {"interfaces": ["lo", "eno1", "br-lan", "docker0"], "eno1": {"type": "ether"}, "br_lan": bridge}
    routes = {"default_ipv4": {"address": address, "interface": "br-lan"}}
    return host(name, ansible_facts={**facts(address), **interfaces, **routes, **more})


def test_a_host_whose_uplink_is_a_bridge() -> None:
    assert own_addresses(bridged("one", "10.0.0.1")) == ["10.0.0.1"]
    hosts = [bridged("app1", "10.0.0.11"), bridged("app2", "10.0.0.12"), bridged("data", "10.0.0.10")]
    found = plan(hosts, "data", FLEET)
    assert found["problems"] == []
    assert [(item["address"], item["sources"]) for item in found["listeners"]] == [
        ("10.0.0.10", ["10.0.0.11", "10.0.0.12"])
    ] * 2


def test_a_bridge_with_the_ipv6_route_or_the_inventory_address() -> None:
    without = bridged("one", "10.0.0.1", default_ipv4={})
    assert own_addresses(without) == []
    assert own_addresses({**without, "ansible_host": "10.0.0.1"}) == ["10.0.0.1"]
    assert own_addresses(bridged("one", "10.0.0.1", default_ipv4={}, default_ipv6={"interface": "br-lan"})) == [
        "10.0.0.1"
    ]


def test_a_client_host_without_an_address_is_reported() -> None:
    hosts = [bridged("app1", "10.0.0.11", default_ipv4={}), host("app2", "10.0.0.12"), host("data", "10.0.0.10")]
    (problem,) = plan(hosts, "data", FLEET)["problems"]
    assert problem.startswith(
        "app1 uses Redis or Postgres on another host, but its facts contain no address that other hosts can reach"
    )


def test_a_configured_address_is_the_only_one_with_or_without_facts() -> None:
    """Facts may be cached, and the configuration must not depend on the control node."""
    data = host("data", "10.0.0.10")
    known = [
        host("app1", "10.0.0.11", data_proxy_address="10.1.0.1"),
        host("app2", "10.0.0.12", data_proxy_address="10.1.0.2"),
    ]
    unknown = [host("app1", data_proxy_address="10.1.0.1"), host("app2", data_proxy_address="10.1.0.2")]
    assert plan([*known, data], "data", FLEET) == plan([*unknown, data], "data", FLEET)
    assert plan([*known, data], "data", FLEET)["listeners"][0]["sources"] == ["10.1.0.1", "10.1.0.2"]


@pytest.mark.parametrize("given", ["app1.example", "0.0.0.0"])
def test_an_invalid_configured_address(given: str) -> None:
    hosts = [host("app1", data_proxy_address=given), host("app2", "10.0.0.12"), host("data", "10.0.0.10")]
    (problem,) = plan(hosts, "data", FLEET)["problems"]
    assert problem.startswith(f"data_proxy_address of app1 is '{given}'")


def listens(address: str, port: int, user: str = "redis", program: str = "redis-server") -> dict[str, t.Any]:
    return {"address": address, "port": port, "user": user, "program": program}


LISTENERS = [
    gateway("postgres", PG),
    gateway("redis", REDIS),
    gateway("redis", REDIS, name="redis-hosts", address="10.0.0.10"),
]


@pytest.mark.parametrize("address", ["172.29.0.1", "0.0.0.0", "::", "10.0.0.10"])
def test_a_port_in_use(address: str) -> None:
    lines = taken_ports(LISTENERS, [listens(address, 6379)], "one")
    assert lines
    for line in lines:
        assert "redis-server listens on" in line
        assert "of one; change redis_port" in line


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "192.0.2.1", "fd00::5"])
def test_a_port_that_is_free_on_the_listeners_address(address: str) -> None:
    assert taken_ports(LISTENERS, [listens(address, 6379), listens("0.0.0.0", 80)], "one") == []


def test_our_own_proxy_uses_the_ports() -> None:
    assert taken_ports(LISTENERS, [listens(GATEWAY, 6379, "langgraph-data-proxy", "haproxy")], "one") == []
    (line,) = taken_ports(LISTENERS, [listens("0.0.0.0", 5432, "haproxy", "haproxy")], "one")
    assert line.startswith(
        "the data proxy cannot listen on 172.29.0.1:5432: haproxy listens on 0.0.0.0:5432 of one; change postgres_port"
    )


def test_a_run_on_some_hosts_asks_the_servers_that_are_not_in_it() -> None:
    hosts = [host("app1", "10.0.0.11"), host("app2", "10.0.0.12"), host("data", "fd00::9")]
    listeners = plan(hosts, "app1", FLEET)["listeners"]
    asked = [
        {"name": "postgres", "address": "fd00::9", "port": 5432},
        {"name": "redis", "address": "fd00::9", "port": 6379},
    ]
    assert servers_not_in_run(listeners, ["app1"]) == asked
    assert servers_not_in_run(listeners, ["app1", "data"]) == []
    assert servers_not_in_run(listeners, []) == []
    assert servers_not_in_run(plan([host("one")], "one", SINGLE)["listeners"], ["two"]) == []


def test_a_server_that_closes_is_one_line_with_both_hosts() -> None:
    listeners = plan([host("app1", "10.0.0.11"), host("data", "10.0.0.10")], "app1", FLEET)["listeners"]
    (line,) = not_accepted(listeners, ["postgres", "redis"], "app1")
    assert "data has the Redis or Postgres of app1 and closes its connections" in line
    assert line.endswith("--limit app1,data")
    assert not_accepted(listeners, ["redis"], "app1") == [line]
    assert not_accepted(listeners, [], "app1") == []
    assert not_accepted(plan([host("one")], "one", SINGLE)["listeners"], ["redis"], "one") == []


def test_the_plan_reports_ports_in_use_once_they_are_known() -> None:
    played = ["one"]
    found = data_proxy_plan([host("one")], "one", SINGLE, played, [listens("0.0.0.0", 6379)])
    assert [listener["name"] for listener in found["listeners"]] == ["postgres", "redis"]
    (problem,) = found["problems"]
    assert problem.startswith(
        f"the data proxy cannot listen on {GATEWAY}:6379: redis-server listens on 0.0.0.0:6379 of one"
    )
    assert data_proxy_plan([host("one")], "one", SINGLE, played, [listens("127.0.0.1", 6379)])["problems"] == []
