# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the engine lists, as a run reads it."""

from __future__ import annotations

import typing as t
from types import SimpleNamespace

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._host import docker_engine

# As engine 20.10 and 26.1 list running containers; a port that is only exposed has no public one.
CONTAINERS = [
    {
        "Id": "1" * 64,
        "Names": ["/shop-postgres"],
        "Labels": {},
        "Ports": [
            {"IP": "0.0.0.0", "PrivatePort": 5432, "PublicPort": 5432, "Type": "tcp"},
            {"IP": "::", "PrivatePort": 5432, "PublicPort": 5432, "Type": "tcp"},
            {"PrivatePort": 9000, "Type": "tcp"},
            {"IP": "0.0.0.0", "PrivatePort": 53, "PublicPort": 53, "Type": "udp"},
        ],
    },
    {
        "Id": "2" * 64,
        "Names": ["/langgraph-bot.1"],
        "Labels": {docker_engine.LABEL: "x"},
        "Ports": [{"IP": "127.0.0.1", "PrivatePort": 8000, "PublicPort": 8123, "Type": "tcp"}],
    },
    {"Id": "3" * 64, "Names": None, "Labels": None, "Ports": None},
    {"Id": "4" * 64, "Names": [], "Ports": [{"PrivatePort": 80, "PublicPort": 80, "Type": "tcp"}]},
]


def test_ports_that_containers_publish() -> None:
    found = docker_engine.published_ports(SimpleNamespace(containers=lambda: CONTAINERS))
    assert [(item["address"], item["port"], item["program"]) for item in found] == [
        ("0.0.0.0", 5432, "container shop-postgres"),
        ("::", 5432, "container shop-postgres"),
        ("127.0.0.1", 8123, "docker-proxy"),
        ("0.0.0.0", 80, f"container {'4' * 12}"),
    ]
    assert {item["user"] for item in found} == {"root"}


def test_an_engine_that_does_not_answer() -> None:
    def containers() -> t.NoReturn:
        raise OSError("hung up")

    with pytest.raises(docker_engine.EngineError, match="cannot list its containers: hung up"):
        docker_engine.published_ports(SimpleNamespace(containers=containers))
