# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The Redis or Valkey instance of the role redis: its settings, its content, and reasons to refuse a change."""

from __future__ import annotations

import os
import shlex
import typing as t
from dataclasses import dataclass, field

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.connection import Reply, as_mapping
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.record import CLAIMS_KEY

IMPLEMENTATIONS = ("redis", "valkey")
ADMINISTRATOR = "langgraph-admin"
# Values that are paths; the server reports them resolved.
_PATHS = ("dir", "aclfile", "unixsocket")


def unit_of(implementation: str) -> str:
    """Return the name of the instance's systemd unit."""
    return f"{implementation}-server@langgraph.service"


def drop_in_of(implementation: str) -> str:
    """Return the path of the drop-in for the distribution's template unit, the first file that the role writes for a server."""
    return f"/etc/systemd/system/{unit_of(implementation)}.d/langgraph.conf"


@dataclass(frozen=True)
class Earlier:
    """Files of an earlier version of the role, which used the distribution's own server for the deployments."""

    implementation: str
    config: str
    socket: str
    password_file: str


def earlier_of(implementation: str) -> Earlier:
    """Return the files of the earlier version for an implementation."""
    directory = f"/etc/{implementation}"
    socket = f"/run/{implementation}/{implementation}-server.sock"
    return Earlier(implementation, f"{directory}/langgraph.conf", socket, f"{directory}/langgraph-admin.password")


@dataclass(frozen=True)
class Reading:
    """What a server reports about itself."""

    settings: dict[str, str] = field(default_factory=dict)
    # Database numbers by deployment.
    claims: dict[str, int] = field(default_factory=dict)
    # Database numbers that have keys.
    dbs: list[int] = field(default_factory=list)


def queries(names: t.Collection[str]) -> list[tuple[str, ...]]:
    """Return the commands that query a server in one round trip; read_replies() parses the replies."""
    return [("CONFIG", "GET", *sorted(names or ["databases"])), ("HGETALL", CLAIMS_KEY), ("INFO", "keyspace")]


def read_replies(replies: t.Sequence[Reply]) -> Reading:
    """Parse the replies to queries(). What the server does not report is left out."""
    settings, record, keyspace = (
        {} if isinstance(reply, Exception) else reply if isinstance(reply, str) else as_mapping(reply)
        for reply in replies
    )
    fields = keyspace if isinstance(keyspace, dict) else dict(line.split(":", 1) for line in _lines(keyspace))
    return Reading(
        settings={str(name): str(value) for name, value in as_mapping(settings).items()},
        claims=claimed(as_mapping(record)),
        dbs=sorted(int(name[2:]) for name in fields if name.startswith("db") and name[2:].isdigit()),
    )


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if ":" in line]


def claimed(record: t.Mapping[str, str]) -> dict[str, int]:
    """Return database numbers by deployment, from the hash of claims; fields that begin with ``:`` are about the server."""
    return {name: int(value.split(" ")[0]) for name, value in record.items() if not name.startswith(":")}


def directives(text: str) -> dict[str, str]:
    """Return the directives of a configuration file; the last one applies if it is repeated."""
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
    """Return directives whose running value differs from the wanted one. A directive that is not reported is not compared."""

    def normal(name: str, value: str) -> str:
        return os.path.realpath(value) if name in _PATHS and value else value.lower()

    return {
        name: {"wanted": value, "running": running[name]}
        for name, value in wanted.items()
        if name in running and normal(name, value) != normal(name, running[name])
    }


def too_few_databases(databases: int, reading: Reading) -> str:
    """Return why the server needs more databases, or "": it would load the keys of a missing database into another one."""
    held = {db: f"is claimed by '{name}'" for name, db in reading.claims.items()}
    used = dict.fromkeys(reading.dbs, "has keys") | held
    highest = max(used, default=0)
    if highest < databases:
        return ""
    return (
        f"redis_databases: {databases} is too low, because database {highest} {used[highest]}: set it to {highest + 1} or more, "
        "or remove that deployment first; nothing was changed"
    )


def unknown_databases(databases: int, written: t.Mapping[str, str], why: str) -> str:
    """Return why the number of databases may not be lowered while it is unknown which are in use, or ""."""
    before = written.get("databases", "")
    if not before.isdigit() or databases >= int(before):
        return ""
    return (
        f"redis_databases: {databases} is less than the current {before}, and Redis does not report which databases are in use "
        f"({why}): start it, or leave redis_databases at {before}; nothing was changed"
    )


def not_responding(unit: str, path: str, why: str) -> str:
    """Return why a server that runs with its settings and does not respond is not restarted."""
    return (
        f"Redis at {path} does not respond ({why}) and is not restarted, as that would interrupt all deployments and may not help: "
        f"fix the cause, or restart it yourself (systemctl restart {unit}), and run the play again"
    )


def no_password(password_file: str, acl_file: str, missing: bool) -> str:
    """Return why the role does not create a password although the users already exist."""
    finding = "is missing" if missing else "does not have the password that Redis expects"
    return (
        f"redis_admin_password_file: {password_file} {finding}, and {acl_file} already has the users: restore the password file; "
        "if it is lost, stop Redis, remove both files and run the play again, which creates the users again; nothing was changed"
    )


def claims_elsewhere(earlier: Earlier, reading: Reading) -> str:
    """Return why no instance is created next to a server that has claims of an earlier version, or ""."""
    if not reading.claims:
        return ""
    names = ", ".join(sorted(reading.claims))
    return (
        f"the claims of {names} are in the distribution's {earlier.implementation} ({earlier.config}), where an earlier "
        f"version of this collection created them: move them as described in docs/move-services.md; nothing was changed"
    )


def unknown_claims(earlier: Earlier, why: str) -> str:
    """Return why no instance is created next to a server of an earlier version that does not respond."""
    return (
        f"{earlier.config} is from an earlier version of this collection, and that {earlier.implementation} cannot be checked for "
        f"claims ({why}): start it, or remove the file if its data is no longer needed (docs/move-services.md); nothing was changed"
    )


def other_implementation(wanted: str, there: str) -> str:
    """Return why no instance is created next to one of the other implementation."""
    return (
        f"redis_implementation: this host's deployments have their data in {there} ({drop_in_of(there)}), and {wanted} would "
        f"start without them: set redis_implementation to {there}, or move as described in docs/move-services.md; nothing was changed"
    )
