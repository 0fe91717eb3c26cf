# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host for the tests of deployment_rollout: systemd, the engine and the proxy are faked, the files are real.

Its units do what those of the role do, as far as a rollout can tell: a container is published where the endpoint says when
it starts, a port has one holder, a drain disables its revision at once and ends it later, a reboot starts what is
enabled, and the proxy routes by what it has loaded. Everything that changes the host passes by touch(), where a test
can kill the module and where clients ask every deployment. Everything that the disk has to take passes by disk(), where
a test can have it be full.
"""

from __future__ import annotations

import errno
import hashlib
import ipaddress
import json
import os
import re
import typing as t
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._common import credentials as _credentials
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.address import conflicts
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.env_file import parse_rendered, to_option
from ansible_collections.selfhost.langgraph.plugins.module_utils._haproxy import config, reload
from ansible_collections.selfhost.langgraph.plugins.module_utils._host import (
    docker_engine,
    firewall,
    lock,
    systemd,
    tcp_ports,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions import store
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.model import (
    Content,
    Deployment,
    make_content,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout import (
    apply,
    capacity,
    cutover,
    retire,
    rollback,
    snapshot,
    start,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout import module as rollout_module
from ansible_collections.selfhost.langgraph.plugins.module_utils._server import health
from ansible_collections.selfhost.langgraph.plugins.module_utils._server import runs as _runs
from ansible_collections.selfhost.langgraph.plugins.module_utils._server import schema as _schema
from ansible_collections.selfhost.langgraph.plugins.module_utils._server.health import Answer

SECRET = "s3cr3t-of-the-environment"
# In an environment: what the server makes of it.
EXITS, NEVER_HEALTHY = {"MODE": "exits"}, {"MODE": "never-healthy"}
# The second environment file: today's, and those of after a rotation and after a move of Redis.
OLD, ROTATED, MOVED = (
    {
        "DATABASE_URI": f"postgres://{login}:{password}@db:5432/bot?sslmode=prefer",
        "REDIS_URI": f"redis://{login}:{password}@{redis}/1",
    }
    for login, password, redis in (("bot", "one", "r:6379"), ("bot.b", "two", "r:6379"), ("bot", "one", "r:6380"))
)
# An entry of the module's option ``deployments``; others are made by bot().
GONE = {"name": "bot", "state": "absent"}
STOPPED = {"name": "bot", "state": "stopped"}
# Where containers answer without a proxy, and the network behind one; what it gives first is FIRST.
LOOPBACK, SUBNET, GATEWAY, FIRST = "127.0.0.1", "172.29.0.0/16", "172.29.0.1", "172.29.128.1"
_BACKEND = re.compile(r"^backend (\S+) from \w+\n(?:    http-request.*\n)*    server revision-(\d+) (\S+):(\d+)$", re.M)


class Killed(BaseException):
    """The module is gone, as after SIGKILL: nothing of its code catches this."""


@dataclass
class Unit:
    """One unit; ``published`` is the address of the container of one that runs, ``made_with`` its credentials."""

    active: str = "inactive"
    enabled: bool = False
    published: tuple[str, int] | None = None
    made_with: dict[str, str] = field(default_factory=dict)


@dataclass
class Host:
    """The host's state, what was asked of it in which order, and what is to go wrong."""

    folder: Path
    units: dict[str, Unit] = field(default_factory=dict)
    images: dict[str, str] = field(
        default_factory=lambda: {f"bot:{number}": f"sha256:{number}" for number in range(1, 10)}
    )
    containers: set[str] = field(default_factory=set)
    proxy_file: str | None = None
    proxy_loaded: str | None = None
    calls: list[tuple[str, ...]] = field(default_factory=list)
    strangers: dict[int, str] = field(default_factory=dict)
    reachable: dict[str, list[str]] = field(default_factory=dict)
    neighbours: set[str] = field(default_factory=set)
    subnet: str = SUBNET
    schema: str | None = "16"
    runs: dict[str, tuple[str, str]] | None = None
    journal: list[str] = field(default_factory=list)
    proxy_refuses: str | None = None
    kill_at_stage: str | None = None
    kill_at_touch: int | None = None
    # The disk is full at the n-th thing that it has to take; for good or once. A full disk still renames files.
    full_at: int | None = None
    full_for_good: bool = False
    clients: set[str] = field(default_factory=set)
    unanswered: list[str] = field(default_factory=list)
    lost_at_boot: list[str] = field(default_factory=list)
    dumps: list[str] = field(default_factory=list)
    clock: float = 0.0

    # What tests ask for

    def params(self, *deployments: dict[str, t.Any], **options: t.Any) -> dict[str, t.Any]:
        defaults = {name: option.get("default") for name, option in rollout_module.ROLLOUT_ARGUMENTS.items()}
        return {
            **defaults,
            "deployments": deployments,
            "config_dir": str(self.folder),
            "network": "langgraph",
            "only_credentials": False,
            "hold_rollbacks": False,
            "image_ids": {},
            "proxy": "haproxy",
            "healthy_deadline": 300,
            "drain_limit": 900,
            "requested_by": "ann",
            **options,
        }

    def converge(self, *deployments: dict[str, t.Any], check_mode: bool = False, **options: t.Any) -> dict[str, t.Any]:
        self.calls.clear()
        return rollout_module.converge(self.params(*deployments, **options), check_mode=check_mode)

    def roll_back(
        self, name: str = "bot", revision: int | None = None, check_mode: bool = False, **options: t.Any
    ) -> dict[str, t.Any]:
        self.calls.clear()
        more = {"name": name, "revision": revision, "allow_schema_mismatch": False, **options}
        return rollback.roll_back({**self.params(), **more}, check_mode=check_mode)

    def deployment(self, name: str = "bot") -> Deployment:
        return rollout_module.read_host(str(self.folder))[name]

    def file(self, number: int, file: str, name: str = "bot") -> dict[str, t.Any]:
        return json.loads((self.folder / name / "revisions" / str(number) / file).read_text())

    def unit(self, number: int, name: str = "bot") -> Unit:
        return self.units.setdefault(f"langgraph@{name}.{number}.service", Unit())

    def running(self, name: str = "bot") -> list[int]:
        """Revisions whose container runs, drained or not."""
        units = {number: self.unit(number, name) for number in range(1, 30)}
        return [number for number, unit in units.items() if unit.active == "active"]

    def draining(self, name: str = "bot") -> list[int]:
        return [
            number
            for number in range(1, 30)
            if self.units.get(f"langgraph-drain@{name}.{number}.service", Unit()).active == "active"
        ]

    def answers(self, name: str = "bot") -> int | None:
        """The revision that a client gets an answer from, through the proxy or without one."""
        route = next((found for found in _BACKEND.findall(self.proxy_loaded or "") if found[0] == name), None)
        if route:
            return self._publisher((route[2], int(route[3])), name)
        settings = store.read_json(str(self.folder / name / "deployment.json")) or {}
        if settings.get("proxy") != "none":
            return None
        return self._publisher((settings["bind_address"], settings["port"]), name)

    def _publisher(self, place: tuple[str, int], name: str) -> int | None:
        for number in self.running(name):
            if self.unit(number, name).published == place and self._healthy(name, number):
                return number
        return None

    def finish_drains(self) -> None:
        """Let every drain that is under way come to its end."""
        for unit in [unit for unit, state in self.units.items() if "drain@" in unit and state.active == "active"]:
            self.units[unit].active = "inactive"
            name, number = self._split(unit)
            drained = self.unit(number, name)
            drained.active, drained.enabled, drained.published = "inactive", False, None
            self.containers.discard(f"langgraph-{name}.{number}")
            folder = self.folder / name / "revisions" / str(number)
            if folder.exists():
                report = {"sessions_cut": 0, "runs": {"known": True, "in_flight": 0, "after": {}, "lost": []}}
                (folder / "drain.json").write_text(json.dumps(report))

    def reboot(self) -> None:
        """Start what is enabled, and the proxy with the file that it finds."""
        for state in self.units.values():
            state.active, state.published = "inactive", None
        self.containers.clear()
        self.proxy_loaded = self.proxy_file
        for unit in [unit for unit, state in self.units.items() if state.enabled]:
            self._start(unit)

    # What the module asks for

    def touch(self, *call: str) -> None:
        """Before each change: note it, have clients ask, and die where the test wants that."""
        if call:
            self.calls.append(call)
        named = ((name, int(number)) for name, number, *_place in _BACKEND.findall(self.proxy_file or ""))
        self.lost_at_boot += [
            f"{name}.{number} before {call}" for name, number in named if not self._starts(name, number)
        ]
        self.unanswered += [f"{name} before {call}" for name in self.clients if self.answers(name) is None]
        if self.kill_at_touch is not None:
            self.kill_at_touch -= 1
            if self.kill_at_touch <= 0:
                self.kill_at_touch = None
                raise Killed

    def disk(self, *, renames: bool = False) -> None:
        """Before the disk has to take something: raise as a full one does, where the test wants that."""
        if self.full_at is None or (renames and self.full_for_good):
            return
        self.full_at -= 1
        if self.full_at == 0 or (self.full_at < 0 and self.full_for_good):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    @property
    def was_full(self) -> bool:
        """Whether the disk has refused something."""
        return self.full_at is not None and self.full_at <= 0

    def _starts(self, name: str, number: int) -> bool:
        """Whether a revision starts at boot."""
        return self.unit(number, name).enabled

    def failpoint(self, stage: str) -> None:
        if stage == self.kill_at_stage:
            self.kill_at_stage = None
            raise Killed

    def states(self, units: t.Sequence[str]) -> dict[str, systemd.UnitState]:
        found = {unit: self.units.get(unit, Unit()) for unit in units}
        return {unit: systemd.UnitState(state.active, state.enabled, "", 1) for unit, state in found.items()}

    def ask_systemd(self, verb: str, units: t.Sequence[str], **_how: bool) -> None:
        if not units:
            return
        self.touch(verb, *map(_short, units))
        if verb == "enable" and not all(self.units.setdefault(unit, Unit()).enabled for unit in units):
            try:
                self.disk()
            except OSError as error:
                raise systemd.SystemdError(f"Failed to enable unit: {error.strerror}") from error
        for unit in units:
            state = self.units.setdefault(unit, Unit())
            if verb == "enable":
                state.enabled = True
            if verb in ("disable", "disable_now"):
                state.enabled = False
            if verb in ("stop", "disable_now"):
                state.active, state.published = "inactive", None
            if verb == "start":
                self._start(unit)

    def _start(self, unit: str) -> None:
        state = self.units.setdefault(unit, Unit())
        if "drain@" in unit:
            state.active = "active"
            name, number = self._split(unit)
            self.unit(number, name).enabled = False
        if state.active == "active":
            return
        name, number = self._split(unit)
        endpoint, environment = self.file(number, "slot.json", name), self._environment(name, number)
        state.made_with = self._credentials(name, endpoint) or _credentials.split(environment)[1]
        bad = EXITS.items() <= {**environment, **state.made_with}.items()
        place = (endpoint["address"], endpoint["port"])
        taken = [*self._direct(), *config.listeners(self.proxy_loaded or "")]
        on_the_host = place[1] in self.strangers or any(conflicts(*place, *other) for other in taken)
        held = place in self._published() if endpoint.get("network") else on_the_host
        state.active = "failed" if held or bad else "active"
        if state.active == "active":
            state.published = place
            self.containers.add(f"langgraph-{name}.{number}")

    @staticmethod
    def _split(unit: str) -> tuple[str, int]:
        name, _dot, number = _short(unit).removeprefix("drain ").rpartition(".")
        return name, int(number)

    def _environment(self, name: str, number: int) -> dict[str, str]:
        return variables(self.folder / name / "revisions" / str(number) / "environment")

    def _credentials(self, name: str, endpoint: dict[str, t.Any]) -> dict[str, str]:
        """The second environment file, as langgraph-container.py takes it."""
        staged, current = (self.folder / name / file for file in ("credentials.new", "credentials"))
        if staged.exists() and hashlib.sha256(staged.read_bytes()).hexdigest() == endpoint.get("credentials"):
            return variables(staged)
        return variables(current)

    def _healthy(self, name: str, number: int) -> bool:
        environment = self._environment(name, number)
        return any(environment.get(key) != value for key, value in NEVER_HEALTHY.items())

    def wait_until_stable(self, url: str, _seconds: float, _deadline: float) -> Answer:
        asked = urlsplit(url)
        # Whoever listens on every address answers on the loopback's too; those of IPv4 and IPv6 are not the same.
        every = "::" if ":" in (asked.hostname or "") else "0.0.0.0"
        for unit, state in self.units.items():
            if state.published in ((asked.hostname, asked.port), (every, asked.port)):
                return Answer(200, True) if self._healthy(*self._split(unit)) else Answer(500, False)
        return Answer(None, False)

    def load(self, text: str) -> bool:
        if text == self.proxy_file == self.proxy_loaded:
            return False
        self.touch("proxy")
        held = self._direct()
        taken = [
            port
            for address, port in config.listeners(text)
            if port in self.strangers or any(conflicts(address, port, *other) for other in held)
        ]
        if self.proxy_refuses or taken:
            raise reload.ProxyError(self.proxy_refuses or f"the proxy cannot listen on port {taken[0]}")
        try:
            self.disk()
        except OSError as error:
            raise reload.ProxyFileError(f"the proxy's file cannot be written: {error.strerror}") from error
        self.proxy_file = text
        self.failpoint("routed")
        self.touch()
        self.proxy_loaded = text
        return True

    def _published(self) -> list[tuple[str, int]]:
        """Where the containers that run answer."""
        return [state.published for state in self.units.values() if state.published]

    def _direct(self) -> list[tuple[str, int]]:
        """Those of them that are published on an address of the host itself, of either family."""
        network = ipaddress.ip_network(self.subnet)
        return [place for place in self._published() if ipaddress.ip_address(place[0]) not in network]

    def network(self, _name: str) -> tuple[str, set[str]]:
        """The subnet, and addresses that are taken on it."""
        return self.subnet, {GATEWAY, *self.neighbours, *(address for address, _port in self._published())}

    def apply_firewall(self) -> None:
        """Record the present endpoints of the host's revisions: NAME.N -> the deployments that it may reach."""
        world = rollout_module.read_host(str(self.folder))
        endpoints = {f"{d.name}.{r.number}": r.endpoint or {} for d in world.values() for r in d.revisions}
        self.reachable = {
            name: endpoint["may_reach"] for name, endpoint in endpoints.items() if endpoint.get("may_reach")
        }

    def listening(self) -> dict[int, str]:
        held = {port: "docker-proxy" for _address, port in self._direct()}
        return {**held, **self.strangers}

    def in_flight(self, _api: str) -> dict[str, tuple[str, str]]:
        if self.runs is None:
            raise _runs.RunsUnknown
        return self.runs

    def remove_container(self, name: str) -> None:
        self.touch("rm", name)
        self.containers.discard(name)

    def remove_image(self, image_id: str) -> bool:
        self.touch("rmi", image_id)
        self.images = {reference: found for reference, found in self.images.items() if found != image_id}
        return True

    def sleep(self, _seconds: float) -> None:
        """Time passes: drains end."""
        self.clock += 30
        self.finish_drains()


def _short(unit: str) -> str:
    """``bot.1`` for its unit, ``drain bot.1`` for that of its drain."""
    instance = unit.partition("@")[2].removesuffix(".service")
    return f"drain {instance}" if unit.startswith("langgraph-drain@") else instance


def variables(path: Path) -> dict[str, str]:
    """The variables in a file, nothing if there is none."""
    return parse_rendered(path.read_text()) if path.exists() else {}


def bot(name: str = "bot", **changes: t.Any) -> dict[str, t.Any]:
    """One entry of the module's option ``deployments``, as Ansible hands it over."""
    given = {"environment": {"API_KEY": SECRET}, "credentials": {}, **changes}
    changes |= {option: to_option(given[option]) for option in ("environment", "credentials")}
    return {
        "name": name,
        "state": "present",
        "image": "bot:1",
        "port": 8123,
        "bind_address": "127.0.0.1",
        "hostname": None,
        "prefix": None,
        "tls": False,
        "may_reach": [],
        "drain_seconds": 180,
        "memory": None,
        "cpus": None,
        "user": None,
        "read_only": False,
        **changes,
    }


def content_of(
    image_id: str = "sha256:one", environment: dict[str, str] | None = None, digest: str = "", **changes: t.Any
) -> Content:
    """The content of a revision of bot()."""
    return make_content(bot(**changes), environment or {"API_KEY": SECRET}, image_id, "langgraph", digest)


class OneByOne:
    """Takes the place of the pool: what is submitted runs at once, so that a test sees the same each time."""

    def __init__(self, max_workers: int) -> None:
        pass

    def __enter__(self) -> OneByOne:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def submit(self, function: t.Callable[..., t.Any], *arguments: t.Any) -> Future[t.Any]:
        future: Future[t.Any] = Future()
        try:
            future.set_result(function(*arguments))
        except BaseException as error:
            future.set_exception(error)
        return future


def install(host: Host, patch: pytest.MonkeyPatch, *, one_by_one: bool = False) -> Host:
    """Have the module find ``host`` where it looks for this machine; ``one_by_one``: without threads."""
    patch.setattr(lock, "LOCK", str(host.folder.parent / f"{host.folder.name}.lock"))
    patch.setattr(firewall, "apply", host.apply_firewall)
    patch.setattr(docker_engine, "connect", lambda: None)
    patch.setattr(docker_engine, "image_ids", lambda _client: dict(host.images))
    patch.setattr(docker_engine, "network", lambda _client, name: host.network(name))
    patch.setattr(docker_engine, "remove_container", lambda _client, name: host.remove_container(name))
    patch.setattr(docker_engine, "remove_image", lambda _client, image_id: host.remove_image(image_id))
    patch.setattr(systemd, "unit_states", host.states)
    patch.setattr(systemd, "instance_states", host.states)
    patch.setattr(systemd, "journal", lambda _unit, _lines, _since=None: host.journal)
    for verb in ("enable", "disable", "disable_now", "stop", "start", "reset_failed"):
        patch.setattr(systemd, verb, lambda units, verb=verb, **how: host.ask_systemd(verb, units, **how))
    patch.setattr(reload, "read", lambda: host.proxy_file)
    patch.setattr(reload, "load", host.load)
    patch.setattr(reload, "is_loaded", lambda text: text == host.proxy_file == host.proxy_loaded)
    patch.setattr(health, "wait_until_stable", host.wait_until_stable)
    patch.setattr(tcp_ports, "listening", host.listening)
    patch.setattr(_runs, "in_flight", host.in_flight)
    patch.setattr(_schema, "read", lambda _uri: host.schema)
    patch.setattr(snapshot, "take_snapshot", lambda _uri, path: host.dumps.append(path))
    clock = SimpleNamespace(time=lambda: 0.0, monotonic=lambda: host.clock, sleep=host.sleep)
    for module in (apply, start, cutover, retire):
        patch.setattr(module, "failpoint", host.failpoint)
    for module in (apply, start, capacity):
        patch.setattr(module, "time", clock)
    if one_by_one:
        patch.setattr(apply, "ThreadPoolExecutor", OneByOne)
        patch.setattr(apply, "wait", lambda futures, timeout, return_when: ({next(iter(futures))}, set()))
    put, write, keep_endpoint = store._put, store._write, store.keep_endpoint

    def note_and_put(path: str) -> None:
        host.touch("write", str(Path(path).relative_to(host.folder)))
        host.disk(renames=True)
        put(path)

    def half_write(path: str, text: str) -> None:
        try:
            host.disk()
        except OSError:
            write(path, text[: len(text) // 2])
            raise
        write(path, text)

    def maybe_keep_endpoint(*arguments: t.Any) -> None:
        host.disk()
        keep_endpoint(*arguments)

    patch.setattr(store, "_put", note_and_put)
    patch.setattr(store, "_write", half_write)
    patch.setattr(store, "keep_endpoint", maybe_keep_endpoint)
    return host
