# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the proxy is to serve."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.model import Deployment
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout import routing
from ansible_collections.selfhost.langgraph.tests.unit.plugins.module_utils._revisions.test_model import SETTINGS, made

DIRECT = {**SETTINGS, "proxy": "none", "port": 8124}
HOLDERS: dict[str, tuple[dict[str, t.Any], dict[str, t.Any], str | None]] = {
    "the same": ({}, {}, "direct"),
    "another port": ({"port": 8125}, {}, None),
    "another address": ({"bind_address": "10.1.2.3"}, {}, None),
    "all addresses": ({"bind_address": "10.1.2.3"}, {"bind_address": "0.0.0.0"}, "direct"),
    "all addresses are asked for": ({"bind_address": "::"}, {}, "direct"),
    "behind the proxy too": ({}, {"proxy": "haproxy"}, None),
    "serves no more": ({}, {"serving": None}, None),
    "is elsewhere": ({}, {"endpoint": {"address": "127.0.0.1", "port": 30000}}, None),
}


@pytest.mark.parametrize(("mine", "theirs", "holder"), HOLDERS.values(), ids=HOLDERS)
def test_who_has_the_port_without_the_proxy(mine: t.Any, theirs: t.Any, holder: str | None) -> None:
    deployment = Deployment("bot", {**SETTINGS, "port": 8124, **mine}, (made(2),))
    settings = {**DIRECT, **theirs}
    endpoint = settings.pop("endpoint", {"address": settings["bind_address"], "port": settings["port"]})
    others = [deployment, Deployment("direct", settings, (made(2, endpoint=endpoint),))]
    assert routing.holder_of_port(deployment, others) == holder


def test_routes_are_of_what_serves_behind_the_proxy() -> None:
    deployments = [
        Deployment("serves", SETTINGS, (made(1), made(2))),
        Deployment("direct", DIRECT, (made(2, endpoint={"address": "127.0.0.1", "port": 8124}),)),
        Deployment("behind another", {**SETTINGS, "port": 8124}, (made(2),)),
        Deployment("left in public", SETTINGS, (made(2, endpoint={"address": "127.0.0.1", "port": 8123}),)),
        Deployment("without an endpoint", SETTINGS, (made(2, endpoint=None),)),
        Deployment("serves nothing", {**SETTINGS, "serving": 7}, (made(2),)),
        Deployment("never served", None, (made(2),)),
    ]
    (route,) = routing.routes(deployments)
    assert (route.name, route.revision, route.target_port, route.port) == ("serves", 2, 30002, 8123)
    assert (route.hostname, route.prefix, route.tls) == (None, None, False)
