# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import typing as t

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.selfhost.langgraph.plugins.module_utils._archives import (
    ArchiveError,
    archive_images,
    coming_images,
    missing_images,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._deployments import check_deployments
from ansible_collections.selfhost.langgraph.plugins.module_utils._list_rules import Surroundings
from ansible_collections.selfhost.langgraph.plugins.module_utils._passwords import MINIMUM_KEY_LENGTH
from ansible_collections.selfhost.langgraph.plugins.module_utils._settings import (
    DEFAULT_RUNNING_REVISIONS,
    MINIMUM_RUNNING_REVISIONS,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._stations import connections_by_name

INFO_MODULE = "selfhost.langgraph.container_service_info"


class ActionModule(ActionBase):
    """Check the list of deployments on the control node, against what the host reports of itself."""

    _supports_check_mode = True
    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Check, and give the complete deployments, hidden from every output because they hold secrets."""
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        _validated, options = self.validate_argument_spec(
            argument_spec={
                "deployments": {"type": "raw", "required": True},
                "secret_key": {"type": "str", "required": True, "no_log": True},
                "bind_address": {"type": "str", "default": "127.0.0.1"},
                "config_dir": {"type": "path", "default": "/etc/langgraph"},
                "files": {"type": "list", "elements": "path", "default": []},
                "image_archives": {"type": "list", "elements": "path", "default": []},
                "image_pull": {"type": "str", "choices": ["missing", "never"], "default": "missing"},
                "max_connections": {"type": "int"},
                "proxy": {"type": "str", "choices": ["haproxy", "none"], "default": "haproxy"},
                "max_running_revisions": {"type": "int", "default": DEFAULT_RUNNING_REVISIONS},
                "redis_databases": {"type": "int"},
            }
        )
        if len(options["secret_key"]) < MINIMUM_KEY_LENGTH:
            raise AnsibleActionFail(
                f"langgraph_secret_key is shorter than {MINIMUM_KEY_LENGTH} characters; every password is derived "
                "from it: make one with 'openssl rand -hex 32' and keep it in your vault"
            )
        if options["proxy"] != "none" and options["max_running_revisions"] < MINIMUM_RUNNING_REVISIONS:
            raise AnsibleActionFail(
                f"langgraph_max_running_revisions is below {MINIMUM_RUNNING_REVISIONS}: a new revision starts beside the one "
                "that serves; raise it, or set langgraph_proxy: none"
            )
        raw = options["deployments"]
        if not isinstance(raw, (list, tuple)):
            raise AnsibleActionFail("langgraph_deployments is not a list; write one entry, '- name: ...', a deployment")
        asked = {key: options[key] for key in ("config_dir", "files")}
        host = self._execute_module(module_name=INFO_MODULE, module_args=asked, task_vars=task_vars)
        if host.get("failed"):
            return host
        try:
            paths = [self._find(path, task_vars) or path for path in options["image_archives"]]
            archives = {path: archive_images(path) for path in paths}
        except ArchiveError as error:
            raise AnsibleActionFail(str(error)) from error
        surroundings = self._surroundings(raw, options, host, archives, task_vars)
        deployments, problems = check_deployments(raw, surroundings)
        if problems:
            lines = [str(problem) for problem in problems]
            return {"failed": True, "msg": "\n".join(lines), "problems": [problem.as_dict() for problem in problems]}
        wanted = [deployment["image"] for deployment in deployments if deployment["state"] == "present"]
        load, pull = missing_images(wanted, host["images"], archives)
        # Those that are not in the list, or go, or change their own, drain by what the host has.
        drains = [item.get("drain_seconds") or 0 for item in (*deployments, *host["deployments"])]
        result = {"deployments": deployments, "load": load, "pull": pull, "longest_drain": max(drains)}
        result |= {"coming_images": coming_images(load, archives), "files": host.get("files", {})}
        result |= {"missing_libraries": host.get("missing_libraries", [])}
        return {"changed": False, **result, "_ansible_no_log": True}

    def _surroundings(
        self,
        raw: t.Sequence[t.Any],
        options: t.Mapping[str, t.Any],
        host: t.Mapping[str, t.Any],
        archives: t.Mapping[str, t.Mapping[str, str]],
        task_vars: dict[str, t.Any],
    ) -> Surroundings:
        paths = {entry.get("env_file") for entry in raw if isinstance(entry, t.Mapping)}
        images = set(host["images"]).union(*archives.values())
        return Surroundings(
            secret_key=options["secret_key"],
            env_files={path: self._text(path, task_vars) for path in paths if path and isinstance(path, str)},
            listening={int(port): program for port, program in host["listening"].items()},
            deployed={item["name"]: item["port"] for item in host["deployments"] if item["port"]},
            images=images if options["image_pull"] == "never" else None,
            max_connections=options["max_connections"],
            redis_databases=options["redis_databases"],
            bind_address=options["bind_address"],
            proxy=options["proxy"],
            running_revisions=options["max_running_revisions"],
            connections=connections_by_name(
                [task_vars["hostvars"][name] for name in task_vars["groups"].get("langgraph_hosts", ())]
            ),
        )

    def _text(self, path: str, task_vars: dict[str, t.Any]) -> str | None:
        found = self._find(path, task_vars)
        if found is None:
            return None
        try:
            # Decrypts a file that ansible-vault encrypted.
            with open(self._loader.get_real_file(found), encoding="utf-8") as file:
                return file.read()
        except (AnsibleError, OSError, UnicodeDecodeError):
            return None

    def _find(self, path: str, task_vars: dict[str, t.Any]) -> str | None:
        """Find a file of the control node: beside the inventory, in the current folder, or where tasks look."""
        beside = os.path.join(str(task_vars.get("inventory_dir") or os.getcwd()), os.path.expanduser(path))
        found = next((name for name in (beside, os.path.abspath(path)) if os.path.isfile(name)), None)
        try:
            return found or self._find_needle("files", path)
        except AnsibleError:
            return None
