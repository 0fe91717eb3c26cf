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
from ansible.module_utils.common.validation import check_type_int, check_type_list
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.image_reference import normal_reference
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import printable
from ansible_collections.selfhost.langgraph.plugins.module_utils._host import docker_engine
from ansible_collections.selfhost.langgraph.plugins.module_utils._images import build as image_build
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._files import copy_file, find_file
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._images.build_options import (
    build_options,
    check_builds,
)
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._images.langgraph_json import ignored_patterns
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._progress import listed, progress

DOCKER_MISSING = False
try:
    from docker.utils.build import exclude_paths
except ImportError:
    DOCKER_MISSING = True

display = Display()
Vars = dict[str, t.Any]
# Options that determine the image; the secrets of a build are not part of it.
_HASHED = ("config", "base_image", "api_version", "network", "build_args")


class ActionModule(ActionBase):
    """Build images on the host of the task, from directories of the control node."""

    _supports_check_mode = True
    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: Vars | None = None) -> Vars:
        """Check which images exist, transfer the directories of the others, and build them."""
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        arguments = dict(self._task.args)
        _check_keep(arguments.get("keep", 1))
        wanted = _wanted(arguments.get("builds"), arguments.pop("images", None))
        if not wanted:
            return {"changed": False, "images": {}}
        # Those that this run does not build are builds of the list too.
        arguments["keep_names"] = [
            *check_type_list(arguments.get("keep_names") or []),
            *(build["image"] for build in arguments["builds"]),
        ]
        if DOCKER_MISSING:
            raise AnsibleActionFail(f"on the control node: {missing_required_lib('docker')}")
        builds = [self._complete(build, task_vars) for build in wanted]
        if self._local():
            # A module call would take as long as the rest of a run without changes.
            existing = built_here(builds)
            if existing is not None:
                return {"changed": False, "images": existing}
            for build in builds:
                build["path"] = build["directory"]
            with progress(f"building {listed([build['image'] for build in builds])}"):
                return self._module({**arguments, "builds": builds}, task_vars)
        result = self._module({**arguments, "builds": builds}, task_vars)
        if result.get("failed") or self._task.check_mode:
            return result
        missing = [build for build in builds if result["images"][build["image"]]["action"] == "build"]
        if not missing:
            return result
        for build in missing:
            display.display(f"  building {build['image']} from {build['directory']}")
            self._ship(build, result["spool"], task_vars)
        with progress(f"building {listed([build['image'] for build in missing])}"):
            return self._module({**arguments, "builds": builds}, task_vars)

    def _complete(self, build: Vars, task_vars: Vars) -> Vars:
        build = {key: value for key, value in build.items() if value is not None}
        directory = find_file(self, str(build.get("directory")), task_vars)
        if directory is None or not os.path.isdir(directory):
            raise AnsibleActionFail(
                f"image '{build.get('image')}', option 'directory': there is no directory '{build.get('directory')}'"
            )
        build |= {"image": normal_reference(build["image"]), "directory": os.path.abspath(directory)}
        return {**build, "source": source_hash(build)}

    def _local(self) -> bool:
        return self._connection.transport == "local"

    def _ship(self, build: Vars, spool: str, task_vars: Vars) -> None:
        """Copy the build context to the build host; set its path and checksum in ``build``."""
        target = f"{spool}/{build['source'][:24]}.tar"
        directory = {"path": spool, "state": "directory", "mode": "0700"}
        self._execute_module(module_name="ansible.builtin.file", module_args=directory, task_vars=task_vars)
        with tempfile.TemporaryDirectory(prefix="langgraph-build-") as temporary:
            packed = os.path.join(temporary, "context.tar")
            with tarfile.open(packed, "w") as archive:
                for path in context(build["directory"], build.get("config") or "langgraph.json"):
                    archive.add(os.path.join(build["directory"], path), path, recursive=False)
            with open(packed, "rb") as file:
                build |= {"path": target, "checksum": hashlib.file_digest(file, "sha256").hexdigest()}
            copied = copy_file(self, packed, target, task_vars)
        if copied.get("failed"):
            raise AnsibleActionFail(f"image '{build['image']}': its directory cannot be shipped: {copied.get('msg')}")

    def _module(self, arguments: Vars, task_vars: Vars) -> Vars:
        return self._execute_module(
            module_name="selfhost.langgraph.image_build", module_args=arguments, task_vars=task_vars
        )


def _check_keep(raw: t.Any) -> None:
    """Raises AnsibleActionFail unless it is a positive number."""
    try:
        keep = check_type_int(raw)
    except TypeError:
        keep = 0
    if keep < 1:
        raise AnsibleActionFail(f"option 'keep': '{printable(raw)}' is not a number of builds; write 1 or more")


def _wanted(raw: t.Any, images: t.Sequence[str] | None) -> list[Vars]:
    """Return the options of the builds of these images, or of all builds. Raises AnsibleActionFail."""
    builds, problems = check_builds(raw)
    if problems:
        raise AnsibleActionFail("\n".join(map(str, problems)))
    names = None if images is None else {normal_reference(image) for image in images}
    return [build_options(build) for build in builds if names is None or normal_reference(build["image"]) in names]


def built_here(builds: t.Sequence[Vars]) -> dict[str, Vars] | None:
    """Return the module's result if all images are built already; None if the module must build or report an error."""
    try:
        client = docker_engine.connect()
        found = {build["image"]: image_build.built(client, build) for build in builds}
    except docker_engine.EngineError:
        return None
    images = {name: image_build.result_entry(name, image, "keep") for name, image in found.items() if image is not None}
    return images if len(images) == len(found) else None


def context(directory: str, config: str = "langgraph.json") -> list[str]:
    """Return the sorted paths of the build context: all files that .dockerignore does not exclude (docs: docker build)."""
    ignored: list[str] = []
    # The CLI builds in the directory of its configuration.
    inside = os.path.dirname(os.path.normpath(config))
    path = os.path.join(directory, inside, ".dockerignore")
    if os.path.isfile(path):
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            ignored = [_below(inside, pattern) for pattern in ignored_patterns(file.read())]
    return sorted(exclude_paths(directory, ignored))


def _below(directory: str, pattern: str) -> str:
    """Return a pattern of the .dockerignore in ``directory``, relative to the root of the build context."""
    if not directory:
        return pattern
    negated = "!" if pattern.startswith("!") else ""
    return f"{negated}{directory}/{pattern.removeprefix('!').strip().lstrip('/')}"


def source_hash(build: t.Mapping[str, t.Any]) -> str:
    """Return the hash of an image's sources: the files with their modes, and the build options."""
    digest = hashlib.sha256(json.dumps({key: build.get(key) for key in _HASHED}, sort_keys=True).encode())
    for path in context(build["directory"], build.get("config") or "langgraph.json"):
        full = os.path.join(build["directory"], path)
        mode = os.lstat(full).st_mode
        digest.update(os.fsencode(f"\0{path}\0{mode:o}\0"))
        if os.path.islink(full):
            digest.update(os.fsencode(os.readlink(full)))
        elif os.path.isfile(full):
            with open(full, "rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
