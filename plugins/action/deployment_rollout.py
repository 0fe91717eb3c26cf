# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.env_file import to_option
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import printable
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.service_credentials import (
    PASSWORDS,
    Service,
    credentials,
)
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._progress import listed, progress

DEADLINE = 300
# Options with variables of a container.
VARIABLES = ("environment", "credentials")


class ActionModule(ActionBase):
    """Run the module of the same name, and print how long it has been running."""

    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Run the module, which checks its options itself."""
        result = super().run(tmp, task_vars)
        task_vars = task_vars or {}
        deployments = self._task.args.get("deployments") or ()
        names = [str(item.get("name")) for item in deployments if isinstance(item, t.Mapping)]
        arguments = module_options(self._task.args)
        host = task_vars.get("inventory_hostname", "the host")
        seconds = self._task.args.get("healthy_deadline") or DEADLINE
        with progress(f"{host}: rolling out {listed(names)}", f"a revision has {seconds} s to become healthy"):
            return result | self._execute_module(
                module_args=arguments, task_vars=task_vars, wrap_async=bool(self._task.async_val)
            )


def module_options(arguments: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the options as the module takes them on the host: with the credentials of each deployment, without passwords."""
    deployments, redis, postgres = (arguments.get(key) for key in ("deployments", "redis", "postgres"))
    if not isinstance(deployments, (list, tuple)) or not all(isinstance(item, t.Mapping) for item in deployments):
        return dict(arguments)  # The module refuses them.
    options = dict(arguments)
    if redis and postgres:
        del options["redis"], options["postgres"]
        deployments = [_with_credentials(item, redis, postgres) for item in deployments]
    return {**options, "deployments": [_with_strings(item) for item in deployments]}


def _with_credentials(deployment: t.Mapping[str, t.Any], redis: Service, postgres: Service) -> dict[str, t.Any]:
    """Return a deployment with its credentials instead of its passwords."""
    without = {key: value for key, value in deployment.items() if key not in PASSWORDS}
    if deployment.get("state") in ("stopped", "absent"):
        return without
    try:
        return {**without, "credentials": credentials(deployment, redis, postgres)}
    except KeyError as error:
        name = printable(deployment.get("name"))
        raise AnsibleActionFail(f"deployment '{name}': its credentials cannot be computed without {error}") from None


def _with_strings(deployment: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return a deployment with each mapping of variables as one string, which Ansible hides as a whole."""
    variables = {key: deployment.get(key) for key in VARIABLES}
    return {**deployment, **{key: to_option(value) for key, value in variables.items() if isinstance(value, t.Mapping)}}
