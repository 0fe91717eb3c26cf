# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Shared code of the action plugins: find files on the control node and copy them to the host."""

from __future__ import annotations

import hashlib
import os
import typing as t

from ansible.errors import AnsibleError
from ansible.inventory.manager import IGNORED
from ansible.plugins.action import ActionBase


def find_file(action: ActionBase, path: str, task_vars: t.Mapping[str, t.Any]) -> str | None:
    """Return the path of a file or directory on the control node, None if there is none.

    Searches next to the inventory, in the current directory, and in the search path of tasks.
    """
    in_inventory = os.path.join(str(task_vars.get("inventory_dir") or os.getcwd()), os.path.expanduser(path))
    found = next((name for name in (in_inventory, os.path.abspath(path)) if os.path.exists(name)), None)
    try:
        return found or action._find_needle("files", path)
    except AnsibleError:
        return None


def is_inventory(path: str, sources: t.Iterable[str]) -> bool:
    """Return whether Ansible reads a file as an inventory, because it is in a directory that ``sources`` name (-i).

    It reads each line as a host, of all files there but variables, hidden ones and those with certain endings.
    """
    for source in filter(os.path.isdir, sources):
        for resolve in (os.path.abspath, os.path.realpath):
            parts = os.path.relpath(resolve(path), resolve(source)).split(os.sep)
            inside = parts[0] not in (os.pardir, os.curdir)
            if inside and not any(IGNORED.search(os.fsencode(part)) for part in parts):
                return True
    return False


def find_files(action: ActionBase, paths: t.Sequence[str], task_vars: t.Mapping[str, t.Any]) -> list[str]:
    """Return the path of each file on the control node; one that does not exist is returned as it is."""
    return [find_file(action, path, task_vars) or path for path in paths]


def stale_files(sources: t.Mapping[str, str], found: t.Mapping[str, str | None]) -> list[str]:
    """Return the paths on the host whose content differs from that of their source on the control node, sorted.

    ``found`` has the SHA-256 of each file on the host; None or no entry: it has to be written.
    """
    return sorted(path for path, source in sources.items() if found.get(path) != _digest(source))


def _digest(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def copy_file(action: ActionBase, source: str, target: str, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
    """Run ``ansible.builtin.copy`` to copy a file to the host, mode 0600, owned by root; skip it if the checksum is equal."""
    task = action._task.copy()
    task.args = {"src": source, "dest": target, "mode": "0600", "owner": "root", "group": "root"}
    copy = action._shared_loader_obj.action_loader.get(
        "ansible.builtin.copy",
        task=task,
        connection=action._connection,
        play_context=action._play_context,
        loader=action._loader,
        templar=action._templar,
        shared_loader_obj=action._shared_loader_obj,
    )
    return copy.run(task_vars=task_vars)
