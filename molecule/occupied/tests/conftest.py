# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests beside a shop share."""

from __future__ import annotations

import typing as t

import pytest
from neighbour import Occupied, differences


@pytest.fixture(scope="module")
def world(host) -> Occupied:
    """The test host."""
    return Occupied(host)


@pytest.fixture(scope="module")
def shop(world) -> dict[str, str]:
    """What the shop was before anybody came."""
    return world.look()


@pytest.fixture
def untouched(world, shop) -> t.Iterator[None]:
    """What the test does changes nothing of the shop."""
    yield
    assert differences(shop, world.look()) == ""
