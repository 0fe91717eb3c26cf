# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""When a password of before may be revoked: once no revision on any host has it in use. No I/O.

``Use`` is what all hosts together say: host -> what its containers carry, None where it has not answered. Such a host
counts as carrying the passwords of before.
"""

from __future__ import annotations

import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.credentials import POOL
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.connection_budget import pool_connections
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.removal import services

Carried = t.Mapping[str, t.Any]
Use = t.Mapping[str, t.Optional[Carried]]  # noqa: UP045 - Python 3.8
Deployment = t.Mapping[str, t.Any]


def credentials_in_use(
    hosts: t.Iterable[t.Mapping[str, t.Any]], register: str, host: str, groups: t.Mapping[str, t.Sequence[str]]
) -> dict[str, t.Any]:
    """Collect what the tasks of ``host``, and of others with the same Redis or Postgres, have registered.

    ``hosts`` are the variables of each host that may run a deployment, ``groups`` those of the inventory.
    """
    variables = {str(item["inventory_hostname"]): item for item in hosts}
    used = {name: services(item, groups) for name, item in variables.items()}
    sharing = [name for name in used if any(mine == theirs for mine, theirs in zip(used[host], used[name]))]
    return {name: (variables[name].get(register) or {}).get("carried") for name in sharing}


def _all_answered(use: Use) -> bool:
    """Whether there are hosts and each has answered; else nothing is known of what is in use."""
    return bool(use) and None not in use.values()


def logins_in_use(name: str, use: Use) -> list[str] | None:
    """The Postgres roles that revisions of a deployment log in as, on all hosts; None where that is not known.

    It is not known either where one has lost the files that say it.
    """
    logins = {entry["login"] for _host, entry in _entries(name, use)}
    if not _all_answered(use) or not all(logins):
        return None
    return sorted(logins)


def is_alone(deployment: Deployment, use: Use | None) -> bool:
    """Whether the wanted passwords are the only ones in use, for all that is known."""
    if not use or not _all_answered(use):
        return False
    return all(_is_wanted(entry, deployment) for _host, entry in _entries(deployment["name"], use))


def fits_limit(deployment: Deployment, use: Use | None) -> bool:
    """Whether all revisions of a deployment on all hosts can live with its connection limit, for all that is known.

    One with a larger pool than today's was made with a higher limit; lowered under it, it would be refused connections.
    """
    if not use or not _all_answered(use):
        return False
    largest = _size((deployment.get("variables") or {}).get(POOL))
    sizes = [_size(entry.get("pool")) for _host, entry in _entries(deployment["name"], use)]
    return all(size <= largest for size in sizes) and sum(sizes) <= int(deployment["connection_limit"] or 0)


def _size(pool: t.Any) -> int:
    """Connections of a revision whose pool is written so; what is none was never one."""
    return pool_connections(int(pool) if str(pool or "").isdecimal() else None)


def live_addresses(use: Use) -> list[str] | None:
    """Where connections of containers may come from; None where that is not known."""
    if not _all_answered(use):
        return None
    return sorted({address for carried in use.values() for address in (carried or {}).get("addresses", ())})


def sessions_since(name: str, use: Use | None) -> int | None:
    """When the oldest running container of a deployment was created, on any host, in seconds since the epoch.

    None where that is not known, or where it runs nowhere.
    """
    if not use or not _all_answered(use):
        return None
    known = [(carried or {}).get("since", {}).get(name) for carried in use.values()]
    return min((since for since in known if since is not None), default=None)


def retirable(
    deployments: t.Sequence[Deployment],
    use: Use,
    postgres: t.Mapping[str, t.Mapping[str, t.Any]],
    redis: t.Mapping[str, t.Mapping[str, t.Any]],
) -> list[Deployment]:
    """The deployments of which a password of before is open that nothing carries any more.

    ``postgres`` and ``redis`` are the ``databases`` that the claim modules returned.
    """
    found = [item for item in deployments if _is_open(item["name"], postgres, redis)]
    return [item for item in found if not _holders(item, use, postgres, redis)]


def still_open(
    deployments: t.Sequence[Deployment],
    use: Use,
    postgres: t.Mapping[str, t.Mapping[str, t.Any]],
    redis: t.Mapping[str, t.Mapping[str, t.Any]],
) -> list[str]:
    """One line for each deployment of which a password of before still opens: until what has ended."""
    lines = []
    for deployment in deployments:
        if not _is_open(deployment["name"], postgres, redis):
            continue
        holders = _holders(deployment, use, postgres, redis)
        until = f"until {_listed(holders)}" if holders else "until the next run"
        lines.append(f"{deployment['name']}: the password of before still opens, {until}")
    return lines


def _is_open(
    name: str, postgres: t.Mapping[str, t.Mapping[str, t.Any]], redis: t.Mapping[str, t.Mapping[str, t.Any]]
) -> bool:
    return bool(postgres.get(name, {}).get("retiring") or redis.get(name, {}).get("retiring"))


def _holders(
    deployment: Deployment,
    use: Use,
    postgres: t.Mapping[str, t.Mapping[str, t.Any]],
    redis: t.Mapping[str, t.Mapping[str, t.Any]],
) -> list[str]:
    """What keeps a password of before open, as people look for it."""
    name = deployment["name"]
    logins = postgres.get(name, {}).get("retiring") or ()
    hashes = redis.get(name, {}).get("retiring")
    held = [
        f"revision {entry['revision']} on {host} has ended"
        for host, entry in _entries(name, use)
        if entry["login"] in logins or (hashes and not _is_wanted(entry, deployment))
    ]
    return [*held, *(f"{host} has answered" for host, carried in use.items() if carried is None)]


def _is_wanted(entry: t.Mapping[str, t.Any], deployment: Deployment) -> bool:
    """Whether a revision carries the wanted passwords: by their fingerprint, or as the rollout that wanted them says."""
    return bool(entry["current"] if "current" in entry else entry["credential"] == deployment["credential"])


def _entries(name: str, use: Use) -> t.Iterator[tuple[str, t.Mapping[str, t.Any]]]:
    for host, carried in use.items():
        for entry in (carried or {}).get("deployments", {}).get(name, ()):
            yield host, entry


def _listed(items: t.Sequence[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
