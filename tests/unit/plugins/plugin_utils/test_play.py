# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A strategy that does not keep hosts in step is refused, under any name; all others are accepted."""

from __future__ import annotations

import typing as t
from types import SimpleNamespace

import pytest
from ansible.errors import AnsibleActionFail

from ansible_collections.selfhost.langgraph.plugins.plugin_utils._play import refuse_out_of_step


def action(strategy: str | None) -> t.Any:
    """Return an action in a play with a strategy."""
    play = SimpleNamespace(strategy=strategy)
    return SimpleNamespace(_task=SimpleNamespace(get_play=lambda: play))


@pytest.mark.parametrize("strategy", ["free", "host_pinned", "ansible.builtin.free", "ansible.builtin.host_pinned"])
def test_out_of_step(strategy: str) -> None:
    with pytest.raises(AnsibleActionFail, match=f"the play has the strategy '{strategy}'"):
        refuse_out_of_step(action(strategy))


@pytest.mark.parametrize("strategy", [None, "", "linear", "ansible.builtin.linear", "debug", "mitogen_linear"])
def test_in_step(strategy: str | None) -> None:
    refuse_out_of_step(action(strategy))
