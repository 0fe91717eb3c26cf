# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the role postgres creates its cluster, next to the settings of the host's administrators."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres import cluster

ROLE = Path(__file__).parents[3] / "roles/postgres"


def tasks(name: str) -> dict[str, dict[str, t.Any]]:
    """Return the tasks of a file by name, including those in blocks, in order."""
    found: dict[str, dict[str, t.Any]] = {}
    for task in yaml.safe_load((ROLE / f"tasks/{name}.yml").read_text()):
        found |= {each["name"]: each for each in (task, *task.get("block", ()))}
    return found


def test_a_half_created_cluster_is_never_mistaken_for_a_complete_one() -> None:
    """A run may be killed after each removal: the marker is removed after all files by which Debian's tools know a cluster."""
    removed = [Path(path).name for path in tasks("create")["Remove the files of the incomplete cluster"]["loop"]]
    assert removed == ["langgraph", "postgresql.conf", "pg_hba.conf", "langgraph"]
    assert tasks("create")["Remove the files of the incomplete cluster"]["loop"][0].startswith("/var/lib/postgresql/")


def test_the_marker_exists_while_the_cluster_is_created() -> None:
    names = list(tasks("create"))
    begin, make, end = (
        names.index(name)
        for name in (
            "Write the marker of an incomplete cluster",
            "Create the cluster",
            "Remove the marker of an incomplete cluster",
        )
    )
    assert begin < make < end


def test_the_cluster_does_not_use_the_hosts_defaults() -> None:
    """An administrator's createcluster.conf may move the data or the WAL, add initdb options, or leave out conf.d."""
    made = tasks("create")["Create the cluster"]["ansible.builtin.command"]["argv"]
    assert "'--createclusterconf', _postgres_marker" in made
    # The file does not exist: the cluster uses an empty one.
    assert "'--environment', _postgres_config_dir ~ '/environment'" in made
    note = tasks("create")["Write the marker of an incomplete cluster"]["ansible.builtin.copy"]
    assert note["dest"] == "{{ _postgres_marker }}"
    settings = cluster.parse(note["content"])
    assert settings["add_include_dir"] == "conf.d"
    # Debian's own paths are used, and no other configuration is read.
    assert set(settings) == {"cluster_name", "log_line_prefix", "add_include_dir"}


@pytest.mark.parametrize(
    ("active", "because", "expected"),
    [(True, [], False), (True, ["NeedDaemonReload"], True), (True, ["/a/file"], False), (False, [], True)],
)
def test_a_stopped_unit_is_reloaded(active: bool, because: list[str], expected: bool) -> None:
    """unit_info returns nothing about a stopped unit, and its drop-in may be new."""
    service = "postgresql@17-langgraph.service"
    looked = {"units": {service: {"active": active, "stale_because": because}}}
    own = yaml.safe_load((ROLE / "vars/main.yml").read_text())["_postgres_unit"]
    variables = {"_postgres_service": service, "__postgres_unit": looked, "_postgres_unit": trust_as_template(own)}
    text = tasks("configure")["Start Postgres"]["ansible.builtin.systemd_service"]["daemon_reload"]
    assert Templar(loader=DataLoader(), variables=variables).template(trust_as_template(text)) is expected
