# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Options of a Docker engine: the role's in its file, other people's, and those that it runs with.

Pure functions: from the host's facts to messages and mappings.
"""

from __future__ import annotations

import copy
import ipaddress
import re
import shlex
import typing as t
from dataclasses import dataclass, field

Options = t.Mapping[str, t.Any]

OLDEST = (20, 10)
LIVE_RESTORE, MIRRORS, INSECURE = "live-restore", "registry-mirrors", "insecure-registries"
# Options that the engine reloads without a restart, if the file has them (docs: dockerd, configuration reload behavior).
RELOADED = frozenset({LIVE_RESTORE, MIRRORS, INSECURE})
# With another value the engine finds neither its containers nor its images.
KEEPS_DATA = frozenset({"data-root", "graph", "storage-driver", "userns-remap"})
# Options whose name is singular on the command line, once for each value.
_REPEATED = {
    "registry-mirror": MIRRORS,
    "insecure-registry": INSECURE,
    "host": "hosts",
    "label": "labels",
    "log-opt": "log-opts",
    "storage-opt": "storage-opts",
    "exec-opt": "exec-opts",
    "default-address-pool": "default-address-pools",
    "authorization-plugin": "authorization-plugins",
    "dns-opt": "dns-opts",
    "default-ulimit": "default-ulimits",
}
# The role's variable for a key.
_INPUTS = {
    LIVE_RESTORE: "docker_live_restore",
    MIRRORS: "docker_registry_mirrors",
    INSECURE: "docker_insecure_registries",
}
FILE = "/etc/docker/daemon.json"


@dataclass(frozen=True)
class Engine:
    """The facts of a host's engine.

    - ``file``: its daemon.json, None if that is not a JSON object.
    - ``flags``: keys of daemon.json that are set on the engine's command line.
    - ``info``: the engine's answer to ``docker info``; None if it does not run.
    - ``ours``: whether the role installed it.
    - ``former``: options that the role has written, or was about to write when it was killed.
    """

    version: str = ""
    file: Options | None = field(default_factory=dict)
    path: str = FILE
    flags: t.Collection[str] = ()
    info: t.Mapping[str, t.Any] | None = None
    ours: bool = False
    former: t.Sequence[Options] = ()


def parse_version(text: str) -> tuple[int, int] | None:
    """Return the first two numbers of a version; None if there are none."""
    found = re.search(r"(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else None


def flags_of(command: t.Sequence[str]) -> dict[str, str]:
    """Return the keys of daemon.json that a command line of dockerd sets, each with its last value."""
    words, found = list(command[1:]), {}
    for place, word in enumerate(words):
        name = word[2:] if word.startswith("--") else {"-H": "host", "-l": "log-level", "-D": "debug"}.get(word[:2], "")
        name, equals, value = name.partition("=")
        if name:
            following = words[place + 1] if place + 1 < len(words) and not words[place + 1].startswith("-") else "true"
            found[_REPEATED.get(name, name)] = value if equals else following
    return found


def without_config_file(arguments: t.Sequence[str]) -> list[str]:
    """Return the arguments of a command line without its file, so that another file can be validated."""
    return [
        word
        for before, word in zip(["", *arguments], arguments)
        if before != "--config-file" and word.partition("=")[0] != "--config-file"
    ]


def command_of(exec_start: str) -> list[str]:
    """Return the command line from the output of ``systemctl show --property ExecStart``."""
    found = re.search(r"argv\[\]=(.*?) ;", exec_start)
    try:
        # The values of variables of the unit's environment are unknown.
        return [word for word in shlex.split(found[1]) if not word.startswith("$")] if found else []
    except ValueError:
        return []


def wanted_options(params: t.Mapping[str, t.Any], engine: Engine) -> dict[str, t.Any]:
    """Return the options that the role's variables ask for, without unneeded ones.

    An engine resets a setting on a reload only if the file says so, hence false and the empty list.
    """
    wanted: dict[str, t.Any] = {}
    known = {key for options in engine.former for key in options}
    if params["live_restore"] or engine.ours or LIVE_RESTORE in known:
        wanted[LIVE_RESTORE] = bool(params["live_restore"])
    for key, values in ((MIRRORS, params["registry_mirrors"]), (INSECURE, params["insecure_registries"])):
        if values or key in known:
            wanted[key] = list(values)
    return {**wanted, **params["options"]}


def merge(file: Options, wanted: Options, former: t.Sequence[Options]) -> tuple[dict[str, t.Any], list[str]]:
    """Return the file merged with the wanted options, and the conflicting keys (``KEY.KEY`` inside a mapping) of others.

    Options in ``former`` are ours: they may change, and are removed if they are no longer wanted.
    """
    merged, contradictions = copy.deepcopy(dict(file)), []
    for key in dict.fromkeys([*wanted, *(key for options in former for key in options)]):
        own = [options[key] for options in former if key in options]
        if key in (MIRRORS, INSECURE):
            known = {value for values in own for value in values}
            there, listed = list(file.get(key) or ()), list(wanted.get(key) or ())
            kept = [value for value in there if value not in known or value in listed]
            values = kept + [value for value in listed if value not in kept]
            if values or key in file:
                merged[key] = values
        elif key not in wanted:
            if isinstance(file.get(key), dict) and all(isinstance(value, dict) for value in own):
                merged[key] = merge(file[key], {}, own)[0]
            if key in file and (file[key] in own or not merged[key]):
                del merged[key]
        elif key not in file or file[key] == wanted[key] or file[key] in own:
            merged[key] = wanted[key]
        elif isinstance(file[key], dict) and isinstance(wanted[key], dict):
            merged[key], inner = merge(file[key], wanted[key], [value for value in own if isinstance(value, dict)])
            contradictions += [f"{key}.{name}" for name in inner]
        else:
            contradictions.append(key)
    return merged, contradictions


def claimed(file: Options, wanted: Options, former: t.Sequence[Options]) -> dict[str, t.Any]:
    """Return the part of the wanted options that belongs to the role: equal options that others wrote remain theirs."""
    ours: dict[str, t.Any] = {}
    for key, value in wanted.items():
        own = [options[key] for options in former if key in options]
        if key in (MIRRORS, INSECURE):
            known = {item for values in own for item in values}
            part: t.Any = [item for item in value if item in known or item not in (file.get(key) or ())]
        elif isinstance(value, dict) and isinstance(file.get(key), dict):
            part = claimed(file[key], value, [item for item in own if isinstance(item, dict)])
        elif key in file and file[key] not in own:
            continue
        else:
            part = value
        if part or not isinstance(part, (list, dict)) or key not in file:
            ours[key] = part
    return ours


def changes(file: Options, merged: Options) -> list[str]:
    """Return the keys that differ."""
    return [key for key in dict.fromkeys([*file, *merged]) if file.get(key, _NOTHING) != merged.get(key, _NOTHING)]


_NOTHING = object()


def needs_restart(file: Options, merged: Options) -> list[str]:
    """Return the keys that differ and take effect only when the engine restarts."""
    return [key for key in changes(file, merged) if key not in RELOADED]


def runs_without(info: t.Mapping[str, t.Any], wanted: Options, former: t.Sequence[Options] = ()) -> list[str]:
    """Return the keys, of those that the engine reports, for which it runs with another value than wanted."""
    differ = []
    if LIVE_RESTORE in wanted and bool(info.get("LiveRestoreEnabled")) != wanted[LIVE_RESTORE]:
        differ.append(LIVE_RESTORE)
    registries = info.get("RegistryConfig") or {}
    hosts = [name for name, index in (registries.get("IndexConfigs") or {}).items() if not index.get("Secure", True)]
    running = {
        MIRRORS: registries.get("Mirrors") or (),
        INSECURE: [*hosts, *(registries.get("InsecureRegistryCIDRs") or ())],
    }
    for key, values in running.items():
        reported = set(map(_as_reported, values))
        listed = {_as_reported(str(value)) for value in wanted.get(key) or ()}
        gone = {_as_reported(str(value)) for options in former for value in options.get(key) or ()} - listed
        if listed - reported or gone & reported:
            differ.append(key)
    return differ


def _as_reported(value: str) -> str:
    """Return a mirror or registry as the engine reports it: a network such as ``10.1.2.3/16`` with its first address."""
    value = value.rstrip("/")
    try:
        return str(ipaddress.ip_network(value, strict=False)) if "/" in value else value
    except ValueError:
        return value


def problems(params: t.Mapping[str, t.Any], engine: Engine) -> t.Iterator[str]:
    """Yield one line for each reason why the existing engine cannot have the options of the role's variables."""
    version = parse_version(engine.version)
    if version is None or version < OLDEST:
        present, oldest = engine.version or "unknown", ".".join(map(str, OLDEST))
        yield f"the host's Docker engine has version {present}, but {oldest} or later is required; upgrade it first"
        return
    if engine.file is None:
        yield f"{engine.path} on the host is not a JSON object; correct it first: the engine cannot restart with it either"
        return
    wanted = wanted_options(params, engine)
    if wanted.get(LIVE_RESTORE) and ((engine.info or {}).get("Swarm") or {}).get("LocalNodeState") == "active":
        yield "docker_live_restore: the host's engine is part of a swarm, which does not support live restore; set it to false"
    merged, contradictions = merge(engine.file, wanted, engine.former)
    for key in contradictions:
        yield (
            f"{_input(key)}: {key} in {engine.path} on the host has another value, which the role did not set; change it there, "
            "or set the variable to it"
        )
    for key in _in_the_way(wanted, engine):
        yield (
            f"{_input(key)}: docker.service on the host sets {key} on its command line, and the engine does not start if "
            f"{engine.path} sets it too; remove it there, or leave the variable out"
        )
    reported = {name.partition(".")[0] for name in contradictions}
    for key in needs_restart(engine.file, merged) if engine.info is not None else ():
        if key in reported:
            continue
        if key in KEEPS_DATA and not _has(engine.info or {}, key, merged.get(key)):
            yield (
                f"docker_daemon_options: with another {key} the engine would find neither its containers nor its images; leave it "
                f"out, or move them yourself and set it in {engine.path}"
            )
        elif not engine.ours:
            yield (
                f"docker_daemon_options: {key} takes effect only when the engine restarts, and the role does not restart an engine "
                f"that it did not install; leave it out, or set it in {engine.path} and restart the engine yourself"
            )


def _input(key: str) -> str:
    """Return the role's variable for a key."""
    return _INPUTS.get(key.partition(".")[0], "docker_daemon_options")


def _in_the_way(wanted: Options, engine: Engine) -> list[str]:
    """Return the keys that the command line sets: an engine that finds one in its file too does not start."""
    differ = set(runs_without(engine.info, wanted)) if engine.info is not None else set(wanted)
    harmless = RELOADED - differ
    return [key for key in wanted if key in engine.flags and key not in (engine.file or {}) and key not in harmless]


def without_flags(wanted: Options, engine: Engine) -> dict[str, t.Any]:
    """Return the options for the file, without those that the command line sets."""
    return {key: value for key, value in wanted.items() if key not in engine.flags or key in (engine.file or {})}


def _has(info: t.Mapping[str, t.Any], key: str, value: t.Any) -> bool:
    """Return whether the engine already runs with a value, whatever its file has."""
    if key in ("data-root", "graph"):
        return bool(value) and str(info.get("DockerRootDir") or "").rstrip("/") == str(value).rstrip("/")
    return key == "storage-driver" and info.get("Driver") == value
