# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Addresses that programs listen on."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.address import public_url


@pytest.mark.parametrize(
    ("arguments", "url"),
    [
        ((False, "0.0.0.0", 8123, None), "http://127.0.0.1:8123"),
        ((False, "::", 8123, None), "http://[::1]:8123"),
        ((True, "10.1.2.3", 443, "/a"), "https://10.1.2.3:443/a"),
    ],
)
def test_public_url(arguments: t.Any, url: str) -> None:
    assert public_url(*arguments) == url
