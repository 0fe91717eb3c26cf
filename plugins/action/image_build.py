# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import json
import os
import tarfile
import tempfile
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.module_utils.basic import missing_required_lib
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.image_reference import normal_reference
from ansible_collections.selfhost.langgraph.plugins.module_utils._host import docker_engine
from ansible_collections.selfhost.langgraph.plugins.module_utils._images import build as image_build
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._files import copy_file, find_file
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._progress import listed, progress

DOCKER_MISSING = False
try:
    from docker.utils.build import exclude_paths
except ImportError:
    DOCKER_MISSING = True

display = Display()
Vars = dict[str, t.Any]
# What says how an image is made; the secrets of a build are no part of the image.
_HASHED = ("config", "base_image", "api_version", "network", "build_args")


class ActionModule(ActionBase):
    """Build images where the task runs, from folders of the control node."""

    _supports_check_mode = True
    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: Vars | None = None) -> Vars:
        """Ask what is built already, ship the folders of the rest, build."""
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        if DOCKER_MISSING:
            raise AnsibleActionFail(f"on the control node: {missing_required_lib('docker')}")
        arguments = dict(self._task.args)
        builds = [self._complete(build, task_vars) for build in arguments.get("builds") or ()]
        if self._local():
            # A call of a module takes as long as all the rest of a re-run.
            there = built_here(builds)
            if there is not None:
                return {"changed": False, "images": there}
            for build in builds:
                build["path"] = build["folder"]
            with progress(f"building {listed([build['image'] for build in builds])}"):
                return self._module({**arguments, "builds": builds}, task_vars)
        result = self._module({**arguments, "builds": builds}, task_vars)
        if result.get("failed") or self._task.check_mode:
            return result
        missing = [build for build in builds if result["images"][build["image"]]["action"] == "build"]
        if not missing:
            return result
        for build in missing:
            display.display(f"  building {build['image']} from {build['folder']}")
            self._ship(build, result["spool"], task_vars)
        with progress(f"building {listed([build['image'] for build in missing])}"):
            return self._module({**arguments, "builds": builds}, task_vars)

    def _complete(self, build: Vars, task_vars: Vars) -> Vars:
        build = {key: value for key, value in build.items() if value is not None}
        folder = find_file(self, str(build.get("folder")), task_vars)
        if folder is None or not os.path.isdir(folder):
            raise AnsibleActionFail(
                f"image '{build.get('image')}', option 'folder': there is no folder '{build.get('folder')}'"
            )
        build |= {"image": normal_reference(build["image"]), "folder": os.path.abspath(folder)}
        return {**build, "source": source_hash(build)}

    def _local(self) -> bool:
        return self._connection.transport == "local"

    def _ship(self, build: Vars, spool: str, task_vars: Vars) -> None:
        """Bring the context of a build to the build host; what it has to look at is noted in ``build``."""
        target = f"{spool}/{build['source'][:24]}.tar"
        made = {"path": spool, "state": "directory", "mode": "0700"}
        self._execute_module(module_name="ansible.builtin.file", module_args=made, task_vars=task_vars)
        with tempfile.TemporaryDirectory(prefix="langgraph-build-") as folder:
            packed = os.path.join(folder, "context.tar")
            with tarfile.open(packed, "w") as archive:
                for path in context(build["folder"], build.get("config") or "langgraph.json"):
                    archive.add(os.path.join(build["folder"], path), path, recursive=False)
            with open(packed, "rb") as file:
                build |= {"path": target, "checksum": hashlib.file_digest(file, "sha256").hexdigest()}
            done = copy_file(self, packed, target, task_vars)
        if done.get("failed"):
            raise AnsibleActionFail(f"image '{build['image']}': its folder cannot be shipped: {done.get('msg')}")

    def _module(self, arguments: Vars, task_vars: Vars) -> Vars:
        return self._execute_module(
            module_name="selfhost.langgraph.image_build", module_args=arguments, task_vars=task_vars
        )


def built_here(builds: t.Sequence[Vars]) -> dict[str, Vars] | None:
    """What the module says where all images are built already; None where it has something to do, or to complain of."""
    try:
        client = docker_engine.connect()
        found = {build["image"]: image_build.built(client, build) for build in builds}
    except docker_engine.EngineError:
        return None
    images = {name: image_build.result_entry(name, image, "keep") for name, image in found.items() if image is not None}
    return images if len(images) == len(found) else None


def context(folder: str, config: str = "langgraph.json") -> list[str]:
    """What docker build takes of a folder, sorted: all but what .dockerignore leaves out (docs: docker build context)."""
    ignored: list[str] = []
    # The CLI builds in the folder of its configuration.
    inside = os.path.dirname(os.path.normpath(config))
    path = os.path.join(folder, inside, ".dockerignore")
    if os.path.isfile(path):
        with open(path, encoding="utf-8-sig", errors="surrogateescape") as file:
            lines = [line.strip() for line in file]
        ignored = [_below(inside, line) for line in lines if line and not line.startswith("#")]
    return sorted(exclude_paths(folder, ignored))


def _below(folder: str, pattern: str) -> str:
    """A pattern of .dockerignore as it reads from further up."""
    if not folder:
        return pattern
    negated = "!" if pattern.startswith("!") else ""
    return f"{negated}{folder}/{pattern.removeprefix('!').strip().lstrip('/')}"


def source_hash(build: t.Mapping[str, t.Any]) -> str:
    """Identify what an image is made from: the files with their modes, and the options that say how."""
    digest = hashlib.sha256(json.dumps({key: build.get(key) for key in _HASHED}, sort_keys=True).encode())
    for path in context(build["folder"], build.get("config") or "langgraph.json"):
        full = os.path.join(build["folder"], path)
        mode = os.lstat(full).st_mode
        digest.update(os.fsencode(f"\0{path}\0{mode:o}\0"))
        if os.path.islink(full):
            digest.update(os.fsencode(os.readlink(full)))
        elif os.path.isfile(full):
            with open(full, "rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
