# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where containers answer: free addresses, and the network of a revision."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.model import Revision
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.endpoints import free_address, network_of
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.state import RolloutError


@pytest.mark.parametrize(
    ("subnet", "taken", "address"),
    [
        # The engine assigns its own addresses from the lower end.
        ("172.29.0.0/16", (), "172.29.128.1"),
        ("172.29.0.0/16", ("172.29.128.1", "172.29.128.3"), "172.29.128.2"),
        ("172.29.0.0/16", ("172.29.0.1",), "172.29.128.1"),
        ("10.0.0.0/24", (), "10.0.0.129"),
        ("10.0.0.0/29", (), "10.0.0.5"),
        ("10.0.0.0/29", ("10.0.0.5",), "10.0.0.6"),
        # The last address is that of the broadcast.
        ("10.0.0.0/29", ("10.0.0.5", "10.0.0.6"), None),
        ("10.0.0.0/31", (), None),
    ],
)
def test_the_first_free_address_of_the_upper_half(subnet: str, taken: tuple[str, ...], address: str | None) -> None:
    assert free_address(subnet, taken) == address


def test_the_network_of_a_revision() -> None:
    record = {"arguments": ["--cap-drop", "ALL", "--network", "langgraph", "--memory", "1g"]}
    assert network_of(Revision(3, record)) == "langgraph"


@pytest.mark.parametrize("record", [None, {}, {"arguments": None}, {"arguments": ["--memory", "1g"]}])
def test_a_revision_without_a_record_of_its_network(record: dict[str, t.Any] | None) -> None:
    with pytest.raises(RolloutError, match="revision 3 has no record of its network"):
        network_of(Revision(3, record))
