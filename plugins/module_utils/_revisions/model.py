# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Deployments and their revisions: what is wanted, and what a host has. No I/O.

A revision is what only a new container can take over: the image by id, the environment, the resources, the options of
the server. All else (the public address, limits of the rollout) are settings of the deployment and change in place.
Addresses and passwords of Redis and Postgres are the deployment's too: a change needs a new container, and with it a new
revision of the same content, but none is bound to those of its time (_common/credentials.py).
"""

from __future__ import annotations

import hashlib
import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.selfhost.langgraph.plugins.module_utils._common import credentials as _credentials
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.address import public_url

# What the public address of a deployment is made of; none of it needs a new container where a proxy stands in front.
ADDRESS = ("bind_address", "port", "hostname", "prefix", "tls")
# What a rollout goes by; a change is taken over without touching a container.
LIMITS = ("healthy_deadline", "drain_limit", "may_reach")
RUNNING = ("active", "activating", "reloading")
# Where a server listens in its container.
CONTAINER_PORT = 8000
# Where earlier versions published containers: on the loopback, below the ports that the kernel gives to clients.
LOOPBACK_PORTS = range(30000, 32768)


def instance(deployment: str, number: int) -> str:
    """What one revision is called in unit and container names; a deployment's name has no dot."""
    return f"{deployment}.{number}"


def unit_name(deployment: str, number: int) -> str:
    """The instance of the template unit that owns the revision's container."""
    return f"langgraph@{instance(deployment, number)}.service"


def drain_unit_name(deployment: str, number: int) -> str:
    """The unit that lets a revision end when nobody uses it any more."""
    return f"langgraph-drain@{instance(deployment, number)}.service"


def container_name(deployment: str, number: int) -> str:
    """The name of the revision's container."""
    return f"langgraph-{instance(deployment, number)}"


@dataclass(frozen=True)
class Content:
    """What makes a revision: nothing else does."""

    image_id: str
    arguments: tuple[str, ...]
    environment: str
    drain_seconds: int
    image: str = field(default="", compare=False)
    # What the image's registry calls it, where it came from one.
    digest: str = field(default="", compare=False)

    @property
    def config(self) -> str:
        """Identifies the content. It seals it too: what was changed by hand on the host no longer fits it."""
        parts = (self.image_id, *self.arguments, str(self.drain_seconds), self.environment)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    @property
    def apart(self) -> Content:
        """The same without credentials, which an earlier version kept in the environment."""
        return replace(self, environment=_credentials.split(self.environment)[0])


@dataclass(frozen=True)
class Wanted:
    """One deployment as it is to be. Without content it is to be gone; ``revision`` goes back to one that is kept.

    ``credentials`` is the text of its second environment file.
    """

    name: str
    content: Content | None = None
    settings: t.Mapping[str, t.Any] = field(default_factory=dict)
    revision: int | None = None
    credentials: str = ""


@dataclass(frozen=True)
class Revision:
    """One revision that the host has.

    ``record`` and ``environment`` are its immutable files (None: missing or cut short), ``outcome`` says how its start
    ended, ``slot`` is where its container answers, ``active`` systemd's ActiveState.
    """

    number: int
    record: t.Mapping[str, t.Any] | None = None
    environment: str | None = None
    outcome: t.Mapping[str, t.Any] | None = None
    slot: t.Mapping[str, t.Any] | None = None
    active: str = "inactive"
    enabled: bool = False
    draining: bool = False
    # The dump that was taken before it started.
    snapshot: str | None = None

    @property
    def content(self) -> Content | None:
        """Its content, where both files are complete."""
        if self.record is None or self.environment is None:
            return None
        return Content(
            str(self.record.get("image_id", "")),
            tuple(self.record.get("arguments", ())),
            self.environment,
            int(self.record.get("drain_seconds", 0)),
            str(self.record.get("image", "")),
            str(self.record.get("image_digest") or ""),
        )

    @property
    def intact(self) -> bool:
        """Whether its files are what was written when it was made."""
        content, record = self.content, self.record
        return content is not None and record is not None and content.config == record.get("config")

    @property
    def running(self) -> bool:
        """Whether its container runs or is about to."""
        return self.active in RUNNING

    @property
    def alive(self) -> bool:
        """Whether its container runs, still ends what it does, or starts by itself."""
        return self.running or self.draining or self.enabled or self.active == "deactivating"

    # Of the credentials that its container was made with

    @property
    def _noted(self) -> t.Mapping[str, str]:
        """What its slot notes of them; of one that an earlier version started, they are in its environment."""
        if "credentials" in (self.slot or {}):
            return self.slot or {}
        return _credentials.note(_credentials.split(self.environment)[1])

    @property
    def credentials(self) -> str | None:
        """Their digest."""
        return self._noted.get("credentials")

    @property
    def credential(self) -> str | None:
        """The fingerprint of the passwords."""
        return self._noted.get("credential")

    @property
    def login(self) -> str | None:
        """The Postgres role."""
        return self._noted.get("login")

    @property
    def served(self) -> bool:
        """Whether it once was healthy and served."""
        return self.result == "served"

    @property
    def result(self) -> str | None:
        """``served`` or ``failed``; None while it has not got so far."""
        return (self.outcome or {}).get("result")


@dataclass(frozen=True)
class Deployment:
    """One deployment that the host has; ``settings`` None: none of that name.

    ``credentials_file`` is the text of its second environment file, None where an earlier version made all it has.
    """

    name: str
    settings: t.Mapping[str, t.Any] | None = None
    revisions: tuple[Revision, ...] = ()
    credentials_file: str | None = None

    @property
    def credentials(self) -> str:
        """What its containers are made with today; before there was a file, what serves has them."""
        if self.credentials_file is not None:
            return self.credentials_file
        return _credentials.split(self.serving.environment if self.serving else None)[1]

    @property
    def serving(self) -> Revision | None:
        """The revision that clients reach."""
        number = (self.settings or {}).get("serving")
        return next((revision for revision in self.revisions if revision.number == number), None)

    @property
    def newest(self) -> int:
        """The highest number so far, 0 where there is none."""
        return max((revision.number for revision in self.revisions), default=0)

    def get(self, number: int) -> Revision | None:
        """The revision of that number."""
        return next((revision for revision in self.revisions if revision.number == number), None)


def make_content(deployment: t.Mapping[str, t.Any], image_id: str, network: str, digest: str = "") -> Content:
    """The content that the module's suboptions of a deployment ask for."""
    arguments = (
        "--network",
        network,
        "--cap-drop",
        "ALL",
        "--security-opt",
        "no-new-privileges",
        *_resources(deployment),
        image_id,
    )
    return Content(
        image_id, arguments, deployment["environment"], deployment["drain_seconds"], deployment["image"], digest
    )


def _resources(deployment: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    if deployment["memory"]:
        # No swap on top: a server that swaps answers too late to be of use.
        yield from ("--memory", deployment["memory"], "--memory-swap", deployment["memory"])
    if deployment["cpus"]:
        yield from ("--cpus", f"{deployment['cpus']:g}")
    if deployment["user"]:
        yield from ("--user", deployment["user"])
    if deployment["read_only"]:
        yield from ("--read-only", "--tmpfs", "/tmp")


def make_record(
    content: Content, number: int, *, reasons: t.Sequence[str], by: str, at: str, schema: str | None
) -> dict[str, t.Any]:
    """``revision.json``, written once: what it is, who made it, when, why, and the database's schema before it."""
    return {
        "number": number,
        "image": content.image,
        "image_id": content.image_id,
        "image_digest": content.digest or None,
        "arguments": list(content.arguments),
        "drain_seconds": content.drain_seconds,
        "config": content.config,
        "created": at,
        "created_by": by,
        "reasons": list(reasons),
        "schema_before": schema,
    }


def is_public(slot: t.Mapping[str, t.Any] | None) -> bool:
    """Whether a container in ``slot`` itself has its deployment's public port.

    Else it answers at an address of its own on the deployments' network (``network``), or, where an earlier version made
    it, at a port of the loopback.
    """
    if slot is None or slot.get("network"):
        return False
    return not (slot["address"] == "127.0.0.1" and slot["port"] in LOOPBACK_PORTS)


def is_in_place(slot: t.Mapping[str, t.Any] | None, settings: t.Mapping[str, t.Any]) -> bool:
    """Whether a container in ``slot`` is where the settings want it: out of the public's reach behind a proxy, else in public."""
    if slot is None:
        return False
    if settings["proxy"] == "none":
        published = (slot["address"], slot["port"]) == (settings["bind_address"], settings["port"])
        return published and not slot.get("network")
    return not is_public(slot)


def with_limits(slot: t.Mapping[str, t.Any], settings: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """A slot with what its container goes by where it is: how long its start may take, and whom it may reach."""
    place = {key: value for key, value in slot.items() if key not in ("healthy_deadline", "may_reach")}
    reach = {"may_reach": list(settings["may_reach"])} if settings.get("may_reach") else {}
    return {**place, "healthy_deadline": settings["healthy_deadline"], **reach}


def local_url(slot: t.Mapping[str, t.Any]) -> str:
    """Where the host itself reaches a revision's container."""
    return public_url(False, slot["address"], slot["port"], None)


def previous(deployment: Deployment) -> Revision | None:
    """What a rollback goes back to where no number is given: the highest below the serving one that has served."""
    serving = deployment.serving
    if serving is None:
        return None
    older = [revision for revision in deployment.revisions if revision.number < serving.number and revision.served]
    return max(older, key=lambda revision: revision.number, default=None)


def to_prune(deployment: Deployment, keep: int) -> list[Revision]:
    """Revisions that are not kept, do not serve and do not run.

    Kept are the newest ``keep`` that have not failed, and as many failed ones that are newer than the oldest of them:
    a row of bad releases leaves something to go back to.
    """
    keep, serving = max(1, keep), deployment.serving
    newest = sorted(deployment.revisions, key=lambda revision: revision.number, reverse=True)
    good = [revision.number for revision in newest if revision.result != "failed"][:keep]
    oldest = min(good) if len(good) == keep else 0
    bad = [revision.number for revision in newest if revision.result == "failed" and revision.number > oldest][:keep]
    return [
        revision
        for revision in deployment.revisions
        if revision.number not in (*good, *bad, serving.number if serving else None)
        and not revision.running
        and not revision.draining
    ]


def unused_images(pruned: t.Iterable[Revision], kept: t.Iterable[Revision]) -> list[str]:
    """Images that pruned revisions ran and no kept one needs."""
    needed = {revision.content.image_id for revision in kept if revision.content}
    gone = dict.fromkeys(revision.content.image_id for revision in pruned if revision.content)
    return [image_id for image_id in gone if image_id not in needed]
