# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Examples of action plugins pass the action's validation, which precedes that of the module, if there is one."""

from __future__ import annotations

import importlib
import typing as t
from pathlib import Path

import pytest

from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.list_rules import CheckContext
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.validate import check_deployments
from ansible_collections.selfhost.langgraph.tests.unit.plugins.modules.helper import problems, uses

DIRECTORY = Path(__file__).parents[4] / "plugins/action"
NAMES = [path.stem for path in sorted(DIRECTORY.glob("[a-z]*.py")) if "validate_argument_spec(" in path.read_text()]


class Stop(Exception):
    """The plugin has declared its options."""


def called(name: str) -> dict[str, t.Any]:
    """Return the argument spec that the action passes to Ansible."""
    action = importlib.import_module(f"ansible_collections.selfhost.langgraph.plugins.action.{name}")
    seen: dict[str, t.Any] = {}

    def validate(_self: t.Any, **given: t.Any) -> t.NoReturn:
        seen.update(given)
        raise Stop

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Stop):
        patch.setattr(action.ActionModule, "__init__", lambda _self: None)
        patch.setattr(action.ActionModule, "validate_argument_spec", validate)
        patch.setattr(action.ActionBase, "run", lambda *_arguments: {})
        action.ActionModule().run()
    return seen


@pytest.mark.parametrize("name", NAMES)
def test_examples_are_valid(name: str) -> None:
    asked = called(name)
    assert uses(name)
    for given in uses(name):
        assert problems(given, asked["argument_spec"], asked) == []


def test_deployments_in_examples_are_valid() -> None:
    """Ansible does not validate the list, which is raw: the check does."""
    for given in uses("deployment_check"):
        # The env_file of the example contains the options that its deployment does not set.
        files = {
            item["env_file"]: "LANGSMITH_API_KEY=from-the-file" for item in given["deployments"] if "env_file" in item
        }
        _deployments, found = check_deployments(given["deployments"], CheckContext("k" * 32, env_files=files))
        assert found == []
