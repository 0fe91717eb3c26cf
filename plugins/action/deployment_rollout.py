# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.env_file import to_option
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
        arguments = {**self._task.args, "deployments": [_as_options(item) for item in deployments]}
        host = task_vars.get("inventory_hostname", "the host")
        seconds = self._task.args.get("healthy_deadline") or DEADLINE
        with progress(f"{host}: rolling out {listed(names)}", f"a revision has {seconds} s to become healthy"):
            return result | self._execute_module(
                module_args=arguments, task_vars=task_vars, wrap_async=bool(self._task.async_val)
            )


def _as_options(deployment: t.Any) -> t.Any:
    """Return a deployment with each mapping of variables as one string, which Ansible hides as a whole."""
    if not isinstance(deployment, t.Mapping):
        return deployment
    variables = {key: deployment.get(key) for key in VARIABLES}
    return {**deployment, **{key: to_option(value) for key, value in variables.items() if isinstance(value, t.Mapping)}}
