# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The control node's half of deployment_rollout."""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.selfhost.langgraph.plugins.action.deployment_rollout import module_options
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.env_file import from_option
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.service_credentials import credentials
from ansible_collections.selfhost.langgraph.tests.unit.plugins.modules.helper import arguments
from ansible_collections.selfhost.langgraph.tests.unit.plugins.plugin_utils._deployments.checked_list import (
    CHECKED,
    DATABASES,
    NUMBERS,
)

SECRET = "a-secret-value"


def test_variables_are_one_string_each() -> None:
    """Ansible hides each value of a mapping wherever it occurs: a variable with the value 1 would hide every 1."""
    given = {"name": "bot", "port": 8123, "image": "bot:1", "environment": {"A": "1", "KEY": SECRET}, "credentials": {}}
    sent = module_options({"deployments": [given]})
    validated = ArgumentSpecValidator(arguments("deployment_rollout")).validate(sent)
    assert validated.error_messages == []
    hidden = validated._no_log_values
    assert len(hidden) == 1
    assert SECRET in next(iter(hidden))


@pytest.mark.parametrize(
    "deployments",
    [
        "bot",
        ["bot"],
        [{"name": "bot", "state": "absent"}],
        [{"name": "bot", "state": "stopped"}],
        [{"name": "bot", "environment": "A=1"}],
        None,
    ],
)
def test_other_entries_are_left_to_the_module(deployments: t.Any) -> None:
    assert module_options({"deployments": deployments, "parallel": 3}) == {"deployments": deployments, "parallel": 3}


REDIS = {"databases": NUMBERS, "host": "172.29.0.1", "admin_uri": f"redis://a:{SECRET}@r"}
POSTGRES: dict[str, t.Any] = {"databases": DATABASES, "host": "172.29.0.1"}
ROLLOUTS = [item["rollout"] for item in CHECKED]


def test_credentials_take_the_place_of_passwords_and_claims() -> None:
    sent = module_options({"deployments": ROLLOUTS, "redis": REDIS, "postgres": POSTGRES, "proxy": "none"})
    assert sent.keys() == {"deployments", "proxy"}
    assert SECRET not in str(sent)
    assert ArgumentSpecValidator(arguments("deployment_rollout")).validate(sent).error_messages == []
    first, gone, _second = sent["deployments"]
    assert from_option(first["credentials"]) == credentials(ROLLOUTS[0], REDIS, POSTGRES)
    assert from_option(first["environment"]) == ROLLOUTS[0]["environment"]
    assert "credentials" not in gone
    assert not any("password" in key for item in sent["deployments"] for key in item)


def test_the_claims_of_another_list_are_refused_without_a_secret() -> None:
    given = {"deployments": ROLLOUTS, "redis": {**REDIS, "databases": {}}, "postgres": POSTGRES}
    with pytest.raises(AnsibleActionFail) as refused:
        module_options(given)
    assert str(refused.value) == "deployment 'support-bot': its credentials cannot be computed without 'support-bot'"
