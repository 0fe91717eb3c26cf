# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Requirements of the action plugins on the play that runs them."""

from __future__ import annotations

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

# Strategies in which each host continues by itself. Those that end in linear keep hosts in step; others are unknown.
_OUT_OF_STEP = ("free", "host_pinned")


def refuse_out_of_step(action: ActionBase) -> None:
    """Refuse a strategy that does not keep hosts in step: each host would decide what one must decide for all.

    With such a strategy, Ansible runs a task with run_once on every host, and a host reads results that others do not
    have yet.
    """
    strategy = str(action._task.get_play().strategy or "")
    if strategy.rpartition(".")[2] in _OUT_OF_STEP:
        raise AnsibleActionFail(
            f"the play has the strategy '{strategy}', in which hosts do not wait for each other, but all hosts must agree on "
            "the images; use the strategy 'linear', with 'serial' to run hosts in batches"
        )
