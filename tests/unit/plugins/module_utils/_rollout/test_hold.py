# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A deployment that was rolled back: recorded, reported, and held if that is wanted."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions import store
from ansible_collections.selfhost.langgraph.tests.unit.plugins.module_utils._rollout.fake_host import Host, bot


@pytest.fixture(name="rolled")
def _rolled(served: Host) -> Host:
    """Return a host on which revision 2 was rolled back to revision 1."""
    served.converge(bot(**NEWER))
    served.roll_back()
    return served


NEWER: dict[str, t.Any] = {"environment": {"MODEL": "new"}}
BEGIN = "deployment 'bot' was rolled back from revision 2 to 1 by ann at "


def record(host: Host) -> dict[str, t.Any]:
    """Return the record of the deployment."""
    found = store.read(str(host.folder), ["bot"])["bot"].settings
    assert found
    return dict(found)


def test_a_rollback_is_recorded(rolled: Host) -> None:
    found = record(rolled)
    assert found["serving"] == 1
    assert found["rolled_back"] == {"from": 2, "by": "ann", "at": found["since"]}


@pytest.mark.parametrize("check_mode", [True, False])
def test_the_next_run_warns_before_it_rolls_forward(rolled: Host, check_mode: bool) -> None:
    result = rolled.converge(bot(**NEWER), check_mode=check_mode)
    assert result["deployments"][0]["action"] == "roll"
    (warning,) = result["warnings"]
    assert warning.startswith(BEGIN)
    assert warning.endswith("; this run rolls it forward to the list; langgraph_hold_rollbacks: true holds it")


def test_after_that_nothing_is_left_of_it(rolled: Host) -> None:
    rolled.converge(bot(**NEWER))
    assert "rolled_back" not in record(rolled)
    assert rolled.converge(bot(**NEWER))["warnings"] == []


def test_a_rollback_that_the_list_has_adopted_is_no_longer_reported(rolled: Host) -> None:
    result = rolled.converge(bot())
    assert (result["changed"], result["warnings"]) == (False, [])
    assert record(rolled)["rolled_back"]["from"] == 2


def test_it_is_held(rolled: Host) -> None:
    result = rolled.converge(bot(**NEWER), hold_rollbacks=True)
    assert (result["changed"], result["deployments"][0]["action"]) == (False, "keep")
    (warning,) = result["warnings"]
    assert warning.startswith(BEGIN)
    assert warning.endswith(" and is held there; -e langgraph_hold_rollbacks=false rolls it forward to the list")
    assert record(rolled)["serving"] == 1


def test_a_held_deployment_still_follows_the_list_in_its_address(rolled: Host) -> None:
    result = rolled.converge(bot(**NEWER, port=8999), hold_rollbacks=True)
    assert result["deployments"][0]["action"] == "route"
    found = record(rolled)
    assert (found["serving"], found["port"], found["rolled_back"]["from"]) == (1, 8999, 2)


def test_a_rollback_is_remembered_over_a_stop(rolled: Host) -> None:
    rolled.converge({"name": "bot", "state": "stopped"})
    result = rolled.converge(bot(**NEWER), hold_rollbacks=True)
    assert (result["deployments"][0]["action"], record(rolled)["serving"]) == ("start", 1)
    assert record(rolled)["rolled_back"]["from"] == 2
    assert result["warnings"]


def test_other_deployments_are_not_held(rolled: Host) -> None:
    other = {"name": "other", "port": 8200}
    rolled.converge(bot(**NEWER), bot(**other), hold_rollbacks=True)
    result = rolled.converge(bot(**NEWER), bot(**other, **NEWER), hold_rollbacks=True)
    assert [item["action"] for item in result["deployments"]] == ["keep", "roll"]
