# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Plan and apply for the module container_service: folders, units and containers of the whole list."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils import _docker, _services, _systemd
from ansible_collections.selfhost.langgraph.plugins.module_utils._deployment_rules import NAME
from ansible_collections.selfhost.langgraph.plugins.module_utils._failures import failures_of, sentence
from ansible_collections.selfhost.langgraph.plugins.module_utils._images import normal_reference

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

LOCK = "/run/lock/langgraph-container-service"
FILES = ("container.json", "environment")


class ImageMissing(RuntimeError):
    """An image is not on the host; the text names the deployment and the option."""


class BadName(ValueError):
    """A name that can be no folder, unit and container."""


def run_module(module: AnsibleModule) -> t.NoReturn:
    """Do the module's work and exit."""
    try:
        result = converge(module.params, check_mode=module.check_mode)
    except (_docker.EngineError, _systemd.SystemdError, ImageMissing, BadName) as error:
        module.fail_json(msg=str(error))
    if not module._diff:
        result.pop("diff")
    if result["failures"]:
        module.fail_json(msg=sentence(result["failures"]), **result)
    result.pop("failures")
    module.exit_json(**result)


def converge(params: t.Mapping[str, t.Any], *, check_mode: bool) -> dict[str, t.Any]:
    """Bring the host to what ``params`` want; with ``check_mode`` only tell."""
    for deployment in params["deployments"]:
        if not NAME.fullmatch(deployment["name"]):
            # It becomes a folder that may be deleted.
            raise BadName(
                f"deployment '{deployment['name']}', option 'name': it is not made of a-z, 0-9 and inner hyphens"
            )
    client = _docker.connect()
    images = _docker.image_ids(client)
    if check_mode:
        images = {**images, **params["coming_images"]}
    with contextlib.nullcontext() if check_mode else host_lock():
        return _converge(params, client, images, check_mode=check_mode)


@contextlib.contextmanager
def host_lock() -> t.Iterator[None]:
    """Have one run at a time change the host. The lock ends with the process, so nothing is ever left locked."""
    with open(LOCK, "w", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _converge(
    params: t.Mapping[str, t.Any], client: t.Any, images: t.Mapping[str, str], *, check_mode: bool
) -> dict[str, t.Any]:
    wanted = _wanted(params, images, check_mode)
    names = [item.name for item in wanted]
    found = read_host(params["config_dir"], names)
    steps = _services.plan(wanted, found)
    failures: list[dict[str, t.Any]] = []
    if not check_mode:
        _apply(steps, {item.name: item for item in wanted}, params, client)
        started = [step.name for step in steps if step.action in ("create", "restart", "start", "wait")]
        failures = failures_of(started, params["config_dir"])
    return {
        "changed": any(step.changed for step in steps),
        "deployments": [_report(step, item) for step, item in zip(steps, wanted, strict=True)],
        "failures": failures,
        "diff": [_diff(item, found[item.name]) for step, item in zip(steps, wanted, strict=True) if step.changed],
    }


def _wanted(params: t.Mapping[str, t.Any], images: t.Mapping[str, str], check_mode: bool) -> list[_services.Wanted]:
    wanted = []
    for deployment in params["deployments"]:
        if deployment["state"] == "absent":
            wanted.append(_services.Wanted(deployment["name"]))
            continue
        image_id = images.get(normal_reference(deployment["image"]))
        if image_id is None and check_mode:
            # An earlier task of the real run brings it.
            image_id = "not on the host yet"
        if image_id is None:
            raise ImageMissing(
                f"deployment '{deployment['name']}', option 'image': the host has no image '{deployment['image']}'; "
                "load or pull it first"
            )
        content = _services.container_file(deployment, image_id, params)
        wanted.append(_services.Wanted(deployment["name"], content, deployment["environment"]))
    return wanted


def read_host(config_dir: str, names: t.Sequence[str]) -> dict[str, _services.Found]:
    """Read what the host has of ``names``: their files and, in one call, their units."""
    states = _systemd.unit_states([_services.unit_name(name) for name in names])
    found = {}
    for name in names:
        state = states[_services.unit_name(name)]
        container, environment = (_read(os.path.join(config_dir, name, file)) for file in FILES)
        found[name] = _services.Found(name, container, environment, state.active, state.enabled)
    return found


def _read(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return None


def _apply(
    steps: t.Sequence[_services.Step],
    wanted: t.Mapping[str, _services.Wanted],
    params: t.Mapping[str, t.Any],
    client: t.Any,
) -> None:
    def units(*actions: str) -> list[str]:
        return [_services.unit_name(step.name) for step in steps if step.action in actions]

    _remove([step.name for step in steps if step.action == "remove"], params["config_dir"], client)
    # What can fail, as on a full disk, comes while everything still runs.
    for step in steps:
        if step.write:
            _stage(params["config_dir"], wanted[step.name])
    _systemd.enable([_services.unit_name(step.name) for step in steps if step.enable])
    # All first stop, so that two deployments may exchange their ports.
    _systemd.stop(units("restart"))
    # Only now: a run that is killed before must not leave an old container under files that say it is up to date.
    for step in steps:
        if step.write:
            _put_in_place(params["config_dir"], step.name)
    starting = units("create", "restart", "start", "wait")
    for first in range(0, len(starting), params["parallel"]):
        _systemd.start(starting[first : first + params["parallel"]])


def _remove(names: t.Sequence[str], config_dir: str, client: t.Any) -> None:
    """Stop first and delete the files last: a run that is killed between them is finished by the next one."""
    _systemd.disable_now([_services.unit_name(name) for name in names])
    for name in names:
        _docker.remove_container(client, _services.container_name(name))
        shutil.rmtree(os.path.join(config_dir, name), ignore_errors=True)


def _stage(config_dir: str, wanted: _services.Wanted) -> None:
    """Write the new files beside the old ones. What a killed run left there is overwritten."""
    folder = os.path.join(config_dir, wanted.name)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    os.chmod(folder, 0o700)
    for name, content in zip(FILES, (wanted.container, wanted.environment), strict=True):
        handle = os.open(_staged(folder, name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(content or "")
            file.flush()
            os.fsync(file.fileno())


def _put_in_place(config_dir: str, name: str) -> None:
    """Put the environment before the file whose ``config`` says that it is complete."""
    folder = os.path.join(config_dir, name)
    for file in reversed(FILES):
        os.replace(_staged(folder, file), os.path.join(folder, file))


def _staged(folder: str, name: str) -> str:
    return os.path.join(folder, f".{name}.new")


def _report(step: _services.Step, wanted: _services.Wanted) -> dict[str, t.Any]:
    return {
        "name": step.name,
        "action": step.action,
        "reasons": list(step.reasons),
        "image_id": _services.image_id(wanted.container),
    }


def _diff(wanted: _services.Wanted, found: _services.Found) -> dict[str, str]:
    header = f"deployment {wanted.name}"
    return {
        "before_header": header,
        "after_header": header,
        "before": _services.masked(found.container, found.environment, wanted.environment, "before"),
        "after": _services.masked(wanted.container, wanted.environment, found.environment, "after"),
    }


def deployed(config_dir: str) -> list[dict[str, t.Any]]:
    """What the host has, by name: name, image, image_id, port, drain_seconds, active, enabled."""
    try:
        names = sorted(entry.name for entry in os.scandir(config_dir) if entry.is_dir() and NAME.fullmatch(entry.name))
    except FileNotFoundError:
        return []
    return [
        {"name": name, **_services.summary(found.container), "active": found.active, "enabled": found.enabled}
        for name, found in read_host(config_dir, names).items()
    ]
