# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names that are nearly the collection's."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ansible_collections.selfhost.langgraph.plugins.plugin_utils._spelling import (
    edit_distance,
    misspelled,
    variables,
)

ROOT = Path(__file__).parents[4]


def test_variables_are_those_of_all_roles() -> None:
    found: set[str] = set()
    for path in ROOT.glob("roles/*/defaults/main.yml"):
        found |= set(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    assert variables() == found


@pytest.mark.parametrize(
    ("one", "two", "distance"),
    [
        ("", "", 0),
        ("abc", "", 3),
        ("abc", "abc", 0),
        ("abc", "abd", 1),
        ("abc", "ab", 1),
        ("abc", "xabc", 1),
        ("abcd", "acbd", 1),
        ("abcd", "badc", 2),
        ("ca", "abc", 3),
        ("kitten", "sitting", 3),
    ],
)
def test_edit_distance(one: str, two: str, distance: int) -> None:
    assert {edit_distance(*pair) for pair in ((one, two), (two, one))} == {distance}


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("langgraph_bind_adress", "langgraph_bind_address"),
        ("langgraph_keep_revision", "langgraph_keep_revisions"),
        ("langgraph_snapshto_dir", "langgraph_snapshot_dir"),
        ("langraph_secret_keys", "langgraph_secret_key"),
        ("redis_prot", "redis_port"),
        ("image_build", "image_builds"),
        ("docker_regsitry_mirrors", "docker_registry_mirrors"),
        ("proxy_certificate", "proxy_certificates"),
    ],
)
def test_a_misspelled_variable(name: str, meant: str) -> None:
    assert list(misspelled([name], {})) == [f"'{name}' is not a variable of the collection; did you mean '{meant}'?"]


@pytest.mark.parametrize(
    "name",
    [
        *("redis_host", "redis_unixsocket", "redis_version", "docker_package", "docker_users", "docker_edition"),
        *("postgresql_version", "postgresql_settings", "postgres_host", "postgres_user", "postgres_password"),
        *("registry_host", "registry_ca_pem", "redis_bind", "image", "proxy", "proxy_env", "http_proxy", "firewall"),
        *(
            "vault_langgraph_secret_key",
            "langgraph_version",
            "deployment",
            "format",
            "__langgraph_only",
            "ansible_port",
        ),
    ],
)
def test_names_of_others_are_left_alone(name: str) -> None:
    assert list(misspelled([name], {})) == []


def test_names_of_ours_are_known() -> None:
    ours = ["langgraph_hosts", "langgraph_redis", "langgraph_postgres", "langgraph_registry", "all", "ungrouped"]
    assert list(misspelled(variables(), {name: ["app1"] for name in ours})) == []


def test_a_child_with_a_similar_name_is_intended() -> None:
    groups = {"langgraph_hosts": ["app1", "app2"], "langgraph_hosts_2": ["app2"], "langgraph_hostss": []}
    assert list(misspelled([], groups)) == []


@pytest.mark.parametrize(
    ("group", "meant"),
    [
        ("langgraph_reddis", "langgraph_redis"),
        ("langgraph_host", "langgraph_hosts"),
        ("langraph_hosts", "langgraph_hosts"),
    ],
)
def test_a_misspelled_group(group: str, meant: str) -> None:
    assert list(misspelled([], {group: ["app1"], "all": ["app1"], "langgraph_redis": ["data1"]})) == [
        f"'{group}' is not a group of the collection; did you mean '{meant}'?"
    ]


def test_extra_variables_that_are_nearly_deployment() -> None:
    """Without the name the run would be for all deployments; a variable of an inventory may have such a name."""
    line = "'deploymnet' is not a variable of the collection; did you mean 'deployment'?"
    assert list(misspelled([], {}, {"deploymnet": "bot", "deployment": "x", "revision": "3", "env": "y"})) == [line]
    assert list(misspelled(["deployments", "deploymnet"], {}, {"deployment": "bot"})) == []
    # A list of one's own, which the inventory uses.
    assert list(misspelled([], {}, {"deployments": [{"name": "bot"}]})) == []
