# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import tempfile
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.image_reference import normal_reference
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import Problem, printable
from ansible_collections.selfhost.langgraph.plugins.module_utils._images.load import IMAGE_OPTIONS
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._files import find_file
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._images.archive import (
    ArchivedImage,
    ArchiveError,
    archive_images,
    shipped_size,
    write_parts,
)
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._images.plan import megabytes
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._progress import progress

display = Display()
Vars = dict[str, t.Any]
# The engine unpacks an archive next to its store before it takes its layers.
UNPACKED = 2


class ModuleFailed(RuntimeError):
    """A module failed on the host; its result becomes the task's result."""

    def __init__(self, result: Vars) -> None:
        super().__init__(result.get("msg"))
        self.result = result


class ActionModule(ActionBase):
    """Transfer the image layers that the host lacks, in parts, and load the images."""

    _supports_check_mode = True
    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: Vars | None = None) -> Vars:
        """Check which layers the host lacks, transfer them, and load the images."""
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        _validated, options = self.validate_argument_spec(
            argument_spec={
                "images": {
                    "type": "list",
                    "elements": "dict",
                    "required": True,
                    "options": IMAGE_OPTIONS,
                }
            }
        )
        try:
            return self._transfer(options["images"], task_vars)
        except ModuleFailed as failure:
            return failure.result
        except ArchiveError as error:
            raise AnsibleActionFail(str(error)) from error

    def _transfer(self, wanted: list[Vars], task_vars: Vars) -> Vars:
        images = [self._with_archive(item, task_vars) for item in wanted]
        queried = [
            {
                **{key: item[key] for key in ("image", "image_id")},
                "layers": [layer.diff_id for layer in item["archived"].layers],
                "content": item["archived"].content,
            }
            for item in images
        ]
        host = self._module("image_layers_info", {"images": queried}, task_vars)
        missing = [item for item in images if item["image"] not in host["present"]]
        if not missing:
            return {"changed": False, "images": []}
        for item in missing:
            item["there"] = host["there"][item["image_id"]]
            item["size"] = shipped_size(item["archived"], item["there"])
        problem = _space_problem(missing, host)
        if problem:
            raise AnsibleActionFail(problem)
        if not self._task.check_mode:
            for item in missing:
                self._ship_and_load(item, host, task_vars)
        return {"changed": True, "images": [_result_entry(item) for item in missing]}

    def _with_archive(self, item: Vars, task_vars: Vars) -> Vars:
        path = find_file(self, item["archive"], task_vars) or item["archive"]
        image = normal_reference(item["image"])
        archived = archive_images(path)
        if image not in archived:
            names = ", ".join(sorted(archived)) or "none"
            raise AnsibleActionFail(f"image_archives: '{path}' has no image '{image}'; it has {names}")
        found = archived[image]
        return {**item, "archive": path, "image": image, "image_id": found.image_id, "archived": found}

    def _ship_and_load(self, item: Vars, host: Vars, task_vars: Vars) -> None:
        """Transfer the parts that the host's spool directory lacks, and load the image on the host."""
        # One image may have two names, each with its own archive.
        key = hashlib.sha256(f"{item['image']} {item['image_id']}".encode()).hexdigest()
        spool = f"{host['spool']}/{key[:24]}-{item['there']}"
        directory, sent = tempfile.mkdtemp(prefix="langgraph-image-"), 0
        checksums: dict[str, str] = {}

        def ship(part: str) -> None:
            nonlocal sent
            name = os.path.basename(part)
            with open(part, "rb") as file:
                checksums[name] = hashlib.file_digest(file, "sha256").hexdigest()
            if host["spooled"].get(f"{spool}/{name}") != checksums[name]:
                self._move_to_spool(item["image"], self._upload(part, name), spool)
            sent += os.path.getsize(part)
            if item["size"]:
                sent_size = f"{megabytes(min(sent, item['size']))} of {megabytes(item['size'])}"
                display.display(f"  {task_vars['inventory_hostname']}: {item['image']}: {sent_size} transferred")

        try:
            write_parts(item["archive"], item["image"], item["there"], directory, ship)
        finally:
            shutil.rmtree(directory, ignore_errors=True)
        arguments = {key: item[key] for key in ("archive", "image", "image_id")}
        arguments |= {"content": item["archived"].content, "spool": spool, "checksums": checksums}
        with progress(f"{task_vars['inventory_hostname']}: loading {item['image']}"):
            self._module("image_load", {"images": [arguments]}, task_vars)

    def _upload(self, source: str, name: str) -> str:
        """Copy a file to the temporary directory of this task on the host."""
        shell = self._connection._shell
        if shell.tmpdir is None:
            self._make_tmp_path()
        target = shell.join_path(shell.tmpdir, name)
        self._transfer_file(source, target)
        self._fixup_perms2((shell.tmpdir, target), execute=False)
        return target

    def _move_to_spool(self, image: str, part: str, spool: str) -> None:
        """Move an uploaded part to the spool directory, accessible only to root; a module call would cost a second."""
        owner = '"$(id -u):$(id -g)"'
        source, target = shlex.quote(part), shlex.quote(spool)
        command = f"umask 077 && mkdir -p {target} && chmod 600 {source} && chown {owner} {source} && mv -f {source} {target}/"
        done = self._low_level_execute_command(command)
        if done["rc"] != 0:
            why = printable(str(done.get("stderr") or done.get("stdout")))
            raise AnsibleActionFail(f"image '{image}': a part of it cannot be stored on the host ({why})")

    def _module(self, name: str, arguments: Vars, task_vars: Vars) -> Vars:
        full = name if "." in name else f"selfhost.langgraph.{name}"
        result = self._execute_module(module_name=full, module_args=arguments, task_vars=task_vars)
        if result.get("failed"):
            raise ModuleFailed(result)
        return result


def _space_problem(missing: list[Vars], host: Vars) -> str | None:
    """Return a message if the host has too little space, else None; nothing has been transferred yet."""
    size = sum(item["size"] for item in missing)
    spool = size if host["spool_free"] is None else 0
    label = ", ".join(dict.fromkeys(name for item in missing for name in item["deployments"])) or "-"
    needs = ((size * UNPACKED + spool, host["free"], host["root"]), (size, host["spool_free"], host["spool"]))
    for needed, free, directory in needs:
        if free is not None and needed > free:
            finding = f"loading it requires {megabytes(needed)} in {directory}, but the host has {megabytes(free)} free"
            return str(Problem(label, "image", finding, "free some space or enlarge the disk"))
    return None


def _result_entry(item: Vars) -> Vars:
    archived: ArchivedImage = item["archived"]
    return {
        "image": item["image"],
        "image_id": item["image_id"],
        "layers": len(archived.layers),
        "layers_there": item["there"],
        "shipped": item["size"],
    }
