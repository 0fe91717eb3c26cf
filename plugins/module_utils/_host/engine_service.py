# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The Docker engine as a service of the host: read its state, and apply its options.

Needs no library: on a host that others already use, the engine's library may not be installed yet.
"""

from __future__ import annotations

import contextlib
import errno
import http.client
import json
import os
import shutil
import socket
import time
import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.command import run
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.failpoints import failpoint
from ansible_collections.selfhost.langgraph.plugins.module_utils._host import (
    apt,
    engine_network,
    engine_options,
    tcp_ports,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._host.engine_options import Engine

SOCKET = "/run/docker.sock"
UNIT = "docker.service"
# The record of the role's changes to this host's engine: the packages that it installed, and the options it wrote and when.
RECORD = "/var/lib/langgraph/docker-engine.json"
# In sync with the doc fragment plugins/doc_fragments/_engine.py.
ENGINE_ARGS: dict[str, t.Any] = {
    "live_restore": {"type": "bool", "default": True},
    "registry_mirrors": {"type": "list", "elements": "str", "default": []},
    "insecure_registries": {"type": "list", "elements": "str", "default": []},
    "options": {"type": "dict", "default": {}},
}
# The first version whose program validates a file (docs: dockerd --validate).
_VALIDATES = (23, 0)
_READ_AGAIN_SECONDS = 20.0
_START_SECONDS = 60.0


class EngineServiceError(RuntimeError):
    """The engine refused its options; the message says what was done about it."""


class Look(t.NamedTuple):
    """The facts of the engine as a service."""

    found: bool
    running: bool
    program: str
    command: list[str]
    process: int
    record: dict[str, t.Any]
    engine: Engine
    networks: list[dict[str, t.Any]]


def look(network: str = "") -> Look:
    """Read the engine's state without starting it: its unit, its file, its command line, and its own info."""
    wanted = ("LoadState", "ActiveState", "MainPID", "ExecStart")
    shown = run(["systemctl", "show", "--property", ",".join(wanted), "--", UNIT], timeout=30).stdout
    unit = dict(line.partition("=")[::2] for line in shown.splitlines())
    # The role packages masks it during the installation: a killed run may have left a masked unit, with or without an engine.
    there = unit.get("LoadState") == "loaded" or (
        unit.get("LoadState") == "masked" and shutil.which("dockerd") is not None
    )
    found, process = there, int(unit.get("MainPID") or 0)
    running = unit.get("ActiveState") in ("active", "reloading") and process > 0
    # The unit's file has variables where the process has their values.
    command = (_command_of(process) if running else []) or engine_options.command_of(unit.get("ExecStart", ""))
    flags = engine_options.flags_of(command)
    program = command[0] if command else shutil.which("dockerd") or "dockerd"
    path = flags.pop("config-file", engine_options.FILE)
    record = _record()
    info = ask("/info") if running else None
    engine = Engine(
        version=str((info or {}).get("ServerVersion") or "") if info else (_version(program) if found else ""),
        file=_read(path),
        path=path,
        flags=tuple(flags),
        info=info,
        ours=bool(record.get("installed")) and (not found or _is_of(program, record.get("packages") or ())),
        former=record.get("options") or (),
    )
    return Look(found, running, program, command, process, record, engine, _networks(network) if running else [])


def problems(params: t.Mapping[str, t.Any], seen: Look) -> t.Iterator[str]:
    """Yield one line for each reason why this host cannot have the options of the role's variables."""
    if seen.found:
        yield from engine_options.problems(params, seen.engine)
    elif seen.engine.file is None:
        yield f"{seen.engine.path} on the host is not a JSON object; correct or remove it first"
    elif os.path.exists(SOCKET) and ask("/version") is not None:
        yield (
            f"a program that is not {UNIT} (Podman, for example) answers on {SOCKET} on the host; the deployments need a Docker "
            "engine: stop that program first"
        )
    network = params.get("network")
    if network:
        with open("/proc/net/route", encoding="ascii") as file:
            routes = engine_network.parse_routes(file.read())
        yield from engine_network.network_problems(network, seen.networks, routes, tcp_ports.addresses())


def missing_commands(seen: Look) -> list[str]:
    """Return the programs that units need of an existing engine and that the host lacks."""
    return [] if not seen.found or shutil.which("docker") else ["docker"]


class Plan(t.NamedTuple):
    """The changes that are needed for the engine to run with the wanted options."""

    text: str | None
    wanted: dict[str, t.Any]
    claimed: dict[str, t.Any]
    reload: list[str]
    restart: list[str]

    @property
    def changed(self) -> bool:
        """Return whether there is anything to do."""
        return self.text is not None or bool(self.reload or self.restart)


def make_plan(params: t.Mapping[str, t.Any], seen: Look) -> Plan:
    """Compare the file with the wanted options, and the running engine with both."""
    engine = seen.engine
    wanted = engine_options.wanted_options(params, engine)
    file = engine.file or {}
    written = engine_options.without_flags(wanted, engine)
    merged, _contradictions = engine_options.merge(file, written, engine.former)
    claimed = engine_options.claimed(file, written, engine.former)
    text = json.dumps(merged, indent=4) + "\n" if merged != file else None
    due = engine_options.runs_without(engine.info, wanted, engine.former) if engine.info is not None else []
    restart = engine_options.needs_restart(file, merged) if engine.info is not None else []
    if engine.info is not None and engine.ours and not restart and _is_older(seen):
        restart = list(seen.record.get("restart") or ["options"])
    return Plan(text, wanted, claimed, due, restart if engine.ours else [])


def carry_out(plan: Plan, seen: Look) -> None:
    """Write the changed file and apply it to the engine. Raises EngineServiceError, and then the former file is restored."""
    engine = seen.engine
    path = os.path.realpath(engine.path)
    before = _bytes(path)
    wrote = plan.text is not None
    if plan.text is not None:
        _try(path, plan.text, seen)
    if wrote or plan.claimed != (engine.former[-1] if engine.former else {}):
        note = {**seen.record, "options": [*engine.former, plan.claimed]}
        if wrote and plan.restart:
            note |= {"boot": _boot(), "written": _now(), "restart": plan.restart}
        _write(RECORD, json.dumps(note).encode(), 0o600)
        failpoint("recorded")
        if wrote:
            os.replace(_trial(path), path)
            failpoint("written")
        _write(RECORD, json.dumps({**note, "options": [plan.claimed]}).encode(), 0o600)
        failpoint("noted")
    if not seen.running:
        return
    try:
        if plan.reload:
            _reload(plan, engine.former)
        failpoint("read again")
        if plan.restart:
            _restart()
    except EngineServiceError as error:
        if not wrote:
            raise
        _put_back(path, before, seen)
        raise EngineServiceError(f"{error}; {path} was restored") from error


def _reload(plan: Plan, former: t.Sequence[t.Mapping[str, t.Any]]) -> None:
    """Reload the engine's file. An engine that finds an error in it keeps its former options and logs that."""
    done = run(["systemctl", "reload", UNIT], timeout=_START_SECONDS)
    if done.returncode != 0:
        raise EngineServiceError(f"{UNIT} cannot be reloaded: {done.stderr.strip()}")
    deadline = time.monotonic() + _READ_AGAIN_SECONDS
    while engine_options.runs_without(ask("/info") or {}, plan.wanted, former):
        if time.monotonic() > deadline:
            names = ", ".join(plan.reload)
            raise EngineServiceError(
                f"the engine was reloaded but still runs without {names}; see 'journalctl -u docker'"
            )
        time.sleep(0.25)


def _restart() -> None:
    done = run(["systemctl", "restart", UNIT], timeout=2 * _START_SECONDS)
    if done.returncode != 0 or not wait_until_it_answers():
        raise EngineServiceError("the engine does not start with the new options; see 'journalctl -u docker'")


def wait_until_it_answers() -> bool:
    """Wait for an engine that was started; return whether it answers."""
    deadline = time.monotonic() + _START_SECONDS
    while ask("/version") is None:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.25)
    return True


def _put_back(path: str, before: bytes | None, seen: Look) -> None:
    _write(RECORD, json.dumps(seen.record).encode(), 0o600)
    if before is None:
        os.unlink(path)
    else:
        _write(path, before, 0o644)
    run(["systemctl", "reset-failed", UNIT], timeout=30)
    # A running engine reloads its file, a stopped one starts with it.
    run(["systemctl", "reload-or-restart", UNIT], timeout=2 * _START_SECONDS)


def _trial(path: str) -> str:
    """Return the path of the file that replaces another; a killed run may have left it, and nobody reads it."""
    return f"{path}.langgraph-new"


def _try(path: str, text: str, seen: Look) -> None:
    """Write the file next to its final path, and validate it with the engine's own program, if it can."""
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    version = engine_options.parse_version(seen.engine.version)
    trial = _trial(path)
    _write_plain(trial, text.encode(), path)
    if version is None or version < _VALIDATES:
        return
    arguments = engine_options.without_config_file(seen.command[1:])
    done = run([seen.program, *arguments, "--validate", "--config-file", trial], timeout=_START_SECONDS)
    if done.returncode != 0:
        os.unlink(trial)
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1].replace(trial, path)
        raise EngineServiceError(f"the engine would not start with the new options; nothing was changed: {reason}")


def _write(path: str, data: bytes, mode: int) -> None:
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    _write_plain(_trial(path), data, path, mode)
    os.replace(_trial(path), path)


def _write_plain(trial: str, data: bytes, like: str, mode: int = 0o644) -> None:
    """Write a file next to the one that it will replace, with the owner and mode of that one."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(trial)
    with open(os.open(trial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        with contextlib.suppress(FileNotFoundError):
            found = os.stat(like)
            os.fchmod(file.fileno(), found.st_mode & 0o7777)
            os.fchown(file.fileno(), found.st_uid, found.st_gid)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _is_older(seen: Look) -> bool:
    """Return whether the engine started before the last change that needs a restart."""
    if not seen.record.get("written") or seen.record.get("boot") != _boot():
        return False
    return _started(seen.process) < float(seen.record["written"])


def _started(process: int) -> float:
    """Return when a process started, in seconds since boot; infinity if it no longer exists."""
    try:
        with open(f"/proc/{process}/stat", encoding="utf-8") as file:
            ticks = int(file.read().rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return float("inf")
    return ticks / os.sysconf("SC_CLK_TCK")


def _now() -> float:
    """Return the seconds since boot, on the kernel's clock for process start times."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _boot() -> str:
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


def _record() -> dict[str, t.Any]:
    return _read(RECORD) or {}


def _bytes(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def _read(path: str) -> dict[str, t.Any] | None:
    """Return the JSON object in a file; an empty one if the file is missing or empty; None if it is something else."""
    data = _bytes(path)
    try:
        found = json.loads(data) if data and data.strip() else {}
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _command_of(process: int) -> list[str]:
    try:
        with open(f"/proc/{process}/cmdline", encoding="utf-8", errors="replace") as file:
            return file.read().rstrip("\0").split("\0")
    except OSError:
        return []


def _version(program: str) -> str:
    try:
        found = run([program, "--version"], timeout=30).stdout
    except OSError:
        return ""
    return found.partition("version ")[2].partition(",")[0]


def _is_of(program: str, packages: t.Collection[str]) -> bool:
    """Return whether a file came with one of these packages."""
    path = os.path.realpath(program)
    return any(path in files for files in apt.files_of(packages).values())


def _networks(name: str) -> list[dict[str, t.Any]]:
    """Return the engine's networks; the one of that name with its containers."""
    listed = ask("/networks") or []
    return [(ask(f"/networks/{item['Id']}") or item) if item.get("Name") == name else item for item in listed]


class _Connection(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(SOCKET)


def ask(path: str) -> t.Any:
    """Return the answer of the engine's API; None if it does not answer."""
    connection = _Connection("docker", timeout=30)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        data = answer.read()
        return json.loads(data) if answer.status == 200 else None
    except (OSError, http.client.HTTPException, ValueError) as error:
        if isinstance(error, OSError) and error.errno == errno.EACCES:
            raise
        return None
    finally:
        connection.close()
