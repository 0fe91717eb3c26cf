# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The Redis or Valkey that the role redis runs: what it runs with, what it holds, and why a change of it is refused."""

from __future__ import annotations

import os
import shlex
import typing as t
from dataclasses import dataclass, field

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.connection import Reply, as_mapping
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.record import CLAIMS_KEY

IMPLEMENTATIONS = ("redis", "valkey")
ADMINISTRATOR = "langgraph-admin"
# Values that are paths; the server reports where they lead.
_PATHS = ("dir", "aclfile", "unixsocket")


def unit_of(implementation: str) -> str:
    """The unit of the instance."""
    return f"{implementation}-server@langgraph.service"


def drop_in_of(implementation: str) -> str:
    """The file by which the role makes the distribution's template unit its own; the first that it writes for a server."""
    return f"/etc/systemd/system/{unit_of(implementation)}.d/langgraph.conf"


@dataclass(frozen=True)
class Earlier:
    """Where an earlier version of the role made the distribution's own server the deployments'."""

    implementation: str
    config: str
    socket: str
    password_file: str


def earlier_of(implementation: str) -> Earlier:
    """The places of before."""
    directory = f"/etc/{implementation}"
    socket = f"/run/{implementation}/{implementation}-server.sock"
    return Earlier(implementation, f"{directory}/langgraph.conf", socket, f"{directory}/langgraph-admin.password")


@dataclass(frozen=True)
class Reading:
    """What a server reports of itself."""

    settings: dict[str, str] = field(default_factory=dict)
    # Numbers that a deployment has claimed.
    claims: dict[str, int] = field(default_factory=dict)
    # Numbers that hold keys.
    numbers: list[int] = field(default_factory=list)


def questions(names: t.Collection[str]) -> list[tuple[str, ...]]:
    """What to ask a server, in one round trip; read_replies() understands the answers."""
    return [("CONFIG", "GET", *sorted(names or ["databases"])), ("HGETALL", CLAIMS_KEY), ("INFO", "keyspace")]


def read_replies(replies: t.Sequence[Reply]) -> Reading:
    """Understand the answers to questions(). What the server does not report is not there."""
    settings, record, keyspace = (
        {} if isinstance(reply, Exception) else reply if isinstance(reply, str) else as_mapping(reply)
        for reply in replies
    )
    fields = keyspace if isinstance(keyspace, dict) else dict(line.split(":", 1) for line in _lines(keyspace))
    return Reading(
        settings={str(name): str(value) for name, value in as_mapping(settings).items()},
        claims=claimed(as_mapping(record)),
        numbers=sorted(int(name[2:]) for name in fields if name.startswith("db") and name[2:].isdigit()),
    )


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if ":" in line]


def claimed(record: t.Mapping[str, str]) -> dict[str, int]:
    """Deployments and their numbers, from the hash of claims; a field that begins with ``:`` is about the server."""
    return {name: int(value.split(" ")[0]) for name, value in record.items() if not name.startswith(":")}


def directives(text: str) -> dict[str, str]:
    """The directives of a configuration file; of one that stands there twice the last."""
    found = {}
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            name, _space, value = line.strip().partition(" ")
            found[name.lower()] = " ".join(_words(value))
    return found


def _words(value: str) -> list[str]:
    try:
        return shlex.split(value, comments=False)
    except ValueError:
        return [value]


def differences(wanted: t.Mapping[str, str], running: t.Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Directives that a server runs with otherwise than wanted. One that it does not report cannot be compared."""

    def normal(name: str, value: str) -> str:
        return os.path.realpath(value) if name in _PATHS and value else value.lower()

    return {
        name: {"wanted": value, "running": running[name]}
        for name, value in wanted.items()
        if name in running and normal(name, value) != normal(name, running[name])
    }


def lowered(databases: int, reading: Reading) -> str:
    """Why a server may not get so few numbers: it would load the keys of a number that it lacks into another one."""
    held = {number: f"holds the claim of '{name}'" for name, number in reading.claims.items()}
    used = dict.fromkeys(reading.numbers, "has keys") | held
    highest = max(used, default=0)
    if highest < databases:
        return ""
    return (
        f"redis_databases: {databases} is too low, for number {highest} {used[highest]}: set it to {highest + 1} or more, or "
        "remove that deployment first; nothing was changed"
    )


def not_asked(databases: int, written: t.Mapping[str, str], why: str) -> str:
    """Why the numbers may not become fewer while nobody can ask which are in use."""
    before = written.get("databases", "")
    if not before.isdigit() or databases >= int(before):
        return ""
    return (
        f"redis_databases: {databases} is less than the {before} of now, and Redis cannot be asked which numbers are in use "
        f"({why}): start it, or leave redis_databases at {before}; nothing was changed"
    )


def silent(unit: str, path: str, why: str) -> str:
    """Why a server that runs with its settings is left alone, though it does not answer."""
    return (
        f"Redis at {path} does not answer ({why}), and is not restarted, as that would interrupt all deployments and may not help: "
        f"cure that, or restart it yourself (systemctl restart {unit}), and run the play again"
    )


def no_password(password_file: str, acl_file: str, missing: bool) -> str:
    """Why the role does not make a password for users that are there already."""
    finding = "is missing" if missing else "is not the one that Redis knows"
    return (
        f"redis_admin_password_file: {password_file} {finding}, and {acl_file} has the users already: put the file back; where it "
        "is lost, stop Redis, remove both files and run the play again, which makes the users anew; nothing was changed"
    )


def moved(earlier: Earlier, reading: Reading) -> str:
    """Why nothing is made beside a server in which an earlier version has made the deployments' claims."""
    if not reading.claims:
        return ""
    names = ", ".join(sorted(reading.claims))
    return (
        f"the claims of {names} are in the {earlier.implementation} of the distribution ({earlier.config}), where an earlier "
        f"version of this collection made them: move them as docs/move-services.md says; nothing was changed"
    )


def not_asked_for_claims(earlier: Earlier, why: str) -> str:
    """Why nothing is made beside a server of an earlier version that does not answer."""
    return (
        f"{earlier.config} is of an earlier version of this collection, and that {earlier.implementation} cannot be asked for "
        f"claims ({why}): start it, or remove the file where its data are needed no more (docs/move-services.md); nothing was changed"
    )


def other(wanted: str, there: str) -> str:
    """Why an instance is not made beside one of the other implementation."""
    return (
        f"redis_implementation: this host's deployments have their data in {there} ({drop_in_of(there)}), and {wanted} would "
        f"start without them: set redis_implementation to {there}, or move as docs/move-services.md says; nothing was changed"
    )
