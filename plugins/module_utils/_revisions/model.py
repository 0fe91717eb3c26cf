# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Deployments and their revisions: the wanted state and the present state of a host. No I/O.

A revision is everything that needs a new container when it changes: the image by id, the environment, the resources, the
options of the server. Everything else (the public address, limits of the rollout) is a setting of the deployment and changes
in place. Addresses and passwords of Redis and Postgres belong to the deployment too: a change needs a new container, and so
a new revision of the same content, but every revision can start with the current ones (_common/credentials.py).
"""

from __future__ import annotations

import hashlib
import json
import typing as t
from dataclasses import asdict, dataclass, field, fields, replace

from ansible_collections.selfhost.langgraph.plugins.module_utils._common import credentials as _credentials
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.address import public_url
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.env_file import Variables, render

# The public address of a deployment; with a proxy in front of it, a change needs no new container.
ADDRESS = ("bind_address", "port", "hostname", "prefix", "tls")
# Limits of a rollout; a change takes effect without restarting a container.
LIMITS = ("healthy_deadline", "drain_limit", "may_reach")
# The settings of a deployment that a play wants. deployment.json has them, and what a switch records in addition: "serving", the
# number of the revision, "since", after a rollback "rolled_back" (from, by, at), and while it is stopped "stopped" (by, at).
SETTINGS = ("proxy", *ADDRESS, *LIMITS)
RUNNING = ("active", "activating", "reloading")
# Where a server listens in its container.
CONTAINER_PORT = 8000
# Loopback ports on which earlier versions published containers, below the kernel's ephemeral ports.
LOOPBACK_PORTS = range(30000, 32768)


def instance(deployment: str, number: int) -> str:
    """Return the name of a revision in unit and container names; a deployment's name has no dot."""
    return f"{deployment}.{number}"


def unit_name(deployment: str, number: int) -> str:
    """Return the instance of the template unit that owns the revision's container."""
    return f"langgraph@{instance(deployment, number)}.service"


def drain_unit_name(deployment: str, number: int) -> str:
    """Return the unit that ends a revision when nobody uses it any longer."""
    return f"langgraph-drain@{instance(deployment, number)}.service"


def container_name(deployment: str, number: int) -> str:
    """Return the name of the revision's container."""
    return f"langgraph-{instance(deployment, number)}"


@dataclass(frozen=True)
class Container:
    """The options of a revision's container, of which langgraph-container.py makes the arguments of ``docker create``."""

    network: str = ""
    memory: str | None = None
    cpus: str | None = None
    user: str | None = None
    read_only: bool = False

    @property
    def options(self) -> dict[str, t.Any]:
        """Return the options that are set, as they are recorded."""
        return {name: value for name, value in asdict(self).items() if value}


def container_of(record: t.Mapping[str, t.Any]) -> Container:
    """Return the container's options in ``revision.json``. An earlier version recorded arguments of the engine's client."""
    if "container" in record:
        known = record["container"] or {}
        return Container(**{each.name: known[each.name] for each in fields(Container) if each.name in known})
    arguments = list(record.get("arguments") or ())
    names = ("network", "memory", "cpus", "user")
    # The last argument is the image.
    found = {name: arguments[arguments.index(f"--{name}") + 1] for name in names if f"--{name}" in arguments[:-1]}
    return Container(**found, read_only="--read-only" in arguments)


def config_of(record: t.Mapping[str, t.Any], environment: str) -> str:
    """Return the hash of a record and the text of its environment file, which identifies the content of a revision."""
    options = record["arguments"] if "arguments" in record else [json.dumps(record.get("container"), sort_keys=True)]
    parts = (str(record.get("image_id", "")), *map(str, options), str(record.get("drain_seconds", 0)), environment)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@dataclass(frozen=True)
class Content:
    """The content of a revision; only a change of it creates a new revision."""

    image_id: str
    container: Container
    environment: Variables
    drain_seconds: int
    image: str = field(default="", compare=False)
    # The image's digest in its registry, if it came from one.
    digest: str = field(default="", compare=False)

    @property
    def record(self) -> dict[str, t.Any]:
        """Return the part of ``revision.json`` that identifies the content, together with the environment."""
        return {"image_id": self.image_id, "container": self.container.options, "drain_seconds": self.drain_seconds}

    @property
    def config(self) -> str:
        """Return the hash that identifies the content. It also detects files that were changed by hand on the host."""
        return config_of(self.record, render(self.environment))

    @property
    def memory(self) -> str:
        """Return its memory limit, in the engine's notation; empty if it has none."""
        return self.container.memory or ""

    @property
    def apart(self) -> Content:
        """Return the content without credentials, which an earlier version kept in the environment."""
        return replace(self, environment=_credentials.split(self.environment)[0])


@dataclass(frozen=True)
class Wanted:
    """The wanted state of one deployment. Without content it will be stopped (``stop``) or removed; ``revision`` rolls back to a kept one.

    ``credentials`` are the variables of its second environment file; empty: unknown.
    """

    name: str
    content: Content | None = None
    settings: t.Mapping[str, t.Any] = field(default_factory=dict)
    revision: int | None = None
    credentials: Variables = field(default_factory=dict)
    stop: bool = False


@dataclass(frozen=True)
class Revision:
    """One revision on the host.

    ``record`` and ``environment`` are its immutable files (None: missing or truncated), ``config`` is their hash as they were
    read (None: they are as they were written), ``outcome`` is the result of its start, ``endpoint`` is where its container
    answers, ``active`` is systemd's ActiveState.
    """

    number: int
    record: t.Mapping[str, t.Any] | None = None
    environment: Variables | None = None
    outcome: t.Mapping[str, t.Any] | None = None
    endpoint: t.Mapping[str, t.Any] | None = None
    active: str = "inactive"
    enabled: bool = False
    draining: bool = False
    # The dump that was taken before it started.
    snapshot: str | None = None
    config: str | None = None

    @property
    def content(self) -> Content | None:
        """Return its content, if both files are complete."""
        if self.record is None or self.environment is None:
            return None
        return Content(
            str(self.record.get("image_id", "")),
            container_of(self.record),
            self.environment,
            int(self.record.get("drain_seconds", 0)),
            str(self.record.get("image", "")),
            str(self.record.get("image_digest") or ""),
        )

    @property
    def intact(self) -> bool:
        """Return whether its files are unchanged since it was created."""
        content, record = self.content, self.record
        return content is not None and record is not None and (self.config or content.config) == record.get("config")

    @property
    def running(self) -> bool:
        """Return whether its container runs or is about to."""
        return self.active in RUNNING

    @property
    def alive(self) -> bool:
        """Return whether its container runs, is ending, or starts by itself."""
        return self.running or self.draining or self.enabled or self.active == "deactivating"

    # The credentials that its container was created with

    @property
    def _noted(self) -> t.Mapping[str, str]:
        """Return the recorded note on them; a revision of an earlier version has them in its environment."""
        if "credentials" in (self.endpoint or {}):
            return self.endpoint or {}
        return _credentials.note(_credentials.split(self.environment)[1])

    @property
    def credentials(self) -> str | None:
        """Return their digest."""
        return self._noted.get("credentials")

    @property
    def login(self) -> str | None:
        """Return the Postgres role."""
        return self._noted.get("login")

    @property
    def user(self) -> str | None:
        """Return the Redis user; earlier versions did not record it."""
        return self._noted.get("user")

    @property
    def served(self) -> bool:
        """Return whether it has been healthy and served."""
        return self.result == "served"

    @property
    def result(self) -> str | None:
        """Return ``served`` or ``failed``; None if its start has not ended yet."""
        return (self.outcome or {}).get("result")


@dataclass(frozen=True)
class Deployment:
    """One deployment on the host; ``settings`` None: there is no deployment of that name.

    ``credentials_file`` are the variables of its second environment file, None if only an earlier version has deployed it.
    """

    name: str
    settings: t.Mapping[str, t.Any] | None = None
    revisions: tuple[Revision, ...] = ()
    credentials_file: Variables | None = None

    @property
    def credentials(self) -> Variables:
        """Return the current credentials; without a file, those of the serving revision."""
        if self.credentials_file is not None:
            return self.credentials_file
        return _credentials.split(self.last.environment if self.last else None)[1]

    @property
    def serving(self) -> Revision | None:
        """Return the revision that clients reach; None if the deployment is stopped."""
        return None if self.stopped else self.last

    @property
    def stopped(self) -> t.Mapping[str, t.Any] | None:
        """Return by whom and when it was stopped; None if it is not."""
        return (self.settings or {}).get("stopped")

    @property
    def last(self) -> Revision | None:
        """Return the revision that serves, or that served until the deployment was stopped."""
        number = (self.settings or {}).get("serving")
        return next((revision for revision in self.revisions if revision.number == number), None)

    @property
    def newest(self) -> int:
        """Return the highest revision number so far, 0 if there is none."""
        return max((revision.number for revision in self.revisions), default=0)

    def get(self, number: int) -> Revision | None:
        """Return the revision with that number."""
        return next((revision for revision in self.revisions if revision.number == number), None)


def make_content(
    deployment: t.Mapping[str, t.Any], environment: Variables, image_id: str, network: str, digest: str = ""
) -> Content:
    """Return the content for the module's suboptions of a deployment; ``environment`` are its variables without credentials."""
    container = Container(
        network=network,
        memory=deployment["memory"] or None,
        cpus=f"{deployment['cpus']:g}" if deployment["cpus"] else None,
        user=deployment["user"] or None,
        read_only=bool(deployment["read_only"]),
    )
    return Content(image_id, container, environment, deployment["drain_seconds"], deployment["image"], digest)


def make_record(
    content: Content, number: int, *, reasons: t.Sequence[str], by: str, at: str, schema: str | None
) -> dict[str, t.Any]:
    """Return ``revision.json``, written once: the content, who created it, when, why, and the schema before it."""
    return {
        **content.record,
        "number": number,
        "image": content.image,
        "image_digest": content.digest or None,
        "config": content.config,
        "created": at,
        "created_by": by,
        "reasons": list(reasons),
        "schema_before": schema,
    }


def is_public(endpoint: t.Mapping[str, t.Any] | None) -> bool:
    """Return whether a container in ``endpoint`` itself has its deployment's public port.

    Otherwise it answers at its own address on the deployments' network (``network``), or, if an earlier version created
    it, at a port of the loopback.
    """
    if endpoint is None or endpoint.get("network"):
        return False
    return not (endpoint["address"] == "127.0.0.1" and endpoint["port"] in LOOPBACK_PORTS)


def is_at_wanted_endpoint(endpoint: t.Mapping[str, t.Any] | None, settings: t.Mapping[str, t.Any]) -> bool:
    """Return whether ``endpoint`` is where the settings want the container: not public behind a proxy, else public."""
    if endpoint is None:
        return False
    if settings["proxy"] == "none":
        published = (endpoint["address"], endpoint["port"]) == (settings["bind_address"], settings["port"])
        return published and not endpoint.get("network")
    return not is_public(endpoint)


def with_limits(endpoint: t.Mapping[str, t.Any], settings: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return ``endpoint`` with the container's limits: how long its start may take, and which deployments it may reach."""
    place = {key: value for key, value in endpoint.items() if key not in ("healthy_deadline", "may_reach")}
    reach = {"may_reach": list(settings["may_reach"])} if settings.get("may_reach") else {}
    return {**place, "healthy_deadline": settings["healthy_deadline"], **reach}


def local_url(endpoint: t.Mapping[str, t.Any]) -> str:
    """Return the URL at which the host itself reaches a revision's container."""
    return public_url(False, endpoint["address"], endpoint["port"], None)


def previous(deployment: Deployment) -> Revision | None:
    """Return the default target of a rollback: the highest revision below the serving one that has served."""
    serving = deployment.serving
    if serving is None:
        return None
    older = [revision for revision in deployment.revisions if revision.number < serving.number and revision.served]
    return max(older, key=lambda revision: revision.number, default=None)


def to_prune(deployment: Deployment, keep: int) -> list[Revision]:
    """Return the revisions that are not kept, do not serve (or served last, if it is stopped) and do not run.

    Kept are the newest ``keep`` that have not failed, and as many failed ones that are newer than the oldest of them, so
    that a series of bad releases leaves a revision to roll back to.
    """
    keep, last = max(1, keep), deployment.last
    newest = sorted(deployment.revisions, key=lambda revision: revision.number, reverse=True)
    good = [revision.number for revision in newest if revision.result != "failed"][:keep]
    oldest = min(good) if len(good) == keep else 0
    bad = [revision.number for revision in newest if revision.result == "failed" and revision.number > oldest][:keep]
    return [
        revision
        for revision in deployment.revisions
        if revision.number not in (*good, *bad, last.number if last else None)
        and not revision.running
        and not revision.draining
    ]


def unused_images(pruned: t.Iterable[Revision], kept: t.Iterable[Revision]) -> list[str]:
    """Return the images of pruned revisions that no kept revision needs."""
    needed = {revision.content.image_id for revision in kept if revision.content}
    gone = dict.fromkeys(revision.content.image_id for revision in pruned if revision.content)
    return [image_id for image_id in gone if image_id not in needed]
