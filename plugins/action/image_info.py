# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import itertools
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.image_reference import normal_reference
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._files import find_files
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._images.archive import ArchiveError, archive_images
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._images.build_options import check_builds, pushes
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._images.plan import make_needs, need_problems
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._play import refuse_out_of_step

Vars = dict[str, t.Any]
ARGUMENTS: Vars = {
    "images": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "image": {"type": "str", "required": True},
            "deployments": {"type": "list", "elements": "str", "default": []},
            "build": {"type": "str"},
            "pull": {"type": "bool", "default": True},
        },
    },
    "builds": {"type": "raw", "default": []},
    "archives": {"type": "list", "elements": "path", "default": []},
    "pull": {"type": "str", "choices": ["always", "missing", "never"], "default": "always"},
}


class ActionModule(ActionBase):
    """Find the sources of images on the control node, and read the host's engine."""

    _supports_check_mode = True
    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: Vars | None = None) -> Vars:
        """Return what the host needs, what it has, and what must be pushed; nothing of it is secret."""
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        _validated, options = self.validate_argument_spec(argument_spec=ARGUMENTS)
        refuse_out_of_step(self)
        try:
            archives = {path: archive_images(path) for path in find_files(self, options["archives"], task_vars)}
        except ArchiveError as error:
            raise AnsibleActionFail(str(error)) from error
        builds, problems = check_builds(options["builds"])
        references = [normal_reference(build["image"]) for build in builds if build["image"]]
        # Not the builds, which have secrets: Ansible returns the arguments of a module.
        arguments = {"identify": sorted({*references, *itertools.chain(*archives.values())})}
        host = self._execute_module(
            module_name="selfhost.langgraph.image_info", module_args=arguments, task_vars=task_vars
        )
        if host.get("failed"):
            return host
        engine = host["engine"]
        needs = make_needs(options["images"], references, archives, engine["images"], options["pull"])
        problems += need_problems(needs, engine["architecture"])
        if problems:
            lines = "\n".join(map(str, problems))
            return {"failed": True, "msg": lines, "problems": [problem.as_dict() for problem in problems]}
        return {"changed": False, "images": needs, "engine": engine, "pushes": pushes(builds, needs)}
