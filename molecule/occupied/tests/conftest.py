# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shared fixtures of the tests on a host with a shop."""

from __future__ import annotations

import typing as t

import pytest
from neighbour import Occupied, differences


@pytest.fixture(scope="module")
def test_host(host) -> Occupied:
    """Return the test host."""
    return Occupied(host)


@pytest.fixture(scope="module")
def shop(test_host) -> dict[str, str]:
    """Return the state of the shop before the tests."""
    return test_host.look()


@pytest.fixture
def untouched(test_host, shop) -> t.Iterator[None]:
    """Check that the test does not change the shop."""
    yield
    assert differences(shop, test_host.look()) == ""
