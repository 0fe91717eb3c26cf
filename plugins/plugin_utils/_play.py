# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the action plugins ask of the play that they are in."""

from __future__ import annotations

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

# Where each host goes on by itself. Of others, nobody knows; those that end in linear go in step.
_OUT_OF_STEP = ("free", "host_pinned")


def refuse_out_of_step(action: ActionBase) -> None:
    """Refuse a strategy with which hosts are not in step: what is settled once for all would be settled by each.

    Ansible runs a task with run_once on every host then, and a host reads what others have not found yet.
    """
    strategy = str(action._task.get_play().strategy or "")
    if strategy.rpartition(".")[2] in _OUT_OF_STEP:
        raise AnsibleActionFail(
            f"the play has the strategy '{strategy}', with which no host waits for the others, and they settle together which "
            "image they run; take the strategy 'linear', and 'serial' for one batch of hosts after the other"
        )
