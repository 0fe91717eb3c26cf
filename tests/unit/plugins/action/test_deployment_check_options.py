# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documentation of a deployment's options matches OPTIONS, and the action's options match those of its module."""

from __future__ import annotations

import inspect
import re
import typing as t

import pytest
import yaml

from ansible_collections.selfhost.langgraph.plugins.action import deployment_check as action
from ansible_collections.selfhost.langgraph.plugins.doc_fragments._deployment import ModuleDocFragment
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.deployment_options import OPTIONS
from ansible_collections.selfhost.langgraph.plugins.modules import deployment_check as module

DOCUMENTED = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]["deployments"]["suboptions"]


def test_exactly_the_options_are_documented_in_the_same_order() -> None:
    assert list(DOCUMENTED) == list(OPTIONS)


@pytest.mark.parametrize("name", OPTIONS)
def test_option(name: str) -> None:
    option, documented = OPTIONS[name], DOCUMENTED[name]
    assert documented["type"] == option.kind
    assert tuple(documented.get("choices", ())) == option.choices
    default = list(option.default) if isinstance(option.default, tuple) else option.default
    assert documented.get("default") == default
    assert documented.get("elements") == ("str" if option.kind == "list" else None)
    # The image and the port of a deployment with state: stopped are optional.
    assert documented.get("required", False) == (name == "name")


@pytest.mark.parametrize("name", OPTIONS)
def test_description_has_sentences_and_names_the_variable(name: str) -> None:
    description = DOCUMENTED[name]["description"]
    assert all(re.search(r"[.]$", sentence) for sentence in description)
    variable = OPTIONS[name].variable
    assert variable is None or f"Sets E({variable})." in " ".join(description)


def argument_spec() -> dict[str, dict[str, t.Any]]:
    """Return the argument spec that the action passes to Ansible."""
    seen: dict[str, t.Any] = {}

    class Stop(Exception):
        pass

    class Plugin(action.ActionModule):
        def __init__(self) -> None:
            pass

        def validate_argument_spec(self, argument_spec: t.Any = None, **_more: t.Any) -> t.Any:
            seen.update(argument_spec)
            raise Stop

    plugin = Plugin()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(action.ActionBase, "run", lambda *_arguments: {})
        with pytest.raises(Stop):
            plugin.run()
    return seen


def test_the_action_accepts_the_documented_options() -> None:
    documented = yaml.safe_load(module.DOCUMENTATION)["options"]
    spec = argument_spec()
    assert set(spec) == {*documented, "deployments"}
    for name, option in documented.items():
        for key in ("type", "elements", "default", "choices", "required"):
            assert spec[name].get(key) == option.get(key), f"{key} of {name}"
    assert spec["secret_key"]["no_log"] is True


def test_the_module_contains_only_documentation() -> None:
    assert not [name for name, value in vars(module).items() if inspect.isroutine(value)]


@pytest.mark.parametrize(
    ("stopped", "states", "expected"),
    [
        ({"by": "me"}, ["stopped", "failed"], True),
        ({"by": "me"}, [], True),
        # A killed stop has left it.
        ({"by": "me"}, ["stopped", "running"], False),
        ({"by": "me"}, ["draining"], False),
        (None, ["stopped"], False),
    ],
)
def test_a_stopped_deployment_has_no_port(stopped: t.Any, states: list[str], expected: bool) -> None:
    found = {"name": "bot", "stopped": stopped, "revisions": [{"state": state} for state in states]}
    assert action._is_stopped(found) is expected
