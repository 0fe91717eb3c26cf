# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Release the database of a removed deployment: its keys first, then its user, and the claim last."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.errors import (
    ClaimError,
    confirm_problems,
    raise_for_problems,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.owner import owner_of
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis import cluster, database_zero
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis import keys as _keys
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.apply import change_users
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.connection import Server
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.error_messages import script_problems
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.logins import made_users, was_ours
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.plan import patterns_of, record_input
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.record import CLAIMS_KEY
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.scripts import RELEASE_SCRIPT
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.state import Entry, ServerState
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.release import ReleaseBase
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.failpoints import failpoint
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import Problem
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.redis_rights import users_of


@dataclass
class Release(ReleaseBase):
    """One deployment to release, and what exists of it."""

    name: str
    confirmed: bool
    db: int | None
    keys: int
    clients: int
    users: tuple[str, ...]  # its users that this collection made
    patterns: tuple[str, ...] = ()  # patterns of its keys; keys of others are never deleted
    strange_keys: int = 0  # keys of others in its database

    @property
    def needed(self) -> bool:
        """Return whether anything of it is left."""
        return self.db is not None or bool(self.users)

    def actions(self) -> list[dict[str, t.Any]]:
        """List the actions, in their order."""
        if not (self.confirmed and self.needed):
            return []
        found: list[dict[str, t.Any]] = []
        found += [{"action": "delete_user", "name": self.name, "user": user} for user in self.users]
        if self.db is not None:
            found.append({"action": "release", "name": self.name, "redis_db": self.db, "keys": self.keys})
        return found

    def result(self) -> dict[str, t.Any]:
        """Return its entry of the module's result."""
        return {
            "redis_db": self.db if self.kept else None,
            "user": self.users[0] if self.kept and self.users else None,
            "strange_keys": self.strange_keys,
            **self.outcome({"keys": self.keys}),
        }

    def warning(self) -> str | None:
        """Return a warning that says what was kept and how to release it."""
        if not self.kept:
            return None
        return (
            f"deployment '{self.name}': nothing was released. Its Redis database {self.db} has {self.keys} keys, and"
            f" {self.clients} clients are connected; set 'confirm: {self.name}' to delete the keys, its user and its claim."
        )


def plan_release(
    server: Server, entries: t.Sequence[Entry], state: ServerState, params: t.Mapping[str, t.Any]
) -> list[Release]:
    """Find out what exists of the deployments to release, and refuse what must not be released."""
    if not entries:
        return []
    raise_for_problems(confirm_problems(entries))
    found = _run_script(server, [entry["name"] for entry in entries], state, params, dry=True)
    clients = connected(server)
    releases = []
    for entry in entries:
        name = entry["name"]
        releases.append(
            Release(
                name=name,
                confirmed=entry.get("confirm") is not None,
                db=found.get(name),
                keys=0,
                clients=0,
                users=tuple(made_users(name, state)),
                patterns=tuple(patterns_of(entry, state)),
            )
        )
    _count_clients(releases, clients)
    _count_shared(server, releases, state)
    raise_for_problems(
        [*_client_problems(releases), *_user_problems(releases, state), *_count_own(server, releases, state)]
    )
    return releases


def _own_databases(releases: t.Iterable[Release]) -> dict[int, tuple[str, ...]]:
    return {release.db: release.patterns for release in releases if release.db}


def _using_database_zero(releases: t.Iterable[Release]) -> list[str]:
    """Return those whose user can write in database 0, although it is not theirs."""
    return [release.name for release in releases if release.users and release.db != 0]


def _count_own(server: Server, releases: t.Sequence[Release], state: ServerState) -> list[Problem]:
    """Count the keys of each, and return a problem for each that has keys of somebody else."""
    content = _keys.classify(server, _own_databases(releases))
    problems = []
    for release in releases:
        if release.db:
            release.keys, release.strange_keys = content[release.db].own, content[release.db].strange
            problems.append(release.confirmed and content[release.db].problem(release.name, "state", release.db))
    left = database_zero.sweep(server, _using_database_zero(releases), state, delete=False)
    for release in releases:
        release.keys += left[release.name]
    return [problem for problem in problems if problem]


def _count_shared(server: Server, releases: t.Iterable[Release], state: ServerState) -> None:
    sharing = [release for release in releases if release.db == 0]
    if sharing:
        nodes = _masters(server, state)
        clients = [client for node in nodes[1:] for client in connected(node)]
        for release in sharing:
            release.keys = cluster.sweep(nodes, release.patterns, delete=False)
            release.clients += count(clients, (release.name, *release.users), None)


def _masters(server: Server, state: ServerState) -> list[Server]:
    return [server, *(cluster.other_nodes(server, masters=True) if state.cluster else [])]


def _run_script(
    server: Server, names: t.Sequence[str], state: ServerState, params: t.Mapping[str, t.Any], dry: bool
) -> dict[str, int]:
    """Run the script that finds the databases of these names and, unless ``dry``, frees them; they must be empty by then."""
    question = {**record_input(state, params), "wanted": names, "dry": dry}
    answer = server.script(RELEASE_SCRIPT, CLAIMS_KEY, question)
    raise_for_problems(script_problems(answer, owner_of(params)))
    return {item["name"]: int(item["db"]) for item in answer["found"] or ()}


def _client_problems(releases: t.Iterable[Release]) -> t.Iterator[Problem]:
    for release in releases:
        if release.confirmed and release.clients:
            yield Problem(
                release.name,
                "state",
                f"{release.clients} clients are connected to its Redis database {release.db}",
                "find them (CLIENT LIST for Redis, pg_stat_activity for Postgres), stop them, then run this again",
            )


def _user_problems(releases: t.Iterable[Release], state: ServerState) -> t.Iterator[Problem]:
    """Find users that would remain; they could use a database that belongs to somebody else later."""
    for release in releases:
        others = [
            user
            for user in users_of(release.name)
            if user not in release.users and (found := state.users.get(user))
            if user == release.name or was_ours(found, state)
        ]
        if release.confirmed and release.db is not None and others:
            yield Problem(
                release.name,
                "state",
                "its Redis user has rules that this collection did not write, and would remain",
                f"claim it again, or remove the user with ACL DELUSER {others[0]}, then release it",
            )


def connected(server: Server) -> list[dict[str, str]]:
    """Return the connected clients, with the fields of CLIENT LIST."""
    reply = server.call("CLIENT", "LIST")
    if isinstance(reply, Exception):
        raise ClaimError(f"Redis does not list its clients ({reply}), so nothing can be released safely")
    return [dict(word.partition("=")[::2] for word in line.split()) for line in str(reply).splitlines()]


def count(clients: t.Iterable[t.Mapping[str, str]], users: t.Collection[str], db: int | None) -> int:
    """Count the clients that are connected as one of these users or to a database."""
    return sum(client.get("user") in users or (bool(db) and client.get("db") == str(db)) for client in clients)


def _count_clients(releases: t.Iterable[Release], clients: t.Sequence[t.Mapping[str, str]]) -> None:
    for release in releases:
        release.clients = count(clients, (release.name, *release.users), release.db)


def apply_release(
    server: Server,
    releases: t.Sequence[Release],
    state: ServerState,
    params: t.Mapping[str, t.Any],
    nodes: t.Sequence[Server] = (),
) -> bool:
    """Lock the users out, check for clients again, and only then remove; every step can be repeated.

    Return whether anything was released.
    """
    going = [release for release in releases if release.actions()]
    if not going:
        return False
    users = [user for release in going for user in release.users]
    everywhere = [server, *nodes]
    _switch_users(everywhere, users, "off")
    failpoint("release_users_off")
    clients = [client for node in everywhere for client in connected(node)]
    _count_clients(going, clients)
    late = list(_client_problems(going))
    if late:
        _switch_users(everywhere, users, "on")
        raise_for_problems(late)
    # Keys go before the user, because a run that has to finish this needs the user's patterns to find them.
    _keys.delete(server, _own_databases(going))
    database_zero.sweep(server, _using_database_zero(going), state, delete=True)
    for release in going:
        if release.db == 0:
            cluster.sweep(_masters(server, state), release.patterns, delete=True)
    if users:
        # The database is free only when the old user is removed from the aclfile too: a restart would restore it.
        for node in everywhere:
            change_users(node, state, [("ACL", "DELUSER", *users)], save=state.acl_file != "")
    failpoint("release_users_gone")
    _run_script(server, [release.name for release in going], state, params, dry=False)
    return True


def _switch_users(servers: t.Sequence[Server], users: t.Sequence[str], state: str) -> None:
    for server in servers:
        for reply in server.pipeline([("ACL", "SETUSER", name, state) for name in users]):
            if isinstance(reply, Exception):
                raise ClaimError(
                    f"Redis could not switch a user {state} ({reply}), so nothing was released; correct this, then run it again"
                )
