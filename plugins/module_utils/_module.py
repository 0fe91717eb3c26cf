# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The collection's base of modules that take secrets inside lists."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule


class QuietModule(AnsibleModule):
    """A module whose note in the host's log has no options.

    Ansible writes every option there and masks secrets that sit inside a list by looking for the secret in the list's
    ``repr``. A secret with a line break, a quote or a backslash reads differently there and is not found (seen with
    ansible-core 2.19 and an environment file: all of it was in the journal).
    """

    def _log_invocation(self) -> None:
        self.log("Invoked; the options are not logged, as some hold secrets")
