# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Deployments and revisions as files on the host, readable only by root.

``CONFIG_DIR/NAME/deployment.json``: which revision serves since when, the public address, the limits. It is the only
record of the serving revision, and is written last, after the switch.
``CONFIG_DIR/NAME/credentials``: the second environment file of its containers. ``credentials.new`` is that of a revision
which has not served yet, as its ``slot.json`` notes; it replaces the first one when that revision serves, so that a failed
rollout does not change the credentials of the serving revision.
``CONFIG_DIR/NAME/revisions/N/``: ``revision.json`` and ``environment`` never change; ``slot.json`` (where the container
answers, and which credentials it was created with) and ``outcome.json`` (the result of its start) are written when they
are known, ``snapshot.json`` before a dump, ``drain.json`` by the drain unit.
``CONFIG_DIR/switched.json``: the records of deployments that have switched together, until each is at its own path. They
are written together or not at all: after half of an exchange of addresses no proxy could serve the host.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import typing as t
from dataclasses import replace

from ansible_collections.selfhost.langgraph.plugins.module_utils._common import credentials as _credentials
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.env_file import (
    Variables,
    parse_rendered,
    render,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.names import NAME
from ansible_collections.selfhost.langgraph.plugins.module_utils._host import systemd
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.model import (
    Deployment,
    Revision,
    config_of,
    drain_unit_name,
    unit_name,
)

SWITCHED = "switched.json"


def deployment_names(config_dir: str) -> list[str]:
    """Return the names of the deployments with files on the host, sorted."""
    try:
        return sorted(entry.name for entry in os.scandir(config_dir) if entry.is_dir() and NAME.fullmatch(entry.name))
    except FileNotFoundError:
        return []


def read(config_dir: str, names: t.Sequence[str]) -> dict[str, Deployment]:
    """Read the deployments ``names`` from the host: their files and, in one call, their units."""
    numbers = {name: _numbers(config_dir, name) for name in names}
    instances = [(name, number) for name in names for number in numbers[name]]
    units = [function(*item) for item in instances for function in (unit_name, drain_unit_name)]
    states = systemd.instance_states(units)
    switched, found = _switched(config_dir), {}
    for name in names:
        settings = switched.get(name) or read_json(_record(config_dir, name))
        revisions = tuple(_revision(config_dir, name, number, states) for number in numbers[name])
        deployment = Deployment(name, settings, revisions, _variables(_text(_credentials_file(config_dir, name))))
        found[name] = replace(deployment, credentials_file=_credentials_of(config_dir, deployment))
    return found


def _variables(text: str | None) -> dict[str, str] | None:
    """Return the variables of an environment file: the only place where such a file is parsed."""
    return None if text is None else parse_rendered(text)


def _credentials_of(config_dir: str, deployment: Deployment) -> Variables | None:
    """Return the content of its credentials file; staged content of a killed run counts if its revision already serves."""
    staged = _variables(_text(f"{_credentials_file(config_dir, deployment.name)}.new"))
    serving = deployment.serving
    if staged and serving is not None and serving.credentials == _credentials.digest(staged):
        return staged
    return deployment.credentials_file


def _credentials_file(config_dir: str, name: str) -> str:
    return os.path.join(config_dir, name, "credentials")


def stage_credentials(config_dir: str, name: str, credentials: Variables) -> None:
    """Write the credentials of a revision that is about to start next to those of the serving revision."""
    _stage(_credentials_file(config_dir, name), render(credentials))


def put_credentials(config_dir: str, name: str) -> None:
    """Make the staged credentials the deployment's; do nothing if none are staged."""
    if os.path.exists(f"{_credentials_file(config_dir, name)}.new"):
        _put(_credentials_file(config_dir, name))


def settle_credentials(config_dir: str, deployment: Deployment) -> None:
    """Commit or drop what a killed run staged: commit it if the serving revision has it."""
    if deployment.credentials_file != _variables(_text(_credentials_file(config_dir, deployment.name))):
        put_credentials(config_dir, deployment.name)
    else:
        drop_staged_credentials(config_dir, deployment.name)


def drop_staged_credentials(config_dir: str, name: str) -> None:
    """Remove the staged credentials of a revision that has failed."""
    _unlink(f"{_credentials_file(config_dir, name)}.new")


def _record(config_dir: str, name: str) -> str:
    return os.path.join(config_dir, name, "deployment.json")


def _switched(config_dir: str) -> dict[str, t.Any]:
    return read_json(os.path.join(config_dir, SWITCHED)) or {}


def _numbers(config_dir: str, name: str) -> list[int]:
    try:
        return sorted(int(entry) for entry in os.listdir(_revisions(config_dir, name)) if entry.isdecimal())
    except FileNotFoundError:
        return []


def _revision(config_dir: str, name: str, number: int, states: t.Mapping[str, systemd.UnitState]) -> Revision:
    directory = revision_directory(config_dir, name, number)
    state = states[unit_name(name, number)]
    record = read_json(os.path.join(directory, "revision.json"))
    environment = _text(os.path.join(directory, "environment"))
    return Revision(
        number,
        record=record,
        environment=_variables(environment),
        config=None if record is None or environment is None else config_of(record, environment),
        outcome=read_json(os.path.join(directory, "outcome.json")),
        endpoint=read_json(_endpoint(config_dir, name, number)),
        active=state.active,
        enabled=state.enabled,
        draining=states[drain_unit_name(name, number)].active in ("active", "activating"),
        snapshot=(read_json(os.path.join(directory, "snapshot.json")) or {}).get("path"),
    )


def revision_directory(config_dir: str, name: str, number: int) -> str:
    """Return the directory of a revision's files."""
    return os.path.join(_revisions(config_dir, name), str(number))


def _revisions(config_dir: str, name: str) -> str:
    return os.path.join(config_dir, name, "revisions")


def read_json(path: str) -> dict[str, t.Any] | None:
    """Return the mapping in a JSON file; None if the file is missing or was truncated by a full disk."""
    try:
        content = json.loads(_text(path) or "")
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def _text(path: str) -> str | None:
    try:
        # Invalid bytes were put there by hand: replaced, they do not match the record's hash.
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None


def write_revision(config_dir: str, name: str, record: t.Mapping[str, t.Any], environment: Variables) -> None:
    """Write a new revision atomically: it exists completely or not at all."""
    directory = revision_directory(config_dir, name, record["number"])
    for parent in (os.path.join(config_dir, name), _revisions(config_dir, name)):
        os.makedirs(parent, mode=0o700, exist_ok=True)
        os.chmod(parent, 0o700)
    staged = os.path.join(_revisions(config_dir, name), ".new")
    shutil.rmtree(staged, ignore_errors=True)
    os.mkdir(staged, 0o700)
    try:
        _write(os.path.join(staged, "revision.json"), _dump(record))
        _write(os.path.join(staged, "environment"), render(environment))
    except OSError:
        shutil.rmtree(staged, ignore_errors=True)
        raise
    # A directory of this number is incomplete: a complete revision is never written again.
    shutil.rmtree(directory, ignore_errors=True)
    os.rename(staged, directory)


def write_settings(config_dir: str, settings: t.Mapping[str, t.Mapping[str, t.Any]]) -> None:
    """Record the settings of deployments and which revisions serve; if it is killed, all of them are recorded or none."""
    switch = StagedSwitch(config_dir)
    switch.stage_records(settings)
    switch.commit()
    switch.finish()


class StagedSwitch:
    """The records of a cutover, written next to the present ones before the proxy switches, so that a full disk shows first.

    After that, renames are enough, which need no space. commit() replaces all records at once, or none if it is killed or
    fails; the next run does what finish() cannot do.
    """

    def __init__(self, config_dir: str) -> None:
        self._config_dir = config_dir
        self._first: list[str] = []
        self._records: list[str] = []
        # Deployments, and whether their credentials were staged here.
        self._credentials: dict[str, bool] = {}

    def stage_outcome(self, name: str, number: int, outcome: t.Mapping[str, t.Any]) -> None:
        """Stage the outcome of a revision's start."""
        self._add(self._first, _outcome(self._config_dir, name, number), outcome)

    def stage_endpoint(self, name: str, number: int, endpoint: t.Mapping[str, t.Any]) -> None:
        """Stage an endpoint with another deadline."""
        self._add(self._first, _endpoint(self._config_dir, name, number), endpoint)

    def stage_records(self, settings: t.Mapping[str, t.Mapping[str, t.Any]]) -> None:
        """Stage the settings of all deployments that switch, and which revisions serve."""
        for name, record in settings.items():
            self._add(self._records, _record(self._config_dir, name), record)
        if len(settings) > 1:
            self._add(self._first, os.path.join(self._config_dir, SWITCHED), settings)

    def stage_credentials(self, name: str, credentials: Variables | None) -> None:
        """Stage the credentials of the serving revision; None: they were staged before its container was created."""
        self._credentials[name] = credentials is not None
        if credentials is not None:
            stage_credentials(self._config_dir, name, credentials)

    def _add(self, paths: list[str], path: str, content: t.Mapping[str, t.Any]) -> None:
        paths.append(path)
        _stage(path, _dump(content))

    def commit(self) -> None:
        """Commit all staged records. Raises OSError, and then the previous records still apply."""
        # The last rename decides: that of the only record, else that of the file that has all of them.
        single = self._records if len(self._records) == 1 else []
        for path in (*self._first, *single):
            _put(path)

    def finish(self) -> None:
        """Move each record to its own path."""
        if len(self._records) > 1:
            for path in self._records:
                _put(path)
        _unlink(os.path.join(self._config_dir, SWITCHED))
        for name in self._credentials:
            put_credentials(self._config_dir, name)

    def drop(self) -> None:
        """Remove the staged files that were not committed."""
        for path in (*self._first, *self._records):
            _unlink(f"{path}.new")
        for name, here in self._credentials.items():
            if here:
                drop_staged_credentials(self._config_dir, name)


def remove_settings(config_dir: str, name: str) -> None:
    """Remove a deployment's record: no revision of it serves from now on."""
    _unlink(_record(config_dir, name))


def is_half_written(config_dir: str) -> bool:
    """Return whether a run was killed while it wrote the records of several deployments; read() returns the new ones."""
    return bool(_switched(config_dir))


def finish_writing(config_dir: str) -> None:
    """Finish writing the records that such a run left."""
    present = set(deployment_names(config_dir))
    write_settings(config_dir, {name: record for name, record in _switched(config_dir).items() if name in present})


def write_endpoint(config_dir: str, name: str, number: int, endpoint: t.Mapping[str, t.Any]) -> None:
    """Record where a revision's container answers."""
    stage_endpoint(config_dir, name, number, endpoint)
    commit_endpoint(config_dir, name, number)


def stage_endpoint(config_dir: str, name: str, number: int, endpoint: t.Mapping[str, t.Any]) -> None:
    """Write it next to the present one; this is the step that can fail on a full disk."""
    _stage(_endpoint(config_dir, name, number), _dump(endpoint))


def commit_endpoint(config_dir: str, name: str, number: int) -> None:
    """Commit the staged file."""
    _put(_endpoint(config_dir, name, number))


def keep_endpoint(config_dir: str, name: str, number: int) -> None:
    """Keep a link to the present file: restoring it must not need disk space."""
    path = _endpoint(config_dir, name, number)
    _unlink(f"{path}.before")
    if os.path.exists(path):
        os.link(path, f"{path}.before")


def restore_endpoint(config_dir: str, name: str, number: int) -> None:
    """Restore the file that keep_endpoint() kept."""
    path = _endpoint(config_dir, name, number)
    if os.path.exists(f"{path}.before"):
        os.replace(f"{path}.before", path)


def remove_endpoint(config_dir: str, name: str, number: int) -> None:
    """Remove the file of a revision's endpoint."""
    remove_file(_endpoint(config_dir, name, number))


def _endpoint(config_dir: str, name: str, number: int) -> str:
    return os.path.join(revision_directory(config_dir, name, number), "slot.json")


def write_outcome(config_dir: str, name: str, number: int, outcome: t.Mapping[str, t.Any]) -> None:
    """Record the outcome of a revision's start."""
    _replace(_outcome(config_dir, name, number), _dump(outcome))


def write_snapshot(config_dir: str, name: str, number: int, path: str) -> None:
    """Record the path of a revision's dump before it is taken, so that the dump is always found and removed later."""
    _replace(os.path.join(revision_directory(config_dir, name, number), "snapshot.json"), _dump({"path": path}))


def remove_snapshot(path: str, name: str, number: int) -> None:
    """Remove the dump of a revision, if its name matches and it is a regular file of the running user."""
    directory, file = os.path.split(path)
    if os.path.basename(directory) != name or not re.fullmatch(rf"before-revision-{number}-\w*\.dump", file):
        return
    try:
        found = os.lstat(path)
    except OSError:
        return
    if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid():
        _unlink(path)


def _outcome(config_dir: str, name: str, number: int) -> str:
    return os.path.join(revision_directory(config_dir, name, number), "outcome.json")


def read_drains(config_dir: str, name: str, numbers: t.Iterable[int]) -> dict[int, dict[str, t.Any]]:
    """Return the reports of revisions' drains, by number, without those that were never drained."""
    paths = {number: os.path.join(revision_directory(config_dir, name, number), "drain.json") for number in numbers}
    return {number: found for number, path in paths.items() if (found := read_json(path))}


def exists(path: str) -> bool:
    """Return whether a file exists."""
    return os.path.exists(path)


def remove_file(path: str) -> None:
    """Remove a file that may be missing."""
    _unlink(path)


def forget_drain(config_dir: str, name: str, number: int) -> None:
    """Remove the report of an earlier drain of a revision that starts again."""
    _unlink(os.path.join(revision_directory(config_dir, name, number), "drain.json"))


def remove_revision(config_dir: str, name: str, number: int) -> None:
    """Remove a revision's files."""
    shutil.rmtree(revision_directory(config_dir, name, number), ignore_errors=True)


def remove_deployment(config_dir: str, name: str) -> None:
    """Remove all files of a deployment."""
    shutil.rmtree(os.path.join(config_dir, name), ignore_errors=True)


def _dump(content: t.Mapping[str, t.Any]) -> str:
    return json.dumps(content, indent=2, sort_keys=True) + "\n"


def _replace(path: str, text: str) -> None:
    _stage(path, text)
    _put(path)


def _stage(path: str, text: str) -> None:
    try:
        _write(f"{path}.new", text)
    except OSError:
        _unlink(f"{path}.new")
        raise


def _put(path: str) -> None:
    os.replace(f"{path}.new", path)


def _write(path: str, text: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
