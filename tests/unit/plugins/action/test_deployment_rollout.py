# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The control node's half of deployment_rollout."""

from __future__ import annotations

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.selfhost.langgraph.plugins.action.deployment_rollout import _as_options
from ansible_collections.selfhost.langgraph.tests.unit.plugins.modules.helper import arguments

SECRET = "a-secret-value"


def test_variables_are_one_string_each() -> None:
    """Ansible hides each value of a mapping wherever it occurs: a variable with the value 1 would hide every 1."""
    given = {"name": "bot", "port": 8123, "image": "bot:1", "environment": {"A": "1", "KEY": SECRET}, "credentials": {}}
    sent = _as_options(given)
    validated = ArgumentSpecValidator(arguments("deployment_rollout")).validate({"deployments": [sent]})
    assert validated.error_messages == []
    hidden = validated._no_log_values
    assert len(hidden) == 1
    assert SECRET in next(iter(hidden))


def test_other_entries_are_left_to_the_module() -> None:
    assert _as_options({"name": "bot", "state": "absent"}) == {"name": "bot", "state": "absent"}
    assert _as_options({"name": "bot", "environment": "A=1"}) == {"name": "bot", "environment": "A=1"}
    assert _as_options("bot") == "bot"
