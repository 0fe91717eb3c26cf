# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Decide when a previous password may be revoked: once no revision on any host uses it. No I/O.

``Use`` maps each host to the credentials that its containers use, or to None if the host has not answered. Such a host
counts as using the previous passwords.
"""

from __future__ import annotations

import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.credentials import POOL
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.checked import CheckedDeployment
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.connection_budget import pool_connections
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.removal import services

Carried = t.Mapping[str, t.Any]
Use = t.Mapping[str, t.Optional[Carried]]  # noqa: UP045 - Python 3.8


def credentials_in_use(
    hosts: t.Iterable[t.Mapping[str, t.Any]], register: str, host: str, groups: t.Mapping[str, t.Sequence[str]]
) -> dict[str, t.Any]:
    """Collect the results that tasks of ``host``, and of others with the same Redis or Postgres, have registered.

    ``hosts`` are the variables of each host that may run a deployment, ``groups`` those of the inventory.
    """
    variables = {str(item["inventory_hostname"]): item for item in hosts}
    used = {name: services(item, groups) for name, item in variables.items()}
    sharing = [name for name in used if any(own == other for own, other in zip(used[host], used[name]))]
    return {name: (variables[name].get(register) or {}).get("carried") for name in sharing}


def _all_answered(use: Use) -> bool:
    """Return whether there are hosts and each has answered; otherwise nothing is known of what is in use."""
    return bool(use) and None not in use.values()


def logins_in_use(name: str, use: Use) -> list[str] | None:
    """Return the Postgres roles that revisions of a deployment use on all hosts, that of the newest revision first.

    None if that is unknown, also if a revision has lost the files that contain the role.
    """
    return _in_use(name, use, "logins")


def users_in_use(name: str, use: Use) -> list[str] | None:
    """Return the same for the users in Redis."""
    return _in_use(name, use, "users")


def _in_use(name: str, use: Use, key: str) -> list[str] | None:
    newest = sorted((entry for _host, entry in _entries(name, use)), key=lambda entry: -int(entry["revision"]))
    found = list(dict.fromkeys(item for entry in newest for item in entry[key]))
    return found if _all_answered(use) and all(found) else None


def fits_limit(deployment: CheckedDeployment, use: Use) -> bool:
    """Return whether the connection limit is known to be enough for all revisions of a deployment on all hosts.

    A revision with a larger pool than the wanted one was deployed with a higher limit; with a lower limit its connections
    would be refused.
    """
    if not _all_answered(use):
        return False
    largest = _size(deployment["rollout"]["environment"].get(POOL))
    sizes = [_size(entry.get("pool")) for _host, entry in _entries(deployment["name"], use)]
    return all(size <= largest for size in sizes) and sum(sizes) <= deployment["postgres"]["connection_limit"]


def _size(pool: t.Any) -> int:
    """Return the connections of a revision with this pool size; an invalid size means the default."""
    return pool_connections(int(pool) if str(pool or "").isdecimal() else None)


def retirable(
    deployments: t.Sequence[CheckedDeployment],
    use: Use,
    postgres: t.Mapping[str, t.Mapping[str, t.Any]],
    redis: t.Mapping[str, t.Mapping[str, t.Any]],
) -> list[str]:
    """Return the deployments with a valid previous password that no revision uses any longer.

    ``postgres`` and ``redis`` are the ``databases`` that the claim modules returned.
    """
    found = [item for item in deployments if _is_open(item["name"], postgres, redis)]
    return [item["name"] for item in found if not _blockers(item["name"], use, postgres, redis)]


def still_open(
    deployments: t.Sequence[CheckedDeployment],
    use: Use,
    postgres: t.Mapping[str, t.Mapping[str, t.Any]],
    redis: t.Mapping[str, t.Mapping[str, t.Any]],
) -> list[str]:
    """Return one line per deployment whose previous password is still valid, with what it waits for."""
    lines = []
    for deployment in deployments:
        if not _is_open(deployment["name"], postgres, redis):
            continue
        blockers = _blockers(deployment["name"], use, postgres, redis)
        until = f" until {_listed(blockers)}; the next run after that" if blockers else "; the next run"
        lines.append(f"{deployment['name']}: the previous password stays valid{until} revokes it")
    return lines


def _is_open(
    name: str, postgres: t.Mapping[str, t.Mapping[str, t.Any]], redis: t.Mapping[str, t.Mapping[str, t.Any]]
) -> bool:
    return bool(postgres.get(name, {}).get("retiring") or redis.get(name, {}).get("retiring"))


def _blockers(
    name: str,
    use: Use,
    postgres: t.Mapping[str, t.Mapping[str, t.Any]],
    redis: t.Mapping[str, t.Mapping[str, t.Any]],
) -> list[str]:
    """Return the events that must happen before a previous password can be revoked, for users."""
    logins = postgres.get(name, {}).get("retiring") or ()
    users = redis.get(name, {}).get("retiring") or ()
    in_use = [
        f"revision {entry['revision']} on {host} has ended"
        for host, entry in _entries(name, use)
        if set(entry["logins"]) & set(logins) or set(entry["users"]) & set(users)
    ]
    return [*in_use, *(f"{host} has answered" for host, carried in use.items() if carried is None)]


def _entries(name: str, use: Use) -> t.Iterator[tuple[str, t.Mapping[str, t.Any]]]:
    for host, carried in use.items():
        for entry in (carried or {}).get("deployments", {}).get(name, ()):
            yield host, entry


def _listed(items: t.Sequence[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
