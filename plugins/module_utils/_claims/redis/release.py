# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Give back the number of a deployment that is gone: its keys first, then its user, and the number last."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.errors import (
    ClaimError,
    confirm_problems,
    refuse,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.owner import owner_of
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis import cluster, database_zero
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis import keys as _keys
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.acl import is_ours
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.apply import change_users
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.connection import Server
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.error_messages import script_problems
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.plan import patterns_of, record_input
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.record import CLAIMS_KEY
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.scripts import RELEASE_SCRIPT
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.state import Entry, World
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.failpoints import failpoint
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import Problem


@dataclass
class Release:
    """One deployment to release, and what is there of it."""

    name: str
    confirmed: bool
    number: int | None
    keys: int
    clients: int
    user: bool
    patterns: tuple[str, ...] = ()  # of its keys; those of others are never deleted
    strange_keys: int = 0  # of others, in its number

    @property
    def needed(self) -> bool:
        """Whether anything of it is left."""
        return self.number is not None or self.user

    def actions(self) -> list[dict[str, t.Any]]:
        """List what is done, in this order."""
        if not (self.confirmed and self.needed):
            return []
        found: list[dict[str, t.Any]] = []
        if self.user:
            found.append({"action": "delete_user", "name": self.name})
        if self.number is not None:
            found.append({"action": "release", "name": self.name, "number": self.number, "keys": self.keys})
        return found

    def result(self) -> dict[str, t.Any]:
        """Describe it, in the words of the module's RETURN section."""
        gone = self.confirmed or not self.needed
        return {
            "number": None if gone else self.number,
            "user": self.name if self.user and not gone else None,
            "changed": bool(self.actions()),
            "clients": self.clients,
            "strange_keys": self.strange_keys,
            "would_lose" if not self.confirmed else "lost": {"keys": self.keys},
        }

    def warning(self) -> str | None:
        """Say what was kept, and how to let it go."""
        if self.confirmed or not self.needed:
            return None
        return (
            f"deployment '{self.name}': nothing was released. Its Redis number {self.number} holds {self.keys} keys, and"
            f" {self.clients} clients are connected; with 'confirm: {self.name}' the keys, its user and its claim go."
        )


def look(server: Server, entries: t.Sequence[Entry], world: World, params: t.Mapping[str, t.Any]) -> list[Release]:
    """Find out what is there of the deployments that have to go, and refuse what must not be done."""
    if not entries:
        return []
    refuse(confirm_problems(entries))
    found = _ask(server, [entry["name"] for entry in entries], world, params, dry=True)
    clients = connected(server)
    releases = []
    for entry in entries:
        name, user = entry["name"], world.users.get(entry["name"])
        number = found.get(name)
        releases.append(
            Release(
                name=name,
                confirmed=entry.get("confirm") is not None,
                number=number,
                keys=0,
                clients=count(clients, name, number),
                user=user is not None and is_ours(user, world.sets),
                patterns=tuple(patterns_of(entry, world)),
            )
        )
    _count_shared(server, releases, world)
    refuse([*_client_problems(releases), *_user_problems(releases, world), *_count_own(server, releases, world)])
    return releases


def _own_numbers(releases: t.Iterable[Release]) -> dict[int, tuple[str, ...]]:
    return {release.number: release.patterns for release in releases if release.number}


def _in_zero(releases: t.Iterable[Release]) -> list[str]:
    """Name those of which the user could write in number 0, though it is not theirs."""
    return [release.name for release in releases if release.user and release.number != 0]


def _count_own(server: Server, releases: t.Sequence[Release], world: World) -> list[Problem]:
    """Count the keys of each, and refuse to go on where somebody else's are among them."""
    content = _keys.look(server, _own_numbers(releases))
    problems = []
    for release in releases:
        if release.number:
            release.keys, release.strange_keys = content[release.number].own, content[release.number].strange
            problems.append(
                release.confirmed and content[release.number].problem(release.name, "state", release.number)
            )
    left = database_zero.sweep(server, _in_zero(releases), world, delete=False)
    for release in releases:
        release.keys += left[release.name]
    return [problem for problem in problems if problem]


def _count_shared(server: Server, releases: t.Iterable[Release], world: World) -> None:
    sharing = [release for release in releases if release.number == 0]
    if sharing:
        nodes = _masters(server, world)
        clients = [client for node in nodes[1:] for client in connected(node)]
        for release in sharing:
            release.keys = cluster.sweep(nodes, release.patterns, delete=False)
            release.clients += count(clients, release.name, None)


def _masters(server: Server, world: World) -> list[Server]:
    return [server, *(cluster.other_nodes(server, masters=True) if world.cluster else [])]


def _ask(
    server: Server, names: t.Sequence[str], world: World, params: t.Mapping[str, t.Any], dry: bool
) -> dict[str, int]:
    """Have the script find the numbers of these names, and without ``dry`` free them; they hold nothing by then."""
    question = {**record_input(world, params), "wanted": names, "dry": dry}
    answer = server.script(RELEASE_SCRIPT, CLAIMS_KEY, question)
    refuse(script_problems(answer, owner_of(params)))
    return {item["name"]: int(item["number"]) for item in answer["found"] or ()}


def _client_problems(releases: t.Iterable[Release]) -> t.Iterator[Problem]:
    for release in releases:
        if release.confirmed and release.clients:
            yield Problem(
                release.name,
                "state",
                f"{release.clients} clients are connected to its Redis number {release.number}",
                "stop the deployment first",
            )


def _user_problems(releases: t.Iterable[Release], world: World) -> t.Iterator[Problem]:
    """A user that would stay behind could use a number that is somebody else's by then."""
    for release in releases:
        if release.confirmed and release.number is not None and not release.user and world.users.get(release.name):
            yield Problem(
                release.name,
                "state",
                "its Redis user has rules that this collection did not write, and would stay behind",
                f"claim it once more, or remove the user by ACL DELUSER {release.name}, and release it then",
            )


def connected(server: Server) -> list[dict[str, str]]:
    """List who is connected, with the words that CLIENT LIST uses."""
    reply = server.call("CLIENT", "LIST")
    if isinstance(reply, Exception):
        raise ClaimError(f"Redis does not tell who is connected ({reply}), so this cannot be done safely")
    return [dict(word.partition("=")[::2] for word in line.split()) for line in str(reply).splitlines()]


def count(clients: t.Iterable[t.Mapping[str, str]], name: str, number: int | None) -> int:
    """Count who is connected as a user or to a number."""
    return sum(client.get("user") == name or (bool(number) and client.get("db") == str(number)) for client in clients)


def carry_out(
    server: Server,
    releases: t.Sequence[Release],
    world: World,
    params: t.Mapping[str, t.Any],
    nodes: t.Sequence[Server] = (),
) -> bool:
    """Lock the users out, look again for clients, and only then remove; every step can be repeated.

    Gives whether anything was released.
    """
    going = [release for release in releases if release.actions()]
    if not going:
        return False
    users = [release.name for release in going if release.user]
    everywhere = [server, *nodes]
    _switch(everywhere, users, "off")
    failpoint("release_users_off")
    clients = [client for node in everywhere for client in connected(node)]
    for release in going:
        release.clients = count(clients, release.name, release.number)
    late = list(_client_problems(going))
    if late:
        _switch(everywhere, users, "on")
        refuse(late)
    # Before the user, whose patterns say which keys are its own, to whoever has to finish this.
    _keys.delete(server, _own_numbers(going))
    database_zero.sweep(server, _in_zero(going), world, delete=True)
    for release in going:
        if release.number == 0:
            cluster.sweep(_masters(server, world), release.patterns, delete=True)
    if users:
        # A number is free only once its old user is gone from the aclfile too: a restart would bring it back.
        for node in everywhere:
            change_users(node, world, [("ACL", "DELUSER", *users)], save=world.acl_file != "")
    failpoint("release_users_gone")
    _ask(server, [release.name for release in going], world, params, dry=False)
    return True


def _switch(servers: t.Sequence[Server], users: t.Sequence[str], state: str) -> None:
    for server in servers:
        for reply in server.pipeline([("ACL", "SETUSER", name, state) for name in users]):
            if isinstance(reply, Exception):
                raise ClaimError(f"Redis could not switch a user {state} ({reply}), so nothing was released")
